// Re-INVITE in both directions: hold and resume, glare, refusals, timeouts.
#include <gtest/gtest.h>

#include "core/sip/offer_fixture.h"

namespace crosspoint::sip {
namespace {

using test::CallFixture;

TEST(ReInvite, OfOursIsAnsweredAndAcknowledged) {
  CallFixture t;
  const auto first = t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  const auto invite = t.request(Method::Invite);
  EXPECT_EQ(invite.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(invite.request.to.tag, "far");
  EXPECT_EQ(invite.request.body, "hold");
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "again").error(), CommandError::OfferPending);
  Response answer = t.makeReply(invite, 200, "far", "held");
  answer.contacts = {test::address("sip:phone@203.0.113.1")};
  t.handle(ResponseReceived{invite.id, answer});
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "held");
  const auto ack = t.ack();
  EXPECT_EQ(ack.request.cseq, invite.request.cseq);
  EXPECT_EQ(ack.request.uri.host, "203.0.113.1") << "a 2xx to a re-INVITE refreshes the target";
  t.handle(ResponseReceived{invite.id, answer});
  t.ack();
  EXPECT_TRUE(t.silent());
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "resume"));
}

TEST(ReInvite, OfTheFarEndIsHandedUpAndAnswered) {
  CallFixture t;
  t.establishIncoming();
  const auto id = t.receive(t.inDialog(Method::Invite, "hold"));
  EXPECT_EQ(t.event<OfferReceived>().sdp, "hold");
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "x").error(), CommandError::OfferPending);
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "held"));
  const auto ok = t.response();
  EXPECT_EQ(ok.id, id);
  EXPECT_EQ(ok.response.status, 200);
  EXPECT_EQ(ok.response.body, "held");
  t.handle(AckReceived{t.inDialog(Method::Ack)});
  EXPECT_TRUE(t.silent());
  t.runFor(100s);
  EXPECT_TRUE(t.silent());
}

TEST(ReInvite, OfTheFarEndMovesTheTarget) {
  CallFixture t;
  t.establishOutgoing();
  Request invite = t.inDialog(Method::Invite, "moved");
  invite.contacts = {test::address("sip:phone@203.0.113.50:7000")};
  t.receive(std::move(invite));
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "ok"));
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.request(Method::Bye).request.uri.toString(), "sip:phone@203.0.113.50:7000");
}

TEST(ReInvite, WithoutOfferGetsOursAndItsAckBringsTheAnswer) {
  CallFixture t;
  t.establishOutgoing();
  t.receive(t.inDialog(Method::Invite));
  EXPECT_FALSE(t.event<OfferReceived>().sdp.has_value());
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our offer"));
  EXPECT_EQ(t.response().response.body, "our offer");
  t.handle(AckReceived{t.inDialog(Method::Ack, "their answer")});
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "their answer");
}

TEST(ReInvite, OfOursWithoutOfferAsksForTheirs) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, std::nullopt));
  const auto invite = t.request(Method::Invite);
  EXPECT_TRUE(invite.request.body.empty());
  t.respond(invite, 200, "far", "their offer");
  EXPECT_EQ(t.event<OfferReceived>().sdp, "their offer");
  EXPECT_TRUE(t.acks.empty());
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer"));
  EXPECT_EQ(t.ack().request.body, "our answer");
}

TEST(ReInvite, RefusedLeavesTheCallAsItWas) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "video"));
  t.respond(t.request(Method::Invite), 488);
  EXPECT_EQ(t.event<OfferFailed>().status, 488);
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "audio"));

  CallFixture far;
  far.establishIncoming();
  far.receive(far.inDialog(Method::Invite, "video"));
  ASSERT_TRUE(far.agent.rejectOffer(far.now, far.call, 488));
  EXPECT_EQ(far.response().response.status, 488);
  EXPECT_TRUE(far.agent.reInvite(far.now, far.call, "audio"));
}

TEST(ReInvite, IsChallengedLikeAnyRequest) {
  CallFixture t;
  t.establishOutgoing();
  test::expectChallengeAnswered(t, Method::Invite, 407);
}

TEST(ReInvite, AnsweredWith481Or408OrNotAtAllEndsTheCall) {
  for (const int status : {481, 408, 0}) {
    CallFixture t;
    t.establishOutgoing();
    test::expectEndOfCall(t, Method::Invite, status);
  }
}

