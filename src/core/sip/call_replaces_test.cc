// INVITE with Replaces, both ways (RFC 3891).
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::CallFixture;

// An INVITE of a third party that names the dialog `replaces`.
Request takingOver(Replaces replaces) {
  Request invite = CallFixture::inviteRequest();
  invite.from = test::address("sip:third@example.test", "third");
  invite.callId = "call-of-the-third";
  invite.replaces = std::move(replaces);
  return invite;
}

Replaces dialogOf(const CallFixture& t) { return {.callId = t.callId, .toTag = t.ourTag, .fromTag = t.farTag}; }

int statusOf(CallFixture& t, Replaces replaces) {
  t.receive(takingOver(std::move(replaces)));
  EXPECT_EQ(t.count<IncomingCall>(), 0u);
  return t.response().response.status;
}

TEST(Replaces, AnIncomingCallNamesTheCallWhosePlaceItTakes) {
  CallFixture t;
  t.establishOutgoing();
  Request invite = takingOver(dialogOf(t));
  invite.require = {"replaces"};
  invite.referredBy = test::address("sip:phone@example.test");
  t.receive(std::move(invite));
  const auto incoming = t.event<IncomingCall>();
  EXPECT_EQ(incoming.replaces, t.call);
  EXPECT_NE(incoming.call, t.call);
  ASSERT_TRUE(incoming.referredBy.has_value());
  EXPECT_EQ(incoming.referredBy->uri.user, "phone");
  EXPECT_TRUE(t.agent.accept(t.now, incoming.call, "answer"));
  EXPECT_EQ(t.response().response.status, 200);
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.request(Method::Bye).request.callId, t.callId);
}

TEST(Replaces, BothDirectionsOfTheReplacedCallAreFound) {
  CallFixture t;
  t.establishIncoming();
  t.receive(takingOver(dialogOf(t)));
  EXPECT_EQ(t.event<IncomingCall>().replaces, t.call);
}

TEST(Replaces, ADialogOfNobodyIs481) {
  CallFixture t;
  t.establishOutgoing();
  Replaces otherCall = dialogOf(t), otherTo = dialogOf(t), otherFrom = dialogOf(t);
  otherCall.callId += "x";
  otherTo.toTag += "x";
  otherFrom.fromTag += "x";
  EXPECT_EQ(statusOf(t, otherCall), 481);
  EXPECT_EQ(statusOf(t, otherTo), 481);
  EXPECT_EQ(statusOf(t, otherFrom), 481);
  EXPECT_EQ(statusOf(t, {.callId = t.callId, .toTag = t.farTag, .fromTag = t.ourTag}), 481) << "the tags exchanged";
}

TEST(Replaces, ACallThatHasEndedIs603WhileItIsKnownAnd481After) {
  CallFixture t;
  t.establishOutgoing();
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  const auto bye = t.request(Method::Bye);
  EXPECT_EQ(statusOf(t, dialogOf(t)), 603);
  t.respond(bye, 200);
  EXPECT_EQ(statusOf(t, dialogOf(t)), 481);
}

TEST(Replaces, EarlyOnlyIsRefusedOnceTheCallIsAnswered) {
  CallFixture t;
  t.establishOutgoing();
  Replaces early = dialogOf(t);
  early.earlyOnly = true;
  EXPECT_EQ(statusOf(t, early), 486);
}

TEST(Replaces, AnEarlyDialogOfOursMayBeReplacedAnotherMayNot) {
  CallFixture calling;
  const auto invite = calling.startCall();
  calling.respond(invite, 180);
  Replaces early = dialogOf(calling);
  early.earlyOnly = true;
  calling.receive(takingOver(early));
  EXPECT_EQ(calling.event<IncomingCall>().replaces, calling.call);

  CallFixture called;
  called.startIncoming();
  EXPECT_TRUE(called.agent.ring(called.now, called.call));
  called.ourTag = called.response().response.to.tag;
  EXPECT_EQ(statusOf(called, dialogOf(called)), 481) << "RFC 3891 §3";
}

TEST(Replaces, SeveralOrOnesThatCannotBeReadAre400AndSoIsOneInAnotherRequest) {
  CallFixture t;
  t.establishOutgoing();
  Request bad = takingOver(dialogOf(t));
  bad.replacesBad = true;
  t.receive(std::move(bad));
  EXPECT_EQ(t.response().response.status, 400);
  Request info = t.inDialog(Method::Info);
  info.replaces = dialogOf(t);
  t.receive(std::move(info));
  EXPECT_EQ(t.response().response.status, 400);
  EXPECT_TRUE(t.silent());
}

TEST(Replaces, OurInviteCarriesItAndWhoAsked) {
  CallFixture t;
  const Replaces replaces{.callId = "x@y", .toTag = "a", .fromTag = "b"};
  ASSERT_TRUE(t.agent.invite(t.now, {.fromUser = "1020",
                                     .to = "sip:1022@198.51.100.9:5062",
                                     .sdp = "offer",
                                     .replaces = replaces,
                                     .referredBy = test::address("sip:phone@example.test")}));
  const auto invite = t.request(Method::Invite);
  EXPECT_EQ(invite.request.replaces, replaces);
  EXPECT_EQ(invite.request.referredBy->uri.user, "phone");
  EXPECT_EQ(t.agent.invite(t.now, {.fromUser = "1020", .to = "1022", .replaces = Replaces{"", "a", "b"}}).error(),
            CommandError::BadParameter);
}

TEST(Replaces, OneOfTwoAgentsFindsWhatTheOtherNames) {
  // A has a call with B and consults C; C's agent must find the consultation by what A's dialogOf() says.
  CallFixture a, c;
  a.startCall();
  const auto started = a.agent.invite(a.now, {.fromUser = "1020", .to = "1022", .sdp = "offer"});
  ASSERT_TRUE(started.has_value());
  const auto consultation = a.request(Method::Invite);
  Request received = consultation.request;
  received.contacts = {test::address("sip:1020@192.0.2.1:5070")};
  c.receive(received);
  c.call = c.event<IncomingCall>().call;
  EXPECT_TRUE(c.agent.accept(c.now, c.call, "answer"));
  a.handle(ResponseReceived{consultation.id, c.response().response});
  const auto named = a.agent.dialogOf(*started);
  ASSERT_TRUE(named.has_value());
  c.receive(takingOver(*named));
  EXPECT_EQ(c.event<IncomingCall>().replaces, c.call);
}

}  // namespace
}  // namespace crosspoint::sip
