// UPDATE in both directions (RFC 3311), before and after the answer; crossings with re-INVITE, BYE and CANCEL.
#include <gtest/gtest.h>

#include "core/sip/call.h"
#include "core/sip/offer_fixture.h"

namespace crosspoint::sip {
namespace {

using test::UpdateFixture;

// ---- Established ----

TEST(Update, OfTheFarEndWithoutABodyIsAnsweredAndMovesTheTarget) {
  UpdateFixture t;
  t.establish();
  Request update = t.inDialog(Method::Update);
  update.contacts = {test::address("sip:phone@203.0.113.50:7000")};
  t.receive(std::move(update));
  const auto ok = t.response();
  EXPECT_EQ(ok.response.status, 200);
  EXPECT_EQ(ok.response.contacts.size(), 1u);
  EXPECT_TRUE(ok.response.body.empty());
  EXPECT_TRUE(hasOption(ok.response.allow, "UPDATE"));
  EXPECT_TRUE(t.silent());
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.request(Method::Bye).request.uri.toString(), "sip:phone@203.0.113.50:7000");
}

TEST(Update, OfTheFarEndWithAnOfferIsHandedUpAndAnswered) {
  UpdateFixture t;
  t.establish();
  const auto id = t.receive(t.inDialog(Method::Update, "moved"));
  const auto offer = t.event<OfferReceived>();
  EXPECT_EQ(offer.sdp, "moved");
  EXPECT_TRUE(offer.update);
  EXPECT_FALSE(offer.early);
  EXPECT_FALSE(offer.unchanged);
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "x").error(), CommandError::OfferPending);
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "ok"));
  const auto ok = t.response();
  EXPECT_EQ(ok.id, id);
  EXPECT_EQ(ok.response.body, "ok");
  t.receive(t.inDialog(Method::Update, "moved"));
  EXPECT_TRUE(t.event<OfferReceived>().unchanged);
  ASSERT_TRUE(t.agent.rejectOffer(t.now, t.call, 488));
  EXPECT_EQ(t.response().response.status, 488);
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "x"));
}

TEST(Update, OfTheFarEndThatTheOwnerLeavesAloneIsRefusedInTime) {
  UpdateFixture t;
  t.establish();
  test::expectRefusedAfter(t, Method::Update, Timers{}.updateWait);
}

TEST(Update, OfOursIsAnswered) {
  UpdateFixture t;
  const auto invite = t.establish();
  ASSERT_TRUE(t.agent.update(t.now, t.call, "new port"));
  const auto update = t.request(Method::Update);
  EXPECT_EQ(update.request.body, "new port");
  EXPECT_EQ(update.request.cseq, invite.request.cseq + 1);
  EXPECT_EQ(update.request.contacts.size(), 1u);
  EXPECT_EQ(t.agent.update(t.now, t.call, "x").error(), CommandError::OfferPending);
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "x").error(), CommandError::OfferPending);
  Response ok = t.makeReply(update, 200, "far", "their answer");
  ok.contacts = {test::address("sip:phone@203.0.113.1")};
  t.handle(ResponseReceived{update.id, ok});
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "their answer");
  EXPECT_TRUE(t.acks.empty());
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_EQ(t.request(Method::Bye).request.uri.host, "203.0.113.1");
}

TEST(Update, OfOursIsForFarEndsThatAllowItAndRemembersOneThatDoesNot) {
  UpdateFixture t;
  t.establish(0, SessionExpires::Refresher::Uac, false);
  EXPECT_EQ(t.agent.update(t.now, t.call, "x").error(), CommandError::WrongState);
  UpdateFixture liar;
  liar.establish();
  ASSERT_TRUE(liar.agent.update(liar.now, liar.call, "x"));
  liar.respond(liar.request(Method::Update), 405);
  EXPECT_EQ(liar.event<OfferFailed>().status, 405);
  EXPECT_EQ(liar.agent.update(liar.now, liar.call, "x").error(), CommandError::WrongState);
  EXPECT_TRUE(liar.agent.reInvite(liar.now, liar.call, "x"));
}

TEST(Update, OfOursIsChallengedLikeAnyRequest) {
  UpdateFixture t;
  t.establish();
  test::expectChallengeAnswered(t, Method::Update, 401);
}

TEST(Update, AnsweredWith481Or408OrNotAtAllEndsTheCall) {
  for (const int status : {481, 408, 0}) {
    UpdateFixture t;
    t.establish();
    test::expectEndOfCall(t, Method::Update, status);
  }
}

// ---- Two at once ----