TEST(ReInvite, ThatOnlyRingsIsCancelledAndEndsTheCall) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  t.respond(t.request(Method::Invite), 180);
  t.runFor(Timers{}.ringMax);
  EXPECT_EQ(t.cancels.size(), 1u);
  EXPECT_EQ(t.count<Ended>(), 0u);
  t.runFor(32s);
  EXPECT_EQ(t.event<Ended>().status, 408);
  t.expectNothingLeftAfter(35s);
}

TEST(ReInvite, OfTheFarEndIsRefusedWith491WhileOursIsOnItsWay) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  t.receive(t.inDialog(Method::Invite, "their hold"));
  EXPECT_EQ(t.response().response.status, 491);
  EXPECT_EQ(t.count<OfferReceived>(), 0u);
  t.respond(t.request(Method::Invite), 200, "far", "held");
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "held");
}

TEST(ReInvite, OfOursRefusedWith491IsTriedAgainAfter2To4SecondsByTheOwnerOfTheCallId) {
  CallFixture t;
  t.establishOutgoing();
  test::expectTriedAgainByTheOwner(t, Method::Invite);
}

TEST(ReInvite, OfOursRefusedWith491IsTriedAgainWithin2SecondsByTheOther) {
  CallFixture t;
  t.establishIncoming();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  t.respond(t.request(Method::Invite), 491);
  t.runFor(2s);
  t.request(Method::Invite);
}

TEST(ReInvite, ThatWaitsAfterAGlareGivesWayToTheirs) {
  CallFixture t;
  t.establishOutgoing();
  test::expectWayGiven(t, Method::Invite);
}

TEST(ReInvite, DoesNotGoRoundForeverWith491) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  for (int i = 0; i < 100 && t.count<OfferFailed>() == 0; ++i) {
    t.respond(t.request(Method::Invite), 491);
    t.runFor(4s);
  }
  EXPECT_EQ(t.event<OfferFailed>().status, 491);
  EXPECT_LT(t.agent.counters().glares, 10u);
}

TEST(ReInvite, BeforeTheAckWaitsForIt) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  t.ourTag = t.response().response.to.tag;
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "more"));
  EXPECT_TRUE(t.silent());
  t.handle(AckReceived{t.inDialog(Method::Ack)});
  EXPECT_EQ(t.request(Method::Invite).request.body, "more");
}

TEST(ReInvite, ASecondOneOfTheFarEndBeforeTheFirstIsAnsweredGets500) {
  CallFixture t;
  t.establishOutgoing();
  t.receive(t.inDialog(Method::Invite, "one"));
  t.receive(t.inDialog(Method::Invite, "two"));
  const auto response = t.response();
  EXPECT_EQ(response.response.status, 500);
  ASSERT_TRUE(response.response.retryAfter.has_value());
  EXPECT_LE(*response.response.retryAfter, 10u);
  EXPECT_EQ(t.count<OfferReceived>(), 1u);
}

TEST(ReInvite, TakenBackByTheFarEndIsWithdrawn) {
  CallFixture t;
  t.establishOutgoing();
  test::expectWithdrawn(t);
  EXPECT_EQ(t.agent.answerOffer(t.now, t.call, "x").error(), CommandError::WrongState);
  EXPECT_EQ(t.count<Ended>(), 0u);
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "audio"));
}

TEST(ReInvite, ThatTheOwnerLeavesAloneIsRefusedInTime) {
  CallFixture t;
  t.establishOutgoing();
  test::expectRefusedAfter(t, Method::Invite, Timers{}.offerWait);
}

TEST(ReInvite, WhoseAnswerIsNeverAcknowledgedEndsTheCall) {
  CallFixture t;
  t.establishOutgoing();
  t.receive(t.inDialog(Method::Invite, "hold"));
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "held"));
  t.runFor(32s);
  t.request(Method::Bye);
  EXPECT_EQ(t.event<Ended>().status, 408);
}

TEST(ReInvite, OnItsWayDoesNotHoldUpABye) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  const auto invite = t.request(Method::Invite);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.event<Ended>();
  t.respond(t.request(Method::Bye), 200);
  t.respond(invite, 200, "far", "held");
  t.ack();
  EXPECT_TRUE(t.events.empty());
  t.expectNothingLeftAfter(0s);
}

TEST(ReInvite, PendingOfTheFarEndIsAnsweredWhenWeHangUp) {
  CallFixture t;
  t.establishOutgoing();
  t.receive(t.inDialog(Method::Invite, "hold"));
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.response().response.status, 487);
  t.respond(t.request(Method::Bye), 200);
  t.expectNothingLeftAfter(0s);
}

}  // namespace
}  // namespace crosspoint::sip
