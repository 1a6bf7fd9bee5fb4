// Who is signed in, and for how long.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

const std::string kAnonymous = "anon0123456789abcdef0123456789ABCDEF";

struct SignInTest : testing::Test, BridgeWorld {};

TEST_F(SignInTest, AnAnonymousPageIsInAtOnceAndUnknownToSip) {
  Page& made = page(kAnonymous);
  made.signIn();
  run(10ms);
  ASSERT_TRUE(made.signInReply);
  EXPECT_EQ(made.signInReply->status, 200);
  EXPECT_TRUE(made.signInReply->body.starts_with("id=S00")) << made.signInReply->body;
  EXPECT_NE(made.signInReply->body.find("\nfeatures=ack,progress"), std::string::npos);
  EXPECT_EQ(workerOfSsid(made.ssid), 0u);
  EXPECT_TRUE(sentByBridge.empty());
  EXPECT_EQ(bridge().counters().sessions, 1u);

  Phone& caller = phone("2001");
  caller.call(kAnonymous);
  run(100ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 404);
}

TEST_F(SignInTest, ADnIsInWhenItsRegisterSucceedsAndNotBefore) {
  std::vector<sip::SendRequest> held;
  intercept = [&](const std::string&, const sip::SendRequest& sent) { return held.push_back(sent), true; };
  Page& made = page("1001");
  made.signIn("secret");
  run(10s);
  EXPECT_FALSE(made.signInReply);
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].request.to.uri.user, "1001");
  intercept = nullptr;
  sendSip("10.0.0.2:5060", sip::Outgoing(held[0]));
  run(100ms);
  ASSERT_TRUE(made.signInReply);
  EXPECT_EQ(made.signInReply->status, 200);
}

TEST_F(SignInTest, ARefusedRegisterReachesThePageAsItsReason) {
  registerStatus = 403;
  Page& made = page("1001");
  made.signIn("wrong");
  run(100ms);
  ASSERT_TRUE(made.signInReply);
  EXPECT_EQ(made.signInReply->status, 403);
  EXPECT_NE(made.signInReply->body.find("403"), std::string::npos) << made.signInReply->body;
  EXPECT_EQ(bridge().counters().sessions, 0u);
  EXPECT_EQ(bridge().counters().signInsRefused, 1u);
}

TEST_F(SignInTest, ASipServerThatStaysSilentEndsTheSignInAfterItsTime) {
  intercept = [&](const std::string&, const sip::SendRequest&) { return true; };
  Page& made = page("1001");
  made.signIn();
  run(40s);
  ASSERT_TRUE(made.signInReply);
  EXPECT_EQ(made.signInReply->status, 504);
  EXPECT_EQ(bridge().counters().sessions, 0u);
}

TEST_F(SignInTest, APageThatGoesWhileItsRegisterIsOpenLeavesNothing) {
  std::vector<sip::SendRequest> held;
  intercept = [&](const std::string&, const sip::SendRequest& sent) { return held.push_back(sent), true; };
  Page& made = page("1001");
  made.signIn();
  run(100ms);
  made.abortSignIn();
  intercept = nullptr;
  sendSip("10.0.0.2:5060", sip::Outgoing(held[0]));
  run(40s);
  EXPECT_FALSE(made.signInReply);
  EXPECT_TRUE(bridge().idle());
}

TEST_F(SignInTest, ASecondSignInTakesTheDnOverAndEndsTheFirstWithItsCall) {
  const auto [first, other] = pageTalksToPhone();
  const auto poll = first.waitReply;

  Page& second = signedIn("1001");
  run(1s);
  EXPECT_NE(second.ssid, first.ssid);
  ASSERT_EQ(other.ended.size(), 1u);
  EXPECT_TRUE(other.ended[0].byRemote);
  ASSERT_TRUE(first.waitReply);
  EXPECT_EQ(first.waitReply->status, 410);  // its poll was completed, and the next one is told why
  EXPECT_EQ(first.waitReply->body, "The DN has signed in elsewhere");
  EXPECT_EQ(bridge().counters().sessions, 1u);
  EXPECT_EQ(sentCount(sip::Method::Register), 2u);  // the first one's binding is not taken away

  other.call("1001");
  run(500ms);
  EXPECT_EQ(second.list(), "OFFER");
}

TEST_F(SignInTest, ASecondSignInThatFailsChangesNothing) {
  const auto [first, other] = pageTalksToPhone();
  registerStatus = 403;
  Page& second = page("1001");
  second.signIn("wrong");
  run(1s);
  EXPECT_EQ(second.signInReply->status, 403);
  expectMediaFlows(first, other);
  EXPECT_TRUE(other.ended.empty());
}

