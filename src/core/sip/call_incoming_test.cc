// Incoming calls: rung, answered, refused, cancelled, never acknowledged.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::AgentFixture;
using test::CallFixture;

TEST(IncomingCall, IsToldRungAnsweredAndConfirmed) {
  CallFixture t;
  Request invite = t.inviteRequest();
  invite.from.display = "Ann";
  invite.extraHeaders = {{"X-Data", "1"}};
  invite.recordRoutes = {test::address("sip:192.0.2.9;lr")};
  const auto id = t.receive(invite);
  const auto incoming = t.event<IncomingCall>();
  t.call = incoming.call;
  EXPECT_EQ(incoming.toUser, "1020");
  EXPECT_EQ(incoming.fromUser, "phone");
  EXPECT_EQ(incoming.fromDisplay, "Ann");
  EXPECT_EQ(incoming.sdp, "offer");
  EXPECT_EQ(incoming.extraHeaders, invite.extraHeaders);
  EXPECT_EQ(incoming.source.toString(), "192.0.2.9:5060");

  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  const auto ringing = t.response();
  EXPECT_EQ(ringing.id, id);
  EXPECT_EQ(ringing.response.status, 180);
  EXPECT_TRUE(ringing.response.to.tag.starts_with("w1"));
  EXPECT_EQ(ringing.response.recordRoutes, invite.recordRoutes);

  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer", {{"X-Back", "2"}}));
  const auto ok = t.response();
  EXPECT_EQ(ok.id, id);
  EXPECT_EQ(ok.response.status, 200);
  EXPECT_EQ(ok.response.body, "answer");
  EXPECT_EQ(ok.response.to.tag, ringing.response.to.tag);
  EXPECT_EQ(ok.response.contacts.at(0).uri.toString(), "sip:1020@192.0.2.1:5070");
  EXPECT_EQ(ok.response.extraHeaders.at(0).name, "X-Back");

  t.callId = invite.callId;
  t.farCseq = invite.cseq;
  t.ourTag = ok.response.to.tag;
  t.handle(AckReceived{t.inDialog(Method::Ack)});
  EXPECT_FALSE(t.event<Confirmed>().sdp.has_value());
  t.handle(AckReceived{t.inDialog(Method::Ack)});
  EXPECT_TRUE(t.silent()) << "a repeated ACK says nothing";

  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  const auto bye = t.request(Method::Bye);
  EXPECT_EQ(bye.request.uri.toString(), "sip:phone@198.51.100.7:5062");
  EXPECT_EQ(bye.destination.host, "192.0.2.9");
  EXPECT_EQ(bye.request.from.tag, ok.response.to.tag);
  EXPECT_EQ(bye.request.to.tag, "far");
  t.respond(bye, 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(IncomingCall, SendsEarlyMediaOnlyAsAnAnswer) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "early"));
  const auto progress = t.response();
  EXPECT_EQ(progress.response.status, 183);
  EXPECT_EQ(progress.response.body, "early");

  CallFixture noOffer;
  noOffer.startIncoming("");
  ASSERT_TRUE(noOffer.agent.progress(noOffer.now, noOffer.call, "early"));
  EXPECT_TRUE(noOffer.response().response.body.empty());
}

TEST(IncomingCall, WithoutOfferGetsOursAndItsAckBringsTheAnswer) {
  CallFixture t;
  t.startIncoming("");
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "our offer"));
  const auto ok = t.response();
  EXPECT_EQ(ok.response.body, "our offer");
  t.ourTag = ok.response.to.tag;
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "x").error(), CommandError::OfferPending);
  t.handle(AckReceived{t.inDialog(Method::Ack, "their answer")});
  EXPECT_EQ(t.event<Confirmed>().sdp, "their answer");
}

TEST(IncomingCall, WithoutOfferWhoseAckHasNoAnswerIsEnded) {
  CallFixture t;
  t.startIncoming("");
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "our offer"));
  t.ourTag = t.response().response.to.tag;
  t.handle(AckReceived{t.inDialog(Method::Ack)});
  t.request(Method::Bye);
  EXPECT_EQ(t.event<Ended>().status, 488);
}