TEST(OfferCrossing, AnUpdateThatMeetsOurOfferGets491WhateverCarriesOurs) {
  for (const auto carrier : {Method::Update, Method::Invite}) {
    UpdateFixture t;
    t.establish();
    ASSERT_TRUE(test::offer(t, carrier, "ours"));
    t.receive(t.inDialog(Method::Update, "theirs"));
    EXPECT_EQ(t.response().response.status, 491);
    t.receive(t.inDialog(Method::Invite, "theirs"));
    EXPECT_EQ(t.response().response.status, 491);
    t.receive(t.inDialog(Method::Update));
    EXPECT_EQ(t.response().response.status, 200) << "without an offer nothing collides";
    test::expectAnswered(t, t.request(carrier));
  }
}

TEST(OfferCrossing, AnUpdateMeetsOurRequestForAnOffer) {
  UpdateFixture t;
  t.establish();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, std::nullopt));
  t.receive(t.inDialog(Method::Update, "theirs"));
  EXPECT_EQ(t.response().response.status, 491);
}

TEST(OfferCrossing, WhatComesBeforeTheAnswerToTheirOfferIsAskedToComeLater) {
  for (const auto first : {Method::Update, Method::Invite}) {
    for (const auto second : {Method::Update, Method::Invite}) {
      UpdateFixture t;
      t.establish();
      t.receive(t.inDialog(first, "one"));
      t.event<OfferReceived>();
      t.receive(t.inDialog(second, "two"));
      const auto later = t.response();
      EXPECT_EQ(later.response.status, 500);
      EXPECT_LE(later.response.retryAfter.value_or(99), 10u);
      EXPECT_EQ(t.count<OfferReceived>(), 0u);
      ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "answer"));
      EXPECT_EQ(t.response().response.body, "answer");
    }
  }
}

TEST(OfferCrossing, AnUpdateOfOursRefusedWith491IsTriedAgainAfter2To4SecondsByTheOwnerOfTheCallId) {
  UpdateFixture t;
  t.establish();
  test::expectTriedAgainByTheOwner(t, Method::Update);
}

TEST(OfferCrossing, A500WithRetryAfterIsObeyed) {
  for (const auto carrier : {Method::Update, Method::Invite}) {
    UpdateFixture t;
    t.establish();
    ASSERT_TRUE(test::offer(t, carrier, "ours"));
    const auto sent = t.request(carrier);
    Response later = t.makeReply(sent, 500);
    later.retryAfter = 3;
    t.handle(ResponseReceived{sent.id, later});
    t.runFor(3s - 1us);
    EXPECT_TRUE(t.requests.empty());
    t.runFor(1us);
    t.respond(t.request(carrier), 500);
    EXPECT_EQ(t.event<OfferFailed>().status, 500);
  }
}

TEST(OfferCrossing, AnUpdateOfOursThatWaitsGivesWayToTheirs) {
  UpdateFixture t;
  t.establish();
  test::expectWayGiven(t, Method::Update);
}

TEST(OfferCrossing, AByeAnswersWhatIsOpenOfTheirs) {
  for (const bool byUs : {true, false}) {
    UpdateFixture t;
    t.establish();
    const auto id = t.receive(t.inDialog(Method::Update, "theirs"));
    if (byUs) {
      ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
      t.respond(t.request(Method::Bye), 200);
    } else {
      t.receive(t.inDialog(Method::Bye));
      EXPECT_EQ(t.response().response.status, 200);
    }
    const auto terminated = t.response();
    EXPECT_EQ(terminated.id, id);
    EXPECT_EQ(terminated.response.status, 487);
    t.expectNothingLeftAfter(0s);
  }
}

TEST(OfferCrossing, AByeThatMeetsOurReInviteEndsBoth) {
  UpdateFixture t;
  t.establish();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "ours"));
  const auto invite = t.request(Method::Invite);
  t.receive(t.inDialog(Method::Bye));
  EXPECT_EQ(t.response().response.status, 200);
  EXPECT_TRUE(t.event<Ended>().byRemote);
  t.respond(invite, 487);
  EXPECT_TRUE(t.silent());
  t.expectNothingLeftAfter(0s);
}

TEST(OfferCrossing, AReInviteTakenBackLeavesRoomForTheirUpdate) {
  UpdateFixture t;
  t.establish();
  test::expectWithdrawn(t);
  t.receive(t.inDialog(Method::Update, "audio"));
  EXPECT_EQ(t.event<OfferReceived>().sdp, "audio");
}

// ---- Before the answer ----

TEST(EarlyUpdate, OfTheFarEndIsAnsweredInItsBranch) {
  UpdateFixture t;
  const auto invite = t.ringReliably();
  t.receive(t.inDialog(Method::Update, "new early"));
  const auto offer = t.event<OfferReceived>();
  EXPECT_TRUE(offer.early);
  EXPECT_TRUE(offer.update);
  EXPECT_EQ(offer.branch, 1u);
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer", offer.branch));
  EXPECT_EQ(t.response().response.body, "our answer");
  t.respond(invite, 200);
  EXPECT_EQ(t.event<Answered>().sdp, "new early") << "what the far end said last";
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "x"));
}

