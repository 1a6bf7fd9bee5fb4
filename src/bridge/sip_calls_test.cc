// Calls that come from SIP.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct SipCallsTest : testing::Test, BridgeWorld {};

TEST_F(SipCallsTest, AnInviteRingsAtThePageWithTheCallersName) {
  const auto [callee, caller] = phoneCallsPage();
  EXPECT_EQ(callee.list(), "OFFER");
  const auto& message = callee.messages.back();
  EXPECT_EQ(message.peer, "2001");
  EXPECT_TRUE(message.body.starts_with("SDP "));
  EXPECT_NE(message.body.find("\"Candidates\":[]"), std::string::npos);
  EXPECT_EQ(caller.provisionals, 1u);
  EXPECT_TRUE(caller.ringing());

  callee.answerOffer();
  const auto& section = callee.remote->sections.at(0);
  EXPECT_EQ(section.setup, DtlsSetup::ActPass);
  EXPECT_EQ(section.codecs.at(0).name, "PCMU");
  EXPECT_EQ(section.codecs.size(), 3u);
  EXPECT_FALSE(section.candidates.empty());
  run(500ms);
  EXPECT_EQ(callee.list(), "OK");
  ASSERT_TRUE(caller.established());
  const auto& answer = caller.described().sections.at(0);
  EXPECT_EQ(answer.codecs.size(), 3u);
  EXPECT_EQ(answer.codecs.back().payloadType, Phone::digits().payloadType);
  EXPECT_EQ(answer.protocol, "RTP/AVP");
  expectConnected(callee);
  expectMediaFlows(callee, caller);
}

TEST_F(SipCallsTest, ThePageMayTakeMinutesToAnswer) {
  const auto [callee, caller] = phoneCallsPage(150s);
  callee.answerOffer();
  expectConnected(callee);
  expectMediaFlows(callee, caller);
}

TEST_F(SipCallsTest, ThePageRejects) {
  const auto [callee, caller] = phoneCallsPage();
  callee.post("BYE", "2001");
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 603);
  EXPECT_EQ(callee.list(), "OFFER");
  expectNothingLeft();
}

TEST_F(SipCallsTest, ThePageNeverAnswers) {
  config.noAnswerMax = 20s;
  const auto [callee, caller] = phoneCallsPage(21s);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 480);
  EXPECT_EQ(callee.list(), "OFFER ERROR BYE");
  expectNothingLeft();
}

TEST_F(SipCallsTest, TheCallerCancelsAndThePageHearsByeOnceAndNoError) {
  for (const bool withOffer : {true, false}) {
    Page& callee = signedIn(withOffer ? "1001" : "1002");
    Phone& caller = phone(withOffer ? "2001" : "2002");
    caller.call(callee.user, withOffer);
    run(500ms);
    caller.hangUp();
    run(500ms);
    EXPECT_EQ(callee.list(), withOffer ? "OFFER BYE" : "INVITE BYE");
    expectNothingLeft();
  }
}

TEST_F(SipCallsTest, APageInACallIsBusyAndHearsNothingOfIt) {
  Page& callee = signedIn("1001");
  Phone& first = phone("2001");
  Phone& second = phone("2002");
  establish(callee, first);
  second.call("1001");
  run(500ms);
  ASSERT_EQ(second.ended.size(), 1u);
  EXPECT_EQ(second.ended[0].status, 486);
  EXPECT_EQ(callee.list(), "");
  expectMediaFlows(callee, first);
}

TEST_F(SipCallsTest, ADnThatIsNotSignedInIs404) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  intercept = [](const std::string&, const sip::SendRequest& sent) {
    return sent.request.method == sip::Method::Register;
  };
  callee.signOut();  // the server has not heard of it yet
  caller.call("1001");
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 404);
}

TEST_F(SipCallsTest, ACallWithoutACommonCodecEndsAtOnceAndNeverReachesThePage) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.codecs = {kG722};
  caller.call("1001");
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 488);
  EXPECT_EQ(callee.list(), "");
  expectNothingLeft();
}

TEST_F(SipCallsTest, AnInviteWithSdpThatIsNoneIsRefusedAndNeverReachesThePage) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.describeOtherwise = [] { return "hello"; };
  caller.call("1001");
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 400);
  EXPECT_EQ(callee.list(), "");
  EXPECT_EQ(bridge().counters().badMessages, 1u);
}

TEST_F(SipCallsTest, APageThatAnswersWithoutACommonCodecIsToldSoAndSipToo) {
  const auto [callee, caller] = phoneCallsPage();
  callee.codecs = {kG722};
  callee.answerOffer();
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 488);
  EXPECT_EQ(callee.list(), "OK ERROR BYE");
  expectNothingLeft();
}

