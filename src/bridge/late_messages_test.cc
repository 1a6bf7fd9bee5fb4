// Messages of a page that arrive when their call has ended: they place no call, and no page is left waiting.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct LateMessagesTest : testing::TestWithParam<bool>, BridgeWorld {  // with: does the page acknowledge messages?
  LateMessagesTest() {
    page().counts = GetParam();
    page().poll();
  }
  Page& page() { return page_; }
  Phone& phone() { return phone_; }
  // Polls go on, and what is posted stays on the wire.
  void endByPhone() {
    phone().hangUp();
    run(100ms);
    EXPECT_EQ(page().count("BYE"), 1u);
    page().messages.clear();
  }
  void expectNoCall() {
    const auto invites = sentCount(sip::Method::Invite);
    page().offer();
    run(500ms);
    EXPECT_EQ(sentCount(sip::Method::Invite), invites);
    EXPECT_EQ(page().list(), GetParam() ? "" : "BYE") << "one that does not acknowledge may have missed the first";
    page().messages.clear();
  }
  void beCalledInVainBy(Phone& caller) {
    caller.call("1001");
    run(100ms);
    caller.hangUp();
    run(100ms);
    EXPECT_EQ(page().count("BYE"), 1u);
    page().take("BYE");
  }
  // Somebody calls, and the page has read it.
  Phone& rings() {
    Phone& other = BridgeWorld::phone("2002");
    other.call("1001");
    run(100ms);
    page().messages.clear();
    return other;
  }
  void answerAndOfferTooLate() {
    page().peerName = phone().user;
    page().connect(false);
    page().answerOffer();
    page().messages.clear();
    page().offererId = Page::kAnswererId;
    page().renew(otherPageDtls);
    expectNoCall();
    expectRedial();
  }
  void expectRedial() {
    page().call(phone().user);
    run(100ms);
    if (phone().ringing()) phone().answer();
    run(500ms);
    EXPECT_EQ(page().count("BYE"), 0u);
    page().takeAnswer();
    expectConnected(page());
  }

 private:
  Page& page_ = signedIn("1001");
  Phone& phone_ = BridgeWorld::phone("2001");
};

TEST_P(LateMessagesTest, AnOfferThatOurByeAndItsAcknowledgementHaveOvertakenPlacesNoCall) {
  establish(page(), phone());
  endByPhone();
  page().renew(otherPageDtls);  // with seq 1, like a call
  expectNoCall();
  expectRedial();
}

TEST_P(LateMessagesTest, SuchAnOfferOfACalledPagePlacesNoCall) {
  establish(phone(), page());
  endByPhone();
  page().offererId = Page::kAnswererId;
  page().renew(otherPageDtls);
  expectNoCall();
  expectRedial();
}

TEST_P(LateMessagesTest, AnOfferOnTheConnectionOfTheCallBeforePlacesNoCall) {
  establish(page(), phone());
  endByPhone();
  expectNoCall();
  expectRedial();
}

TEST_P(LateMessagesTest, APageThatCountsItsCallsFromOneAgainCanCallInAWhile) {
  establish(page(), phone());
  endByPhone();
  run(GetParam() ? 31s : 6s);
  --page().offererId;  // call() takes the next one
  expectRedial();
}

// A client in the field takes an OFFER, after its own BYE, for another call: it rings until it hears of the end.
TEST_P(LateMessagesTest, APageThatHangsUpWhileOurOfferIsUnderWayIsNotLeftRinging) {
  establish(page(), phone());
  run(100ms);
  page().messages.clear();
  phone().direction = Direction::SendOnly;
  phone().reInvite();
  run(100ms);
  page().post("BYE");
  run(500ms);
  EXPECT_FALSE(phone().established());
  EXPECT_EQ(page().list(), GetParam() ? "OFFER" : "OFFER BYE");
  page().messages.clear();
  expectRedial();
}

TEST_P(LateMessagesTest, AnOfferOfTheCallBeforeTheLastPlacesNoCallEither) {
  establish(page(), phone());
  endByPhone();
  Phone& other = BridgeWorld::phone("2002");
  other.call("1001");
  run(100ms);
  other.hangUp();
  run(100ms);
  EXPECT_EQ(page().list(), "OFFER BYE");
  page().messages.clear();
  page().renew(otherPageDtls);
  page().peerName = "2001";
  expectNoCall();
  expectRedial();
}

