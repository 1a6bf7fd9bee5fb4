// Reliable provisional responses and PRACK (RFC 3262), both ways; forks with their own early media.
#include <gtest/gtest.h>

#include <utility>

#include "core/sip/call.h"
#include "core/sip/offer_fixture.h"

namespace crosspoint::sip {
namespace {

using test::CallFixture;

// ---- Our INVITE ----

TEST(ReliableResponse, OfTheFarEndGetsAPrackInItsEarlyDialog) {
  CallFixture t;
  const auto invite = t.startCall();
  EXPECT_TRUE(hasOption(invite.request.supported, "100rel"));
  t.respondReliably(invite, 183, 4711, "early");
  const auto prack = t.request(Method::Prack);
  EXPECT_EQ(prack.request.rack, (RAck{4711, invite.request.cseq, Method::Invite}));
  EXPECT_EQ(prack.request.cseq, invite.request.cseq + 1);
  EXPECT_EQ(prack.request.to.tag, "far");
  EXPECT_EQ(prack.request.uri.toString(), "sip:phone@198.51.100.7:5062");
  EXPECT_TRUE(prack.request.body.empty());
  const auto early = t.event<EarlyMedia>();
  EXPECT_EQ(early.sdp, "early");
  EXPECT_FALSE(early.isOffer);
  EXPECT_EQ(early.branch, 1u);
  t.respond(prack, 200);
  t.respond(invite, 200);
  const auto answered = t.event<Answered>();
  EXPECT_EQ(answered.sdp, "early");
  EXPECT_EQ(answered.branch, 1u);
  EXPECT_EQ(t.ack().request.cseq, invite.request.cseq);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  EXPECT_GT(t.request(Method::Bye).request.cseq, prack.request.cseq);
}

TEST(ReliableResponse, AnswersTheOfferOnceAndForAll) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respondReliably(invite, 183, 1, "early");
  t.respond(t.request(Method::Prack), 200);
  t.respond(invite, 200, "far", "something else");
  EXPECT_EQ(t.event<Answered>().sdp, "early") << "RFC 3261 §13.2.1";
}

TEST(ReliableResponse, RepeatedIsNotAcknowledgedTwiceAndOutOfOrderNotAtAll) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respondReliably(invite, 180, 10);
  t.respond(t.request(Method::Prack), 200);
  t.event<Ringing>();
  t.respondReliably(invite, 180, 10);
  EXPECT_TRUE(t.silent()) << "a repetition";
  t.respondReliably(invite, 183, 12, "early");
  EXPECT_TRUE(t.silent()) << "11 is missing";
  t.respondReliably(invite, 180, 11);
  EXPECT_EQ(t.request(Method::Prack).request.rack->rseq, 11u);
  t.respondReliably(invite, 183, 12, "early");
  EXPECT_EQ(t.request(Method::Prack).request.rack->rseq, 12u);
  EXPECT_EQ(t.event<EarlyMedia>().sdp, "early");
}

TEST(ReliableResponse, WhosePrackWasRefusedOrLostGetsAnotherWhenItIsRepeated) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respondReliably(invite, 183, 1, "early");
  const auto first = t.request(Method::Prack);
  t.respond(first, 500);
  EXPECT_TRUE(t.requests.empty());
  t.respondReliably(invite, 183, 1, "early");
  const auto second = t.request(Method::Prack);
  EXPECT_GT(second.request.cseq, first.request.cseq);
  EXPECT_EQ(second.request.rack, first.request.rack);
  t.handle(TransactionFailed{second.id, TransactionFailed::Cause::Timeout});
  t.respondReliably(invite, 183, 1, "early");
  t.respond(t.request(Method::Prack), 200);
  EXPECT_EQ(t.count<EarlyMedia>(), 1u);
}