TEST_F(SipCallsTest, AnInviteWithoutSdpAsksThePageForTheOffer) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.call("1001", false);
  run(500ms);
  EXPECT_EQ(callee.list(), "INVITE");
  EXPECT_EQ(callee.messages.back().peer, "2001");
  EXPECT_TRUE(caller.ringing());
  callee.call("2001");
  run(500ms);
  ASSERT_TRUE(caller.established());
  const auto& offer = caller.descriptions().front();
  EXPECT_EQ(offer.sections.at(0).codecs.at(0).name, "opus");
  EXPECT_EQ(callee.list(), "INVITE ANSWER");
  callee.takeAnswer();
  expectConnected(callee);
  expectMediaFlows(callee, caller);
  EXPECT_EQ(sentCount(sip::Method::Invite), 0u);
  caller.hangUp();
  run(500ms);
  EXPECT_EQ(callee.list(), "INVITE BYE");
  expectNothingLeft();
}

TEST_F(SipCallsTest, ThePageRejectsWhatItIsAskedToOffer) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.call("1001", false);
  run(500ms);
  callee.post("BYE", "2001");
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 603);
  expectNothingLeft();
}

TEST_F(SipCallsTest, APageThatCallsSomebodyWhileACallComesInHasDroppedTheOffer) {
  for (const bool withOffer : {true, false}) {
    Page& callee = signedIn(withOffer ? "1001" : "1002");
    Phone& caller = phone(withOffer ? "2001" : "2002");
    Phone& third = phone(withOffer ? "2003" : "2004");
    caller.call(callee.user, withOffer);
    run(500ms);
    callee.messages.clear();
    callee.call(third.user);
    run(500ms);
    ASSERT_EQ(caller.ended.size(), 1u);
    EXPECT_EQ(caller.ended[0].status, 486);
    ASSERT_TRUE(third.ringing());
    third.answer();
    run(500ms);
    EXPECT_EQ(callee.list(), "ANSWER");
    callee.takeAnswer();
    expectConnected(callee);
    expectMediaFlows(callee, third);
    third.hangUp();
    run(500ms);
    expectNothingLeft();
  }
}

TEST_F(SipCallsTest, APageAndAPhoneThatCallEachOtherGetTheirOwnCalls) {
  const auto [callee, caller] = phoneCallsPage();
  callee.messages.clear();
  caller.onInvite = Phone::OnInvite::Answer;
  callee.call("2001");  // an OFFER, where the call that came in would need an ANSWER
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 486);
  callee.takeAnswer();
  expectConnected(callee);
  expectMediaFlows(callee, caller);
}

TEST_F(SipCallsTest, TheCallerHangsUpAndThePageMayBeCalledAgain) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  for (int i = 0; i < 3; ++i) {
    establish(caller, callee);
    expectMediaFlows(callee, caller);
    if (i == 1)
      callee.hangUp();
    else
      caller.hangUp();
    run(500ms);
    EXPECT_EQ(callee.list(), i == 1 ? "" : "BYE");
    callee.messages.clear();
    callee.rtc.reset();
    expectNothingLeft();
  }
}

TEST_F(SipCallsTest, AnAnswerThatIsNeverAcknowledgedEndsTheCall) {
  const auto [callee, caller] = phoneCallsPage();
  dropAcks = true;
  callee.answerOffer();
  run(40s);
  EXPECT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(callee.list(), "OK ERROR BYE");
  expectNothingLeft();
}

TEST_F(SipCallsTest, TalkAndHoldReachThePage) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  establish(caller, callee);
  for (const char* event : {"talk", "hold"}) {
    notify(caller, event);
    run(3s);
  }
  EXPECT_EQ(callee.list(), "EVENT-TALK EVENT-HOLD");
}

TEST_F(SipCallsTest, TooManyCallsAreRefusedBothWays) {
  config.callsMax = 1;
  Page& first = signedIn("1001");
  Page& second = signedIn("1002");
  Phone& other = phone("2001");
  Phone& third = phone("2002");
  establish(first, other);
  third.call("1002");
  run(500ms);
  ASSERT_EQ(third.ended.size(), 1u);
  EXPECT_EQ(third.ended[0].status, 503);
  EXPECT_EQ(second.list(), "");
  second.call("2002");
  run(500ms);
  EXPECT_EQ(second.list(), "ERROR BYE");
  EXPECT_EQ(second.take(roap::MessageType::Error).sipStatus, 503);
  EXPECT_GE(bridge().counters().limitsReached, 2u);
  expectMediaFlows(first, other);
}

}  // namespace
}  // namespace crosspoint::bridge::test