TEST_F(SignInTest, OfTwoSignInsThatWaitTheLaterOneWinsWhicheverIsDecidedFirst) {
  std::vector<sip::SendRequest> held;
  intercept = [&](const std::string&, const sip::SendRequest& sent) { return held.push_back(sent), true; };
  Page& first = page("1001");
  Page& second = page("1001");
  first.signIn();
  second.signIn();
  run(100ms);
  ASSERT_EQ(held.size(), 2u);
  intercept = nullptr;
  for (const auto index : {1, 0}) {
    sendSip("10.0.0.2:5060", sip::Outgoing(held[static_cast<std::size_t>(index)]));
    run(100ms);
  }
  ASSERT_TRUE(first.signInReply && second.signInReply);
  EXPECT_EQ(first.signInReply->status, 409);
  EXPECT_EQ(second.signInReply->status, 200);
  EXPECT_EQ(bridge().counters().sessions, 1u);
}

TEST_F(SignInTest, ARegistrationIsRefreshedWhileSignedInAndTakenBackAtSignOut) {
  Page& made = signedIn("1001");
  run(400s);
  EXPECT_GE(sentCount(sip::Method::Register), 2u);
  made.polls = false;
  made.signOut();
  run(1s);
  const auto& last = lastSent(sip::Method::Register);
  EXPECT_EQ(
      sip::findParameter(last.contacts.at(0).parameters, "expires").value_or(std::to_string(last.expires.value_or(9))),
      "0");
  ASSERT_TRUE(made.waitReply);
  EXPECT_EQ(made.waitReply->status, 200);  // the open poll was completed
  EXPECT_TRUE(made.waitReply->body.empty());
  EXPECT_TRUE(bridge().idle());
}

TEST_F(SignInTest, SignOutEndsTheCall) {
  const auto [made, other] = pageTalksToPhone();
  made.signOut();
  run(1s);
  EXPECT_EQ(other.ended.size(), 1u);
  made.post("BYE");  // it travels in parallel with the sign-out and comes second
  run(100ms);
  EXPECT_EQ(made.postReply->status, 200);
  expectNothingLeft();
}

TEST_F(SignInTest, ASilentSessionExpiresAndItsRingingCallEnds) {
  const auto [made, other] = pageCallsPhone(1s);
  ASSERT_TRUE(other.ringing());
  made.stopPolling();
  run(59s);
  EXPECT_EQ(bridge().counters().sessions, 1u);
  run(3s);
  EXPECT_EQ(bridge().counters().sessions, 0u);
  EXPECT_EQ(bridge().counters().sessionsExpired, 1u);
  EXPECT_EQ(other.ended.size(), 1u);
  expectNothingLeft();
}

TEST_F(SignInTest, ASessionThatPollsStaysForHours) {
  Page& made = signedIn(kAnonymous);
  run(std::chrono::hours(3));
  EXPECT_EQ(bridge().counters().sessions, 1u);
  EXPECT_EQ(made.waitReply->status, 200);
}

TEST_F(SignInTest, ASilentSessionIsNotExpiredWhileItsMediaConnectionLives) {
  for (const bool speaks : {true, false}) {
    Page& made = signedIn("1001");
    Phone& other = phone(speaks ? "2001" : "2002");
    establish(made, other);
    made.stopPolling();
    for (int i = 0; i < 30; ++i) {
      if (speaks)
        made.speak(
            {.sequenceNumber = static_cast<std::uint16_t>(i), .timestamp = static_cast<std::uint32_t>(i) * 80'000});
      run(10s);
    }
    EXPECT_TRUE(other.established()) << speaks;
    made.rtc.reset();  // the tab is closed: consent ends, and everything with it
    run(240s);
    EXPECT_FALSE(other.established()) << speaks;
    EXPECT_EQ(bridge().counters().sessions, 0u) << speaks;
  }
}

TEST_F(SignInTest, BadIdsAreRefused) {
  for (const std::string& id : {std::string(), std::string(200, '1'), std::string("10\r\n01")}) {
    Page& made = page(id);
    made.signIn();
    run(10ms);
    EXPECT_EQ(made.signInReply->status, 400) << id;
  }
  EXPECT_TRUE(sentByBridge.empty());
}

TEST_F(SignInTest, TheNumberOfSessionsIsLimited) {
  config.sessionsMax = 1;
  signedIn("1001");
  Page& second = page("1002");
  second.signIn();
  run(10ms);
  EXPECT_EQ(second.signInReply->status, 503);
  EXPECT_EQ(bridge().counters().limitsReached, 1u);
}

TEST_F(SignInTest, ShutdownAnswersEverybodyAndComesToRest) {
  const auto [talking, other] = pageTalksToPhone();
  intercept = [&](const std::string&, const sip::SendRequest& sent) { return sent.request.from.uri.user == "1002"; };
  Page& waiting = page("1002");
  waiting.signIn();
  run(100ms);
  bridge().shutdown(now());
  run(100ms);
  EXPECT_EQ(talking.list(), "BYE");
  ASSERT_TRUE(waiting.signInReply);
  EXPECT_EQ(waiting.signInReply->status, 503);
  EXPECT_EQ(other.ended.size(), 1u);
  run(100s);
  EXPECT_TRUE(bridge().idle());
  EXPECT_EQ(ports.openPairs(), 0u);
}

}  // namespace
}  // namespace crosspoint::bridge::test