TEST(ReliableResponse, HasAPrackThatMayBeChallengedAlsoWithAStaleNonce) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respondReliably(invite, 183, 1, "early");
  const auto first = t.request(Method::Prack);
  t.challenge(first, 407, "n1");
  const auto second = t.request(Method::Prack);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(second.request.rack, first.request.rack);
  ASSERT_EQ(second.request.authorizations.size(), 1u);
  t.challenge(second, 407, "n2", true);
  const auto third = t.request(Method::Prack);
  EXPECT_EQ(test::parameterOf(third.request.authorizations.at(0), "nonce"), "\"n2\"");
  t.respond(third, 200);
  t.respond(invite, 200);
  EXPECT_EQ(t.ack().request.cseq, invite.request.cseq);
}

TEST(ReliableResponse, ToAnInviteWithoutOfferMayBringOneWhoseAnswerGoesIntoThePrack) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  t.respondReliably(invite, 183, 1, "their offer");
  const auto early = t.event<EarlyMedia>();
  EXPECT_TRUE(early.isOffer);
  EXPECT_EQ(early.sdp, "their offer");
  EXPECT_TRUE(t.requests.empty()) << "the PRACK waits for the answer";
  t.respondReliably(invite, 183, 1, "their offer");
  EXPECT_TRUE(t.silent());
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer", early.branch));
  const auto prack = t.request(Method::Prack);
  EXPECT_EQ(prack.request.body, "our answer");
  t.respond(prack, 200);
  t.respond(invite, 200);
  const auto answered = t.event<Answered>();
  EXPECT_FALSE(answered.isOffer);
  EXPECT_EQ(answered.sdp, "their offer");
  EXPECT_TRUE(t.ack().request.body.empty());
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "new"));
}

TEST(ReliableResponse, ThatComesBeforeThePrackOfAnOfferWaitsForIt) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  t.respondReliably(invite, 183, 1, "their offer");
  t.event<EarlyMedia>();
  t.respondReliably(invite, 180, 2);
  EXPECT_TRUE(t.silent());
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer"));
  EXPECT_EQ(t.request(Method::Prack).request.rack->rseq, 1u);
  t.respondReliably(invite, 180, 2);
  EXPECT_EQ(t.request(Method::Prack).request.rack->rseq, 2u);
}

TEST(ReliableResponse, WithAnOfferThatTheOwnerLeavesAloneEndsTheCall) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  t.respondReliably(invite, 183, 1, "their offer");
  t.runFor(Timers{}.prackWait);
  EXPECT_EQ(t.cancels.size(), 1u);
  EXPECT_EQ(t.event<Ended>().status, 488);
  t.respond(invite, 487);
  t.expectNothingLeftAfter(0s);
}

TEST(ReliableResponse, WithoutABodyToAnInviteWithoutOfferLeavesTheOfferToThe200) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  t.respondReliably(invite, 180, 1);
  t.respond(t.request(Method::Prack), 200);
  t.respond(invite, 200, "far", "their offer");
  EXPECT_TRUE(t.event<Answered>().isOffer);
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer"));
  EXPECT_EQ(t.ack().request.body, "our answer");
}

TEST(ReliableResponse, ToAReInviteIsAcknowledgedAndSettlesItsOffer) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  const auto invite = t.request(Method::Invite);
  t.respondReliably(invite, 183, 77, "held");
  const auto prack = t.request(Method::Prack);
  EXPECT_EQ(prack.request.rack, (RAck{77, invite.request.cseq, Method::Invite}));
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "held");
  t.respond(prack, 200);
  t.respond(invite, 200);
  t.ack();
  EXPECT_TRUE(t.silent()) << "the answer is told once";
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "resume"));
}

TEST(ReliableResponse, ToAReInviteWithoutOfferMayBringTheirs) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, std::nullopt));
  const auto invite = t.request(Method::Invite);
  t.respondReliably(invite, 183, 1, "their offer");
  EXPECT_EQ(t.event<OfferReceived>().sdp, "their offer");
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer"));
  EXPECT_EQ(t.request(Method::Prack).request.body, "our answer");
  t.respond(invite, 200);
  t.ack();
  EXPECT_EQ(t.count<OfferFailed>(), 0u);
}

