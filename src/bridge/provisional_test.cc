// Provisional answers: the page's transport is ready before anybody answers, both ways.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct ProvisionalTest : OneCallTest {
  // The page calls, and its media is connected while the phone rings.
  void ringOut() {
    meet(ourPage("1001"), phone("2001"));
    page().call("2001");
    run(500ms);
    ASSERT_TRUE(phone().ringing());
    provisionalAnswer = page().takeProvisionalAnswer();
    expectConnected(page());
    ASSERT_TRUE(phone().ringing());
    page().messages.clear();
  }
  // The phone calls, and the page's media is connected before it answers.
  void ringIn() {
    meet(ourPage("1001"), phone("2001"));
    phone().call("1001");
    run(500ms);
    offer = page().answerOffer(true);
    page().peerName = "2001";
    expectConnected(page());
    ASSERT_TRUE(phone().ringing());
  }
  // Both speak at this moment and are heard one network's way later.
  void expectBothHeardAtOnce() {
    page().speak({.sequenceNumber = 100});
    phone().speak({.sequenceNumber = 100, .ssrc = 0x77});
    run(10ms);
    EXPECT_EQ(page().received.size(), 1u);
    EXPECT_EQ(phone().received.size(), 1u);
  }

  roap::Message provisionalAnswer, offer;
};

// ---- the page calls ----

TEST_F(ProvisionalTest, ThePagesMediaIsConnectedWhileItRings) {
  ringOut();
  EXPECT_EQ(provisionalAnswer.seq, 1u);
  EXPECT_EQ(codecNames(provisionalAnswer),
            (std::vector<std::string>{"opus", "PCMU", "PCMA", "telephone-event"}));  // G.722 is not passed on
  EXPECT_EQ(page().lastPeer, "2001");
  page().speak({.sequenceNumber = 1});  // nobody is there yet
  run(50ms);
  EXPECT_TRUE(phone().received.empty());
  EXPECT_EQ(bridge().counters().callsAnswered, 0u);
}

TEST_F(ProvisionalTest, TheFirstWordsPassBothWaysWithTheAnswer) {
  ringOut();
  phone().answer();
  run(5ms);  // the 200 is there
  expectBothHeardAtOnce();
  run(100ms);
  const auto handshakes = page().rtc->counters().dtlsHandshakes;
  const auto final = page().takeAnswer();
  EXPECT_FALSE(final.moreComing);
  EXPECT_EQ(final.seq, provisionalAnswer.seq);
  EXPECT_EQ(final.offererSessionId, provisionalAnswer.offererSessionId);
  EXPECT_EQ(codecNames(final), (std::vector<std::string>{"PCMU", "PCMA", "telephone-event"}));
  EXPECT_EQ(sdp::parse(final.sdp)->sections[0].ice, sdp::parse(provisionalAnswer.sdp)->sections[0].ice);
  run(10s);
  EXPECT_EQ(page().count("SDP "), 0u);  // the OK was all that was missing
  EXPECT_EQ(page().rtc->counters().dtlsHandshakes, handshakes);
  expectMediaFlows(page(), phone());
  page().hangUp();
  expectNothingLeft();
}

TEST_F(ProvisionalTest, EarlyMediaFlowsOverTheReadyTransport) {
  ringOut();
  phone().progress();
  run(5ms);
  expectBothHeardAtOnce();  // an announcement, and what the page says to it
  run(50ms);
  EXPECT_EQ(codecNames(page().takeProvisionalAnswer()), (std::vector<std::string>{"PCMU", "PCMA", "telephone-event"}));
  phone().answer();
  run(100ms);
  page().takeAnswer();
  expectMediaFlows(page(), phone());
}

TEST_F(ProvisionalTest, ADigitReachesAnIvrBeforeTheAnswer) {
  ringOut();
  phone().progress();
  run(50ms);
  page().takeProvisionalAnswer();
  page().speak({.payloadType = 126, .sequenceNumber = 1, .payloadBytes = 4});
  run(50ms);
  ASSERT_EQ(phone().received.size(), 1u);
  EXPECT_EQ(phone().received[0].payloadType, 101);
}

TEST_F(ProvisionalTest, AFailureIsErrorAndByeAsWithoutIt) {
  ringOut();
  phone().reject(486);
  run(500ms);
  EXPECT_EQ(page().list(), "ERROR BYE");
  EXPECT_EQ(page().take(roap::MessageType::Error).sipStatus, 486);
  expectNothingLeft();
}

TEST_F(ProvisionalTest, APageThatGivesUpCancels) {
  ringOut();
  page().hangUp();
  run(500ms);
  ASSERT_EQ(phone().ended.size(), 1u);
  EXPECT_EQ(page().list(), "");
  expectNothingLeft();
}

