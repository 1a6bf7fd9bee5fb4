// What else the early dialogs of a call of ours do: requests before the answer, and answers after the end.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::CallFixture;

// A call that rang in two branches, was answered in one and is over.
SendRequest endedAfterForking(CallFixture& t) {
  const auto invite = t.startCall();
  t.respond(invite, 180, "winner");
  t.respond(invite, 180, "slow");
  t.respond(invite, 200, "winner", "answer");
  t.ack();
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  t.respond(t.request(Method::Bye), 200, "winner");
  t.event<Ended>();
  return invite;
}

TEST(ForkedCall, EndsABranchThatAnswersAfterTheCallIsOver) {
  CallFixture t;
  const auto invite = endedAfterForking(t);
  t.runFor(seconds(5));
  t.respond(invite, 200, "slow", "late answer");
  EXPECT_EQ(t.ack().request.to.tag, "slow");
  const auto bye = t.request(Method::Bye);
  EXPECT_EQ(bye.request.to.tag, "slow");
  t.respond(invite, 200, "slow", "late answer");
  EXPECT_EQ(t.ack().request.to.tag, "slow") << "for each repetition";
  EXPECT_EQ(t.count<Answered>(), 1u) << "the winner's";
  t.expectNothingLeftAfter(seconds(40));
}

TEST(ForkedCall, WaitsNoLongerForItsBranchesThanTheirAnswersMayCome) {
  CallFixture t;
  endedAfterForking(t);
  t.runFor(Timers{}.ackWait - seconds(1));
  EXPECT_EQ(t.agent.callCount(), 1u);
  t.expectNothingLeftAfter(seconds(1));
}

TEST(ForkedCall, WaitsForNobodyAfterTheEndIfNoOtherBranchWasHeardOf) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 180, "winner");
  t.respond(invite, 180, "gone");
  t.respond(invite, 199, "gone");
  t.respond(invite, 200, "winner", "answer");
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.respond(t.request(Method::Bye), 200, "winner");
  t.expectNothingLeftAfter(seconds(0));
}

TEST(ForkedCall, EndsABranchThatAnswersAfterAReInvite) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 180, "slow");
  t.respond(invite, 200, "far", "answer");
  t.ack();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "held"));
  t.respond(t.request(Method::Invite), 200, "far", "held answer");
  t.ack();
  t.respond(invite, 200, "slow", "late answer");
  EXPECT_EQ(t.ack().request.to.tag, "slow");
  EXPECT_EQ(t.request(Method::Bye).request.to.tag, "slow");
}

TEST(EarlyDialog, RefusesAnInviteOfTheFarEndAsAGlareAndGoesOn) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 180);
  t.receive(t.inDialog(Method::Invite, "their offer"));
  EXPECT_EQ(t.response().response.status, 491);
  t.respond(invite, 200, "far", "answer");
  EXPECT_EQ(t.event<Answered>().sdp, "answer");
}

TEST(EarlyDialog, RefusesTransfersAndUnknownRequestsWithoutDenyingTheDialog) {
  CallFixture t;
  t.respond(t.startCall(), 180);
  Request refer = t.inDialog(Method::Refer);
  refer.referTo = test::address("sip:1022@example.test");
  t.receive(std::move(refer));
  EXPECT_EQ(t.response().response.status, 403);
  t.receive(t.inDialog(Method::Message));
  EXPECT_EQ(t.response().response.status, 405);
  t.receive(t.inDialog(Method::Bye));
  EXPECT_EQ(t.response().response.status, 481) << "a callee ends an early dialog with a final response (§15)";
}

TEST(ReInvite, AProvisionalResponseThatItsFinalOneHasOvertakenIsNotTheAnswerToTheNext) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "first"));
  const auto first = t.request(Method::Invite);
  t.respond(first, 200, "far", "first answer");
  t.ack();
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "first answer");
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "second"));
  const auto second = t.request(Method::Invite);
  t.respondReliably(first, 183, 1, "late");
  EXPECT_TRUE(t.silent());
  t.respond(second, 200, "far", "second answer");
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "second answer");
}

// RFC 3261 §19.1.1, table 1.
TEST(RequestUri, HasNeitherTheHeadersNorTheMethodOfAContact) {
  CallFixture t;
  const auto first = t.startCall();
  Response moved = t.makeReply(first, 302);
  moved.contacts = {test::address("sip:1022@192.0.2.50;method=INVITE;user=phone?Subject=x")};
  t.handle(ResponseReceived{first.id, std::move(moved)});
  const auto second = t.request(Method::Invite);
  EXPECT_EQ(second.request.uri.toString(), "sip:1022@192.0.2.50;user=phone");
  Response answer = t.makeReply(second, 200, "far", "answer");
  answer.contacts = {test::address("sip:phone@192.0.2.51;Method=BYE?Subject=x")};
  t.handle(ResponseReceived{second.id, std::move(answer)});
  EXPECT_EQ(t.ack().request.uri.toString(), "sip:phone@192.0.2.51");
}

TEST(Info, OfAPackageIsRefusedBecauseNoneWasOffered) {
  CallFixture t;
  t.establishOutgoing();
  Request info = t.inDialog(Method::Info);
  info.extraHeaders = {{"info-package", "conference"}};
  t.receive(std::move(info));
  const auto refusal = t.response().response;
  EXPECT_EQ(refusal.status, 469);
  ASSERT_EQ(refusal.extraHeaders.size(), 1u);
  EXPECT_EQ(refusal.extraHeaders[0], (Header{"Recv-Info", ""}));
  EXPECT_EQ(t.count<InfoReceived>(), 0u);
}

}  // namespace
}  // namespace crosspoint::sip