TEST(ReliableResponse, FloodDoesNotMakeMoreRequestsThanTheLimit) {
  CallFixture t;
  const auto invite = t.startCall();
  for (std::uint32_t i = 1; i <= 1000; ++i) t.respondReliably(invite, 180, i);
  EXPECT_LE(t.requests.size(), Limits{}.requestsPerCall);
}

// ---- Forks ----

TEST(Fork, EachBranchHasItsOwnEarlyMediaItsOwnPracksAndItsNumber) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respondReliably(invite, 183, 100, "early of a", "a");
  t.respondReliably(invite, 183, 7, "early of b", "b");
  const auto ofA = t.request(Method::Prack);
  const auto ofB = t.request(Method::Prack);
  EXPECT_EQ(ofA.request.to.tag, "a");
  EXPECT_EQ(ofB.request.to.tag, "b");
  EXPECT_EQ(ofA.request.cseq, ofB.request.cseq) << "each dialog counts for itself";
  EXPECT_EQ(t.event<EarlyMedia>().branch, 1u);
  EXPECT_EQ(t.event<EarlyMedia>().branch, 2u);
  t.respond(ofB, 200, "b");
  t.respond(invite, 200, "b");
  const auto answered = t.event<Answered>();
  EXPECT_EQ(answered.branch, 2u);
  EXPECT_EQ(answered.sdp, "early of b");
  EXPECT_EQ(t.ack().request.to.tag, "b");
  // The other one answers too: its BYE goes on counting after its PRACK.
  t.respond(invite, 200, "a");
  EXPECT_EQ(t.ack().request.to.tag, "a");
  EXPECT_EQ(t.request(Method::Bye).request.cseq, ofA.request.cseq + 1);
}

TEST(Fork, TheAnswerMayComeFromABranchThatWasNeverHeardOf) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 183, "a", "early of a");
  t.respondReliably(invite, 183, 7, "early of b", "b");
  t.respond(invite, 200, "c", "answer of c");
  const auto answered = t.event<Answered>();
  EXPECT_EQ(answered.branch, 3u);
  EXPECT_EQ(answered.sdp, "answer of c");
}

TEST(Fork, ABranchThatEndsBy199IsForgottenAndMakesRoom) {
  Config config = test::defaultConfig();
  config.limits.earlyDialogsPerCall = 2;
  CallFixture t(config);
  const auto invite = t.startCall();
  EXPECT_TRUE(hasOption(invite.request.supported, "199"));
  t.respond(invite, 183, "a", "early of a");
  t.respond(invite, 183, "b", "early of b");
  t.respond(invite, 183, "c", "early of c");
  EXPECT_EQ(t.count<EarlyMedia>(), 2u) << "no room for a third";
  t.respond(invite, 199, "a");
  EXPECT_EQ(t.event<EarlyBranchEnded>().branch, 1u);
  t.respond(invite, 199, "a");
  EXPECT_EQ(t.count<EarlyBranchEnded>(), 0u);
  t.respond(invite, 183, "c", "early of c");
  EXPECT_EQ(t.count<EarlyMedia>(), 3u);
  t.respond(invite, 200, "b");
  EXPECT_EQ(t.event<Answered>().sdp, "early of b");
}

TEST(Fork, TwoBranchesMayAskForAnAnswerAtOnce) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  t.respondReliably(invite, 183, 1, "offer of a", "a");
  t.respondReliably(invite, 183, 1, "offer of b", "b");
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "answer to b", 2));
  const auto ofB = t.request(Method::Prack);
  EXPECT_EQ(ofB.request.to.tag, "b");
  EXPECT_EQ(ofB.request.body, "answer to b");
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "answer to a", 1));
  EXPECT_EQ(t.request(Method::Prack).request.to.tag, "a");
  EXPECT_EQ(t.agent.answerOffer(t.now, t.call, "again", 1).error(), CommandError::WrongState);
}

// ---- The far end's INVITE ----