TEST_F(ProvisionalTest, VideoThatTheFarEndRefusesIsRefusedWithTheAnswerOnly) {
  Page& caller = ourPage("1001");
  Phone& callee = phone("2001");
  caller.video = true;
  caller.call("2001");
  run(500ms);
  caller.takeProvisionalAnswer();
  ASSERT_EQ(caller.remote->sections.size(), 2u);
  EXPECT_FALSE(caller.remote->sections[1].refused());
  callee.progress();
  run(100ms);
  caller.takeProvisionalAnswer();
  EXPECT_FALSE(caller.remote->sections[1].refused());
  callee.answer();
  run(100ms);
  caller.takeAnswer();
  EXPECT_TRUE(caller.remote->sections[1].refused());
  expectMediaFlows(caller, callee);
}

TEST_F(ProvisionalTest, ARepeatedOfferIsNotAnsweredTwice) {
  Page& caller = ourPage("1001");
  Phone& callee = phone("2001");
  const auto body = caller.call("2001");
  run(100ms);
  caller.post(body);  // its reply was lost
  run(100ms);
  EXPECT_EQ(caller.list(), "ANSWER PROGRESS");
  callee.answer();
  run(100ms);
  caller.post(body);
  run(100ms);
  EXPECT_EQ(caller.list(), "ANSWER PROGRESS ANSWER PROGRESS");
}

TEST_F(ProvisionalTest, APageThatNeverSaidSoGetsOneAnswer) {
  const auto [caller, callee] = pageCallsPhone();
  callee.progress();
  run(500ms);
  EXPECT_EQ(caller.list(), "");
  callee.answer();
  run(500ms);
  EXPECT_EQ(caller.list(), "ANSWER");
  EXPECT_FALSE(caller.takeAnswer().moreComing);
}

TEST_F(ProvisionalTest, ACallToSelfIsAnsweredOnce) {
  Page& caller = ourPage("1001");
  caller.call("self");
  run(500ms);
  EXPECT_FALSE(caller.takeAnswer().moreComing);
  EXPECT_EQ(caller.count("SDP "), 0u);
}

TEST_F(ProvisionalTest, AnInviteWithoutSdpConnectsWithTheOffer) {
  Page& callee = ourPage("1001");
  Phone& caller = phone("2001");
  dropAcks = true;  // the ACK, with the far end's answer in it, is late
  caller.call("1001", false);
  run(500ms);
  callee.take("INVITE");
  callee.call("2001");
  run(500ms);
  callee.takeProvisionalAnswer();
  expectConnected(callee);
}

// ---- the page is called ----

TEST_F(ProvisionalTest, ACalledPageConnectsWhileItRingsAndAnswersLater) {
  ringIn();
  run(60s);
  EXPECT_TRUE(phone().ringing());
  EXPECT_EQ(bridge().counters().callsAnswered, 0u);
  page().speak({.sequenceNumber = 1});  // a microphone that is open all the same is not heard
  run(50ms);
  EXPECT_TRUE(phone().received.empty());
  page().messages.clear();
  page().answer(offer);
  run(5ms);
  ASSERT_TRUE(phone().established());
  page().received.clear();
  expectBothHeardAtOnce();
  run(100ms);
  EXPECT_EQ(page().list(), "OK PROGRESS");
  phone().hangUp();
  run(100ms);
  expectNothingLeft();
}

TEST_F(ProvisionalTest, ACalledPagesProvisionalAnswerMayBeRepeatedOrOvertaken) {
  ringIn();
  const auto repeated = page().answer(offer, true);
  page().answer(offer);
  page().post(repeated);
  page().post(repeated);
  run(100ms);
  ASSERT_TRUE(phone().established());
  EXPECT_EQ(page().count("SDP "), 1u);  // one OK
  expectMediaFlows(page(), phone());
}

TEST_F(ProvisionalTest, ACalledPageMayDeclineAfterIt) {
  ringIn();
  page().hangUp();
  run(500ms);
  ASSERT_EQ(phone().ended.size(), 1u);
  EXPECT_EQ(phone().ended[0].status, 603);
  expectNothingLeft();
}

TEST_F(ProvisionalTest, ACallerWhoGivesUpAfterItEndsThePagesCall) {
  ringIn();
  phone().hangUp();
  run(500ms);
  EXPECT_EQ(page().count("BYE"), 1u);
  expectNothingLeft();
}

TEST_F(ProvisionalTest, AProvisionalAnswerThatIsNoneChangesNothing) {
  Page& callee = ourPage("1001");
  Phone& caller = phone("2001");
  caller.call("1001");
  run(500ms);
  auto sent = callee.take(roap::MessageType::Offer);
  roap::Message broken{.type = roap::MessageType::Answer, .sdp = "v=0\r\nnonsense"};
  broken.offererSessionId = sent.offererSessionId;
  broken.seq = sent.seq;
  broken.moreComing = true;
  callee.post(roap::fromPage(broken), "2001");
  run(100ms);
  EXPECT_TRUE(caller.ringing());
  EXPECT_EQ(bridge().counters().badMessages, 1u);
  callee.peerName = "2001";
  callee.connect(false);
  callee.answer(sent);
  run(100ms);
  EXPECT_TRUE(caller.established());
}

}  // namespace
}  // namespace crosspoint::bridge::test
