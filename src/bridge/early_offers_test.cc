// Offers of the far end that nobody has time to think about: UPDATE (RFC 3311), before the call's answer and after it.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct EarlyOffersTest : OneCallTest {
  enum class Client : std::uint8_t { Ours, Field, FieldWithEarlyMedia };

  // A call that is up, of a phone that speaks nothing but PCMA.
  void beginWithPcma() {
    meet(signedIn("1001"), phone("2001"));
    phone().codecs = {kPcma};
    page().codecs = {kPcma};  // a browser answers with what was offered
    establish(phone(), page());
    page().messages.clear();
  }
  // The page's call rings, and the phone has answered its offer in a reliable 183.
  void ring(Client client) {
    config.earlyMedia = client == Client::FieldWithEarlyMedia;
    meet(client == Client::Ours ? ourPage("1001") : signedIn("1001"), phone("2001"));
    page().call("2001");
    run(200ms);
    phone().progress();
    run(100ms);
    if (client == Client::Ours) page().takeProvisionalAnswer(), page().takeProvisionalAnswer();
    if (client == Client::FieldWithEarlyMedia) page().takeAnswer();
    if (client != Client::Field) expectConnected(page());
  }
  // One packet of PCMA of the page's is heard.
  void expectPcmaAtPhone() {
    page().speak({.payloadType = 8, .sequenceNumber = 1, .timestamp = 160});
    run(50ms);
    EXPECT_EQ(phone().received.size(), 1u);
  }
  // And is answered after all.
  void answer(Client client) {
    phone().answer();
    run(100ms);
    if (client == Client::Ours) {
      while (page().count("SDP ") > 1) page().takeProvisionalAnswer();
    }
    if (client != Client::FieldWithEarlyMedia) page().takeAnswer();
    expectConnected(page());
  }
  void update(Direction direction = Direction::SendRecv) {
    phone().update(direction);
    run(50ms);  // nobody is asked
  }
};

struct EarlyOffersOfEachClient : EarlyOffersTest, testing::WithParamInterface<EarlyOffersTest::Client> {};

TEST_P(EarlyOffersOfEachClient, AnUpdateThatMovesTheMediaIsAnsweredAtOnceAndTheCallComesUpThere) {
  ring(GetParam());
  const auto told = phone().descriptions().size();
  phone().address.port = static_cast<std::uint16_t>(phone().address.port + 4);
  update();
  ASSERT_EQ(phone().descriptions().size(), told + 1);
  EXPECT_EQ(toldToPhone(), Direction::SendRecv);
  EXPECT_TRUE(phone().offersFailed.empty());
  EXPECT_EQ(page().count("SDP "), 0u);  // it need not act
  answer(GetParam());
  expectMediaFlows(page(), phone());
  run(10s);
  EXPECT_EQ(page().count("SDP "), 0u);
  phone().hangUp();
  expectNothingLeft();
}

TEST_P(EarlyOffersOfEachClient, AHoldByUpdateIsOverWithTheNextOne) {
  ring(GetParam());
  update(Direction::Inactive);
  EXPECT_EQ(toldToPhone(), Direction::Inactive);
  update(Direction::SendRecv);
  EXPECT_EQ(toldToPhone(), Direction::SendRecv);
  EXPECT_TRUE(phone().offersFailed.empty());
  answer(GetParam());
  expectMediaFlows(page(), phone());
}

TEST_P(EarlyOffersOfEachClient, AnUpdateOfNoUseIsRefusedAndWhatWasAgreedStands) {
  ring(GetParam());
  phone().codecs = {kG722};
  update();
  phone().codecs = {kPcmu};
  phone().describeOtherwise = [] { return "nonsense"; };
  update();
  EXPECT_EQ(phone().offersFailed, (std::vector<int>{488, 400}));
  phone().describeOtherwise = {};
  answer(GetParam());
  expectMediaFlows(page(), phone());
}

INSTANTIATE_TEST_SUITE_P(All, EarlyOffersOfEachClient,
                         testing::Values(EarlyOffersTest::Client::Ours, EarlyOffersTest::Client::Field,
                                         EarlyOffersTest::Client::FieldWithEarlyMedia));

TEST_F(EarlyOffersTest, AnotherCodecBeforeTheAnswerIsToldToAPageThatHearsOfSuchThings) {
  ring(Client::Ours);
  phone().codecs = {kPcma};
  update();
  EXPECT_EQ(codecNames(page().takeProvisionalAnswer()), std::vector<std::string>{"PCMA"});
  phone().speak({.payloadType = 8, .sequenceNumber = 1, .timestamp = 160, .ssrc = 0x77});
  expectPcmaAtPhone();
  EXPECT_EQ(page().received.size(), 1u);
  phone().answer();
  run(100ms);
  EXPECT_EQ(codecNames(page().takeAnswer()), std::vector<std::string>{"PCMA"});
}

TEST_F(EarlyOffersTest, AnotherCodecBeforeTheAnswerIsInTheOneAnswerOfAClientInTheField) {
  ring(Client::Field);
  phone().codecs = {kPcma};
  update();
  phone().answer();
  run(100ms);
  EXPECT_EQ(codecNames(page().takeAnswer()), std::vector<std::string>{"PCMA"});
  EXPECT_EQ(page().list(), "");
}

// Whoever has had its answer is renegotiated when the call is up.
TEST_F(EarlyOffersTest, AnotherCodecAfterAnEarlyAnswerIsSettledAfterThe200) {
  ring(Client::FieldWithEarlyMedia);
  phone().codecs = {kPcma};
  update();
  EXPECT_EQ(page().list(), "");
  phone().answer();
  run(100ms);
  EXPECT_EQ(codecNames(page().answerOffer()).at(0), "PCMA");
  run(100ms);
  expectPcmaAtPhone();
}

TEST_F(EarlyOffersTest, AnUpdateThatThePageMustAnswerWaitsForItsAnswer) {
  beginWithPcma();
  phone().codecs = {kPcmu};
  phone().update();
  run(100ms);
  page().codecs = {kPcmu};
  page().answerOffer();
  run(100ms);
  EXPECT_TRUE(phone().offersFailed.empty());
  EXPECT_EQ(phone().described().sections.at(0).codecs, std::vector{kPcmu});
  expectMediaFlows(page(), phone());
}

TEST_F(EarlyOffersTest, AnUpdateThatASilentPageMustAnswerIsRefusedInTime) {
  beginWithPcma();
  phone().codecs = {kPcmu};
  phone().update();
  run(16s);
  EXPECT_EQ(phone().offersFailed, std::vector<int>{488});
  phone().codecs = {kPcma};
  phone().reInvite();
  run(1s);
  EXPECT_EQ(phone().offersFailed.size(), 1u);
  expectPcmaAtPhone();
}

}  // namespace
}  // namespace crosspoint::bridge::test