TEST(ReliableResponse, OfOursIsRepeatedWithDoublingPausesUntilItsPrack) {
  CallFixture t;
  t.startIncomingReliable();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  const auto first = t.response();
  EXPECT_EQ(first.response.require, std::vector<std::string>{"100rel"});
  EXPECT_EQ(first.response.body, "answer");
  ASSERT_TRUE(first.response.rseq.has_value());
  t.runFor(3500ms);  // after 0.5, 1.5 and 3.5 s
  EXPECT_EQ(t.responses.size(), 3u);
  for (const auto& repeated : std::exchange(t.responses, {})) EXPECT_EQ(repeated.response.rseq, first.response.rseq);
  const auto id = t.receive(t.prack(first));
  const auto ok = t.response();
  EXPECT_EQ(ok.id, id);
  EXPECT_EQ(ok.response.status, 200);
  t.runFor(30s);
  EXPECT_TRUE(t.silent());
  t.receive(t.prack(first));
  EXPECT_EQ(t.response().response.status, 481) << "a second one for the same";
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  const auto final = t.response();
  EXPECT_EQ(final.response.status, 200);
  EXPECT_TRUE(final.response.body.empty()) << "the session is settled";
  t.acknowledgeFirst();
  EXPECT_FALSE(t.event<Confirmed>().sdp.has_value());
}

TEST(ReliableResponse, ThatIsNeverAcknowledgedEndsTheCallWith504) {
  CallFixture t;
  t.startIncomingReliable();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  t.runFor(32s - 1us);
  EXPECT_EQ(t.count<Ended>(), 0u);
  EXPECT_EQ(t.responses.size(), 7u);
  t.runFor(1us);
  EXPECT_EQ(t.responses.back().response.status, 504);
  EXPECT_EQ(t.event<Ended>().status, 504);
  t.expectNothingLeftAfter(0s);
}

TEST(ReliableResponse, IsForCallersWhoKnowItAndForRingingOnlyWhereTheyInsist) {
  CallFixture plain;
  plain.startIncoming();
  ASSERT_TRUE(plain.agent.progress(plain.now, plain.call, "answer"));
  EXPECT_FALSE(plain.response().response.rseq.has_value());
  CallFixture supported;
  supported.startIncomingReliable();
  ASSERT_TRUE(supported.agent.ring(supported.now, supported.call));
  EXPECT_FALSE(supported.response().response.rseq.has_value());
  CallFixture required;
  required.startIncomingReliable("offer", true);
  ASSERT_TRUE(required.agent.ring(required.now, required.call));
  EXPECT_TRUE(required.response().response.rseq.has_value());
}

TEST(ReliableResponse, GoesOneAtATimeAndTheNextOneWaitsForThePrack) {
  CallFixture t;
  t.startIncomingReliable("offer", true);
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  const auto ringing = t.response();
  EXPECT_TRUE(t.silent());
  t.receive(t.prack(ringing));
  EXPECT_EQ(t.response().response.status, 200);
  const auto progress = t.response();
  EXPECT_EQ(progress.response.status, 183) << "the one with the body, not the last";
  EXPECT_EQ(progress.response.body, "answer");
  EXPECT_EQ(progress.response.rseq, *ringing.response.rseq + 1);
}

TEST(ReliableResponse, WithABodyHoldsBackThe200AndAnotherDoesNot) {
  CallFixture t;
  const auto id = t.startIncomingReliable();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  const auto progress = t.response();
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  EXPECT_TRUE(t.silent()) << "RFC 3262 §3";
  EXPECT_EQ(t.agent.accept(t.now, t.call, "answer").error(), CommandError::WrongState);
  t.receive(t.prack(progress));
  EXPECT_EQ(t.response().response.method, Method::Prack);
  const auto ok = t.response();
  EXPECT_EQ(ok.id, id);
  EXPECT_EQ(ok.response.status, 200);

  CallFixture ringing;
  ringing.startIncomingReliable("offer", true);
  ASSERT_TRUE(ringing.agent.ring(ringing.now, ringing.call));
  const auto sent = ringing.response();
  ASSERT_TRUE(ringing.agent.accept(ringing.now, ringing.call, "answer"));
  EXPECT_EQ(ringing.response().response.body, "answer");
  ringing.runFor(5s);
  EXPECT_TRUE(ringing.silent()) << "not repeated any more";
  ringing.receive(ringing.prack(sent));
  EXPECT_EQ(ringing.response().response.status, 200) << "a late PRACK is still taken";
}

