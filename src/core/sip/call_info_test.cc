// INFO in a call of ours: one after the other, none lost without a word.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using namespace std::chrono;
using namespace test;

TEST(CallInfo, InfosGoOneAfterTheOtherAndNoneHoldsUpTheBye) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "one", {{"X-Kind", "a"}}));
  for (const char* body : {"two", "three", "four"}) ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", body));
  const auto one = t.request(Method::Info);
  EXPECT_EQ(one.request.body, "one");
  EXPECT_EQ(one.request.extraHeaders.at(0).name, "X-Kind");
  EXPECT_TRUE(t.requests.empty()) << "what an INFO overtakes is refused (RFC 3261 §12.2.2)";
  t.respond(one, 200);
  const auto two = t.request(Method::Info);
  EXPECT_EQ(two.request.body, "two");
  EXPECT_EQ(two.request.cseq, one.request.cseq + 1);
  EXPECT_TRUE(t.requests.empty());
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.request(Method::Info).request.body, "three") << "what was said before the end still goes";
  EXPECT_EQ(t.request(Method::Info).request.body, "four");
  const auto bye = t.request(Method::Bye);
  EXPECT_EQ(bye.request.cseq, two.request.cseq + 3);
  t.event<Ended>();
  t.respond(bye, 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(CallInfo, AnInfoThatAnotherRequestHasOvertakenIsSentAgain) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "one", {{"X-Kind", "a"}}));
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "two"));
  auto info = t.request(Method::Info);
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "v=0 offer"));
  const auto invite = t.request(Method::Invite);
  t.respond(info, 500);
  info = t.request(Method::Info);
  EXPECT_EQ(info.request.body, "one");
  EXPECT_EQ(info.request.extraHeaders.at(0).name, "X-Kind");
  EXPECT_EQ(info.request.cseq, invite.request.cseq + 1);
  t.respond(info, 500);
  EXPECT_EQ(t.event<InfoFailed>().status, 500) << "nothing has overtaken it now";
  EXPECT_EQ(t.request(Method::Info).request.body, "two");
}

TEST(CallInfo, AnInfoThatIsOvertakenAgainAndAgainIsGivenUp) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "new"));
  auto invite = t.request(Method::Invite);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(t.count<InfoFailed>(), 0u);
    const auto info = t.request(Method::Info);
    t.challenge(invite, 401, "n" + std::to_string(i), i > 0);  // its repetition has a later number
    invite = t.request(Method::Invite);
    t.respond(info, 500);
  }
  EXPECT_EQ(t.event<InfoFailed>().status, 500);
  EXPECT_TRUE(t.requests.empty());
}

TEST(CallInfo, AnInfoWithoutAnswerHoldsUpTheNextOneForAMoment) {
  CallFixture t;
  t.establishOutgoing();
  for (const char* body : {"one", "two", "three"}) ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", body));
  const auto one = t.request(Method::Info);
  t.runFor(milliseconds(3900));
  EXPECT_TRUE(t.requests.empty());
  t.runFor(milliseconds(200));
  const auto two = t.request(Method::Info);
  EXPECT_EQ(two.request.body, "two");
  t.respond(one, 200);
  EXPECT_TRUE(t.requests.empty()) << "the second one is under way";
  t.challenge(two, 401, "n");
  EXPECT_EQ(t.request(Method::Info).request.body, "two");
  EXPECT_TRUE(t.requests.empty());
  t.runFor(seconds(4));
  EXPECT_EQ(t.request(Method::Info).request.body, "three");
  EXPECT_EQ(t.count<InfoFailed>(), 0u);
}

TEST(CallInfo, WhatWaitsWhenTheFarEndHangsUpIsToldToBeLost) {
  CallFixture t;
  t.establishOutgoing();
  for (const char* body : {"one", "two", "three"}) ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", body));
  t.receive(t.inDialog(Method::Bye));
  EXPECT_EQ(t.count<InfoFailed>(), 2u);
  EXPECT_EQ(t.event<InfoFailed>().status, 481);
  EXPECT_EQ(t.count<Ended>(), 1u);
}

TEST(CallInfo, AnInfoThatFailsIsToldAndTheCallGoesOn) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  t.respond(t.request(Method::Info), 415);
  EXPECT_EQ(t.event<InfoFailed>().status, 415);
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "y"));
  t.runFor(seconds(60));
  EXPECT_EQ(t.event<InfoFailed>().status, 408);
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "z"));
  t.requests.clear();
  EXPECT_EQ(t.count<Ended>(), 0u);
}

TEST(CallInfo, AnInfoAnsweredWith481EndsTheCall) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  t.respond(t.request(Method::Info), 481);
  EXPECT_EQ(t.event<Ended>().status, 481);
}

TEST(CallInfo, InfosThatWaitAreBounded) {
  CallFixture t;
  t.establishOutgoing();
  const std::string large(kBodyBytesMax, 'x');
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", large));
  EXPECT_EQ(t.agent.sendInfo(t.now, t.call, "text/plain", "x").error(), CommandError::TooMany);
  t.respond(t.request(Method::Info), 200);
  std::size_t sent = 0;
  while (sent < 1000 && t.agent.sendInfo(t.now, t.call, "text/plain", "x")) ++sent;
  EXPECT_EQ(sent, Limits{}.infosWaitingPerCall);
  EXPECT_EQ(t.agent.sendInfo(t.now, t.call, "text/plain", "x").error(), CommandError::TooMany);
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_LE(t.requests.size(), Limits{}.requestsPerCall + 1);
  t.request(Method::Bye);
}

}  // namespace
}  // namespace crosspoint::sip