TEST_P(LateMessagesTest, AnOfferBehindAnAnswerThatComesTooLatePlacesNoCall) {
  beCalledInVainBy(phone());
  answerAndOfferTooLate();
}

TEST_P(LateMessagesTest, NorDoesItWhereAnotherCallHasComeAndGone) {
  beCalledInVainBy(phone());
  beCalledInVainBy(BridgeWorld::phone("2002"));
  answerAndOfferTooLate();
}

TEST_P(LateMessagesTest, AByeForItsOwnEchoRejectsNobodyElse) {
  phone().call("1001");
  run(100ms);
  page().messages.clear();
  page().post("BYE", "self");
  page().post("BYE", page().ssid);
  run(100ms);
  EXPECT_TRUE(phone().ringing());
  page().post("BYE");
  run(100ms);
  EXPECT_FALSE(phone().ringing());
}

TEST_P(LateMessagesTest, ARepeatedOneIsNotAnsweredAgain) {
  establish(page(), phone());
  endByPhone();
  const auto invites = sentCount(sip::Method::Invite);
  const std::string late = page().offer();
  run(100ms);
  EXPECT_EQ(page().count("BYE"), GetParam() ? 0u : 1u);
  page().messages.clear();
  page().post(late);
  run(500ms);
  EXPECT_EQ(page().list(), "");
  EXPECT_EQ(sentCount(sip::Method::Invite), invites);
}

// A caller whose OFFER the page has never read does not ring there.
TEST_P(LateMessagesTest, ACallThatThePageHasNotReadIsNotToldToEndThere) {
  page().stopPolling();
  run(10ms);
  Phone& other = BridgeWorld::phone("2002");
  other.call("1001");
  run(100ms);
  page().call("2001");
  run(100ms);
  EXPECT_EQ(other.ended.size(), 1u);
  page().post("BYE", "2001");
  run(100ms);
  page().goOnPolling();
  run(500ms);
  EXPECT_EQ(page().count("BYE"), 0u);
}

// The page has called and hung up, and only then its messages arrive: somebody else's call rings there meanwhile.
TEST_P(LateMessagesTest, ACallThatIsGivenUpForAnOfferThatTheByeFollowsDoesNotRingForEver) {
  Phone& other = rings();
  page().call("2001");
  run(100ms);
  EXPECT_EQ(other.ended.size(), 1u);
  page().post("BYE", "2001");
  run(500ms);
  EXPECT_EQ(page().take("BYE"), "BYE");
  EXPECT_EQ(page().lastPeer, "2002");
  EXPECT_EQ(page().count("BYE"), 0u);
}

TEST_P(LateMessagesTest, NorForTwoSuchOffers) {
  rings();
  BridgeWorld::phone("2003");
  page().stopPolling();
  run(10ms);
  for (const char* to : {"2001", "2003"}) {
    page().call(to);
    run(10ms);
    page().post("BYE", to);
    run(10ms);
  }
  page().goOnPolling();
  run(500ms);
  EXPECT_EQ(page().take("BYE"), "BYE");
  EXPECT_EQ(page().lastPeer, "2002");
  EXPECT_EQ(page().count("BYE"), 0u);
}

TEST_P(LateMessagesTest, APageThatHasDroppedACallForItsOwnHearsNothingMoreOfIt) {
  Phone& other = rings();
  establish(page(), phone());
  EXPECT_EQ(other.ended.size(), 1u);
  page().post("BYE", "2001");
  run(500ms);
  EXPECT_EQ(page().count("BYE"), 0u);
}

TEST_P(LateMessagesTest, ALateOfferOfACallThatHasEndedLeavesTheOneThatRingsAlone) {
  establish(page(), phone());
  endByPhone();
  Phone& other = BridgeWorld::phone("2002");
  other.call("1001");
  run(100ms);
  page().renew(otherPageDtls);
  page().offer();
  run(100ms);
  EXPECT_EQ(other.ended.size(), 0u);
  EXPECT_EQ(page().count("BYE"), 0u);
  page().connect(false);
  page().answerOffer();
  run(500ms);
  EXPECT_TRUE(other.established());
}

INSTANTIATE_TEST_SUITE_P(, LateMessagesTest, testing::Bool(),
                         [](const auto& about) { return about.param ? "Acknowledging" : "InTheField"; });

}  // namespace
}  // namespace crosspoint::bridge::test