TEST(ReliableResponse, ToAnInviteWithoutOfferBringsOursAndThePrackTheAnswer) {
  CallFixture t;
  t.startIncomingReliable("");
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "our offer"));
  const auto progress = t.response();
  EXPECT_EQ(progress.response.body, "our offer");
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "our offer"));
  t.receive(t.prack(progress, "their answer"));
  const auto answered = t.event<OfferAnswered>();
  EXPECT_EQ(answered.sdp, "their answer");
  EXPECT_TRUE(answered.early);
  EXPECT_EQ(t.response().response.method, Method::Prack);
  EXPECT_TRUE(t.response().response.body.empty());
  t.acknowledgeFirst();
  EXPECT_FALSE(t.event<Confirmed>().sdp.has_value());
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "more"));
}

TEST(ReliableResponse, WithOurOfferWhosePrackHasNoAnswerEndsTheCall) {
  CallFixture t;
  t.startIncomingReliable("");
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "our offer"));
  t.receive(t.prack(t.response()));
  EXPECT_EQ(t.response().response.status, 200);
  EXPECT_EQ(t.response().response.status, 488);
  EXPECT_EQ(t.event<Ended>().status, 488);
  t.expectNothingLeftAfter(0s);
}

TEST(ReliableResponse, WithOurAnswerMayGetAnotherOfferInItsPrack) {
  CallFixture t;
  t.startIncomingReliable();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  const auto id = t.receive(t.prack(t.response(), "second offer"));
  const auto offer = t.event<OfferReceived>();
  EXPECT_EQ(offer.sdp, "second offer");
  EXPECT_TRUE(offer.update);
  EXPECT_TRUE(offer.early);
  ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
  EXPECT_TRUE(t.silent()) << "first the answer";
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "second answer", offer.branch));
  const auto ok = t.response();
  EXPECT_EQ(ok.id, id);
  EXPECT_EQ(ok.response.body, "second answer");
  EXPECT_EQ(t.response().response.method, Method::Invite);
}

TEST(ReliableResponse, GetsA481ForAPrackThatDoesNotMatch) {
  CallFixture t;
  t.startIncomingReliable();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  const auto progress = t.response();
  const auto statusOf = [&](auto&& spoil) {
    Request prack = t.prack(progress);
    spoil(prack);
    t.receive(std::move(prack));
    return t.response().response.status;
  };
  EXPECT_EQ(statusOf([](Request& r) { ++r.rack->rseq; }), 481);
  EXPECT_EQ(statusOf([](Request& r) { ++r.rack->cseq; }), 481);
  EXPECT_EQ(statusOf([](Request& r) { r.rack->method = Method::Update; }), 481);
  EXPECT_EQ(statusOf([](Request& r) { r.rack.reset(); }), 481);
  EXPECT_EQ(statusOf([](Request&) {}), 200);
}

TEST(ReliableResponse, OnItsWayEndsWithTheCall) {
  for (const bool cancelled : {true, false}) {
    CallFixture t;
    const auto id = t.startIncomingReliable();
    ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
    t.response();
    ASSERT_TRUE(t.agent.accept(t.now, t.call, "answer"));
    if (cancelled)
      t.handle(CancelReceived{id, {}});
    else
      ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
    EXPECT_EQ(t.response().response.status, cancelled ? 487 : 480);
    t.event<Ended>();
    t.expectNothingLeftAfter(0s);
  }
}

TEST(ReliableResponse, SentOnceIsNotRepeatedEachMinuteWithItsBody) {
  CallFixture t;
  test::answerEarly(t);
  t.runFor(61s);
  const auto again = t.response();
  EXPECT_EQ(again.response.status, 183);
  EXPECT_TRUE(again.response.body.empty());
  EXPECT_FALSE(again.response.rseq.has_value());
}

}  // namespace
}  // namespace crosspoint::sip