TEST(EarlyUpdate, OfTheFarEndThatTheCallsAnswerOvertakesIsStillAnswered) {
  UpdateFixture t;
  const auto invite = t.ringReliably();
  t.receive(t.inDialog(Method::Update, "new early"));
  t.event<OfferReceived>();
  t.respond(invite, 200);
  EXPECT_EQ(t.event<Answered>().sdp, "early");
  t.ack();
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "x").error(), CommandError::OfferPending);
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer"));
  EXPECT_EQ(t.response().response.body, "our answer");
}

TEST(EarlyUpdate, OfTheFarEndBeforeItsReliableAnswerGets491) {
  UpdateFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 183, "far", "early");
  t.receive(t.inDialog(Method::Update, "new early"));
  EXPECT_EQ(t.response().response.status, 491) << "the INVITE's offer is not answered yet";
}

TEST(EarlyUpdate, InABranchThatLosesIsRefused) {
  UpdateFixture t;
  const auto invite = t.ringReliably();
  const auto id = t.receive(t.inDialog(Method::Update, "new early"));
  t.respond(invite, 200, "other", "answer of the other");
  const auto refused = t.response();
  EXPECT_EQ(refused.id, id);
  EXPECT_EQ(refused.response.status, 487);
  EXPECT_EQ(t.event<OfferWithdrawn>().branch, 1u);
  t.receive(t.inDialog(Method::Update, "again"));
  EXPECT_EQ(t.response().response.status, 481);
}

TEST(EarlyUpdate, InABranchWhoseInviteIsChallengedAfterAllIsRefused) {
  UpdateFixture t;
  const auto invite = t.ringReliably();
  t.receive(t.inDialog(Method::Update, "new early"));
  t.challenge(invite, 401, "n1");
  EXPECT_EQ(t.response().response.status, 487);
  EXPECT_EQ(t.event<OfferWithdrawn>().status, 487);
  t.respond(t.request(Method::Invite), 200, "far", "answer");
  EXPECT_EQ(t.event<Answered>().sdp, "answer");
}

TEST(EarlyUpdate, OfOursGoesIntoTheBranchAndItsAnswerMayComeAfterTheCalls) {
  UpdateFixture t;
  const auto invite = t.ringReliably();
  ASSERT_TRUE(t.agent.update(t.now, t.call, "new early"));
  const auto update = t.request(Method::Update);
  EXPECT_FALSE(update.request.sessionExpires.has_value()) << "there is no session to refresh yet";
  t.respond(invite, 200);
  EXPECT_EQ(t.event<Answered>().sdp, "early");
  EXPECT_EQ(t.agent.reInvite(t.now, t.call, "x").error(), CommandError::OfferPending);
  test::expectAnswered(t, update);
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "x"));
}

TEST(EarlyUpdate, AsCalleeNeedsAnAnswerThatHasArrived) {
  UpdateFixture t;
  t.startIncomingReliable();
  EXPECT_EQ(t.agent.update(t.now, t.call, "x").error(), CommandError::WrongState);
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  EXPECT_EQ(t.agent.update(t.now, t.call, "x").error(), CommandError::OfferPending);
  t.receive(t.prack(t.response()));
  t.response();
  ASSERT_TRUE(t.agent.update(t.now, t.call, "new"));
  const auto update = t.request(Method::Update);
  EXPECT_EQ(update.request.cseq, 1u);
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  EXPECT_TRUE(t.responses.empty()) << "the 200 waits for the answer to our offer";
  t.respond(update, 200, "far", "their answer");
  EXPECT_TRUE(t.event<OfferAnswered>().early);
  EXPECT_EQ(t.response().response.status, 200);
}

// RFC 3311 §5.2: 491 is for an offer of ours that is open, and there is none.
TEST(EarlyUpdate, OfTheCallerWhoseInviteIsNotAnsweredIsAskedToComeLater) {
  UpdateFixture t;
  t.startIncomingReliable("offer", true);
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  t.receive(t.prack(t.response()));
  t.response();
  t.receive(t.inDialog(Method::Update, "another"));
  const auto later = t.response();
  EXPECT_EQ(later.response.status, 500);
  EXPECT_LE(later.response.retryAfter.value_or(99), 10u);
  EXPECT_EQ(t.count<OfferReceived>(), 0u);
}

TEST(EarlyUpdate, OfTheCallerIsAnsweredBeforeTheCall) {
  UpdateFixture t;
  test::answerEarly(t);
  t.receive(t.inDialog(Method::Update, "hold"));
  EXPECT_TRUE(t.event<OfferReceived>().early);
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  EXPECT_TRUE(t.silent());
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "held"));
  EXPECT_EQ(t.response().response.method, Method::Update);
  EXPECT_EQ(t.response().response.method, Method::Invite);
}

}  // namespace
}  // namespace crosspoint::sip