TEST(IncomingCall, IsRefusedWithAnyFinalStatus) {
  CallFixture t;
  const auto id = t.startIncoming();
  EXPECT_EQ(t.agent.reject(t.now, t.call, 200).error(), CommandError::BadParameter);
  ASSERT_TRUE(t.agent.reject(t.now, t.call, 486, "In a call\r\n"));
  const auto busy = t.response();
  EXPECT_EQ(busy.id, id);
  EXPECT_EQ(busy.response.status, 486);
  EXPECT_EQ(busy.response.reason, "In a call");
  EXPECT_EQ(t.event<Ended>().status, 486);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(IncomingCall, IsCancelledWithTheReasonThatTheFarEndGives) {
  CallFixture t;
  const auto id = t.startIncoming();
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  t.response();
  t.handle(CancelReceived{id, {{"SIP", 200, "Call completed elsewhere"}}});
  const auto terminated = t.response();
  EXPECT_EQ(terminated.response.status, 487);
  const auto ended = t.event<Ended>();
  EXPECT_EQ(ended.status, 487);
  EXPECT_TRUE(ended.byRemote);
  EXPECT_EQ(ended.cause, 200u);
  EXPECT_EQ(ended.reason, "Call completed elsewhere");
  t.expectNothingLeftAfter(seconds(0));
  EXPECT_EQ(t.agent.accept(t.now, t.call, "answer").error(), CommandError::UnknownCall);
}

TEST(IncomingCall, CancelAfterTheAnswerChangesNothing) {
  CallFixture t;
  const auto id = t.startIncoming();
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  t.response();
  t.handle(CancelReceived{id, {}});
  EXPECT_TRUE(t.silent());
}

TEST(IncomingCall, EndedByByeBeforeItsAnswer) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  t.ourTag = t.response().response.to.tag;
  t.receive(t.inDialog(Method::Bye));
  EXPECT_EQ(t.response().response.status, 200);
  EXPECT_EQ(t.response().response.status, 487);
  EXPECT_TRUE(t.event<Ended>().byRemote);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(IncomingCall, HungUpBeforeTheAckWaitsForItWithTheBye) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  t.ourTag = t.response().response.to.tag;
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.event<Ended>();
  EXPECT_TRUE(t.silent()) << "RFC 3261 §15";
  t.handle(AckReceived{t.inDialog(Method::Ack)});
  t.respond(t.request(Method::Bye), 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(IncomingCall, WhoseAnswerIsNeverAcknowledgedIsEnded) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  t.runFor(seconds(32));
  t.request(Method::Bye);
  EXPECT_EQ(t.event<Ended>().status, 408);
  t.expectNothingLeftAfter(seconds(40));
}

TEST(IncomingCall, ThatTheOwnerLeavesAloneIsEndedAfterTheRingLimit) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  t.runFor(Timers{}.ringMax);
  EXPECT_EQ(t.responses.size(), 4u) << "180 each minute, then the end";
  EXPECT_EQ(t.responses.back().response.status, 480);
  EXPECT_EQ(t.event<Ended>().status, 480);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(IncomingCall, HangUpOfAnUnansweredOneRefusesIt) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.response().response.status, 480);
  t.event<Ended>();
  t.expectNothingLeftAfter(seconds(0));
}

TEST(IncomingCall, CommandsInTheWrongStateAreRefusedByName) {
  CallFixture t;
  t.establishIncoming();
  EXPECT_EQ(t.agent.ring(t.now, t.call).error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.progress(t.now, t.call, "x").error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.accept(t.now, t.call, "x").error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.reject(t.now, t.call, 486).error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.answerOffer(t.now, t.call, "x").error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.rejectOffer(t.now, t.call, 488).error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.ring(t.now, CallId{999}).error(), CommandError::UnknownCall);
  EXPECT_EQ(t.agent.sendInfo(t.now, t.call, "text/plain", std::string(kBodyBytesMax + 1, 'x')).error(),
            CommandError::BadParameter);
  EXPECT_TRUE(t.silent());
}

TEST(IncomingCall, BeyondTheLimitIsRefusedWith503) {
  Config config = test::defaultConfig();
  config.limits.calls = 3;
  AgentFixture t(config);
  for (int i = 0; i < 100; ++i) {
    Request invite = t.inviteRequest();
    invite.callId += std::to_string(i);
    t.receive(std::move(invite));
  }
  EXPECT_EQ(t.count<IncomingCall>(), 3u);
  EXPECT_EQ(t.responses.size(), 97u);
  EXPECT_EQ(t.response().response.status, 503);
  EXPECT_EQ(t.agent.counters().callsRefusedByLimit, 97u);
  EXPECT_EQ(t.agent.invite(t.now, {.fromUser = "1", .to = "2", .sdp = "o"}).error(), CommandError::TooMany);
}

TEST(IncomingCall, FloodOfAnsweredAndEndedCallsStaysBounded) {
  Config config = test::defaultConfig();
  config.limits.calls = 10;
  CallFixture t(config);
  for (int i = 0; i < 1000; ++i) {
    Request invite = t.inviteRequest();
    invite.callId += std::to_string(i);
    t.receive(std::move(invite));
    if (t.count<IncomingCall>() == 0) continue;
    const auto call = t.event<IncomingCall>().call;
    ASSERT_TRUE(t.agent.accept(t.now, call, "answer"));
    ASSERT_TRUE(t.agent.hangUp(t.now, call));
  }
  EXPECT_LE(t.agent.callCount(), 20u);
  t.expectNothingLeftAfter(seconds(100));
}

}  // namespace
}  // namespace crosspoint::sip
