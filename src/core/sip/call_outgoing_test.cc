// Outgoing calls: answered, refused, challenged, cancelled, forked, never answered.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::AgentFixture;
using test::CallFixture;

TEST(OutgoingCall, SendsAnInviteByTheServerAndAcknowledgesTheAnswerToTheContact) {
  CallFixture t;
  const auto invite = t.startCall();
  EXPECT_EQ(invite.request.uri.toString(), "sip:1021@example.test");
  EXPECT_EQ(invite.destination.toString(), "sip:192.0.2.9:5060");
  EXPECT_EQ(invite.request.from.uri.toString(), "sip:1020@example.test");
  EXPECT_EQ(invite.request.body, "offer");
  EXPECT_EQ(invite.request.contentType, "application/sdp");
  EXPECT_FALSE(invite.request.allow.empty());
  t.respond(invite, 200, "far", "answer");
  const auto answered = t.event<Answered>();
  EXPECT_EQ(answered.sdp, "answer");
  EXPECT_FALSE(answered.isOffer);
  const auto ack = t.ack();
  EXPECT_EQ(ack.request.uri.toString(), "sip:phone@198.51.100.7:5062");
  EXPECT_EQ(ack.destination, ack.request.uri);
  EXPECT_EQ(ack.request.cseq, invite.request.cseq);
  EXPECT_EQ(ack.request.to.tag, "far");
  EXPECT_TRUE(ack.request.body.empty());
  EXPECT_TRUE(t.silent());
}

TEST(OutgoingCall, FollowsTheRecordedRouteInReverse) {
  CallFixture t;
  const auto invite = t.startCall();
  Response answer = t.makeReply(invite, 200, "far", "answer");
  answer.recordRoutes = {test::address("sip:second.example;lr"), test::address("sip:first.example;lr")};
  t.handle(ResponseReceived{invite.id, answer});
  const auto ack = t.ack();
  ASSERT_EQ(ack.request.routes.size(), 2u);
  EXPECT_EQ(ack.request.routes[0].uri.host, "first.example");
  EXPECT_EQ(ack.destination.host, "first.example");
  EXPECT_EQ(ack.request.uri.host, "198.51.100.7");
}

TEST(OutgoingCall, TakesTheRouteAndTheContactOfThe200OverThoseOfThe180) {
  CallFixture t;
  const auto invite = t.startCall();
  Response ringing = t.makeReply(invite, 180);
  ringing.recordRoutes = {test::address("sip:early.example;lr")};
  t.handle(ResponseReceived{invite.id, ringing});
  Response answer = t.makeReply(invite, 200, "far", "answer");
  answer.recordRoutes = {test::address("sip:final.example;lr")};
  answer.contacts = {test::address("sip:phone@203.0.113.8")};
  t.handle(ResponseReceived{invite.id, answer});
  const auto ack = t.ack();
  EXPECT_EQ(ack.destination.host, "final.example");
  EXPECT_EQ(ack.request.uri.host, "203.0.113.8");
}

TEST(OutgoingCall, ForgetsTheEarlyDialogsOfAnInviteThatWasChallenged) {
  CallFixture t;
  const auto first = t.startCall();
  t.respond(first, 183, "far", "early");
  t.challenge(first, 407, "n1");
  t.respond(t.request(Method::Invite), 200, "far");
  EXPECT_EQ(t.count<Answered>(), 0u) << "what came early was the answer to another INVITE";
  EXPECT_EQ(t.event<Ended>().status, 488);
}

TEST(OutgoingCall, PutsTheContactLastForAStrictRouter) {
  CallFixture t;
  const auto invite = t.startCall();
  Response answer = t.makeReply(invite, 200, "far", "answer");
  answer.recordRoutes = {test::address("sip:second.example;lr"), test::address("sip:strict.example")};
  t.handle(ResponseReceived{invite.id, answer});
  const auto ack = t.ack();
  EXPECT_EQ(ack.request.uri.host, "strict.example");
  ASSERT_EQ(ack.request.routes.size(), 2u);
  EXPECT_EQ(ack.request.routes[1].uri.host, "198.51.100.7");
}

TEST(OutgoingCall, TellsOfRingingAndOfEarlyMediaOnce) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 100);
  EXPECT_TRUE(t.silent());
  t.respond(invite, 180);
  EXPECT_EQ(t.event<Ringing>().status, 180);
  t.respond(invite, 183, "far", "early");
  EXPECT_EQ(t.event<EarlyMedia>().sdp, "early");
  t.respond(invite, 183, "far", "early");
  EXPECT_TRUE(t.silent());
  t.respond(invite, 200);
  EXPECT_EQ(t.event<Answered>().sdp, "early") << "a 200 without a body leaves the early answer in force";
}

TEST(OutgoingCall, EndsWithTheServersStatus) {
  for (const int status : {305, 404, 480, 486, 488, 500, 603}) {
    CallFixture t;
    const auto invite = t.startCall();
    t.respond(invite, 180);
    t.respond(invite, status);
    const auto ended = t.event<Ended>();
    EXPECT_EQ(ended.status, status);
    EXPECT_EQ(ended.reason, standardReason(status));
    EXPECT_TRUE(ended.byRemote);
    EXPECT_EQ(ended.phase, CallPhase::Ringing);
    EXPECT_EQ(ended.redirectTo.size(), status == 305 ? 1u : 0u);
    t.expectNothingLeftAfter(seconds(0));
    EXPECT_EQ(t.agent.hangUp(t.now, t.call).error(), CommandError::UnknownCall);
  }
}

TEST(OutgoingCall, AnswersAProxysChallengeOnInviteAckAndBye) {
  CallFixture t;
  const auto first = t.startCall();
  t.challenge(first, 407, "n1");
  const auto second = t.request(Method::Invite);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(second.request.from.tag, first.request.from.tag);
  EXPECT_TRUE(second.request.to.tag.empty());
  ASSERT_EQ(second.request.authorizations.size(), 1u);
  EXPECT_TRUE(second.request.authorizations[0].proxy);
  t.respond(second, 200, "far", "answer");
  const auto ack = t.ack();
  EXPECT_EQ(ack.request.authorizations, second.request.authorizations) << "RFC 3261 §22.1";
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  const auto bye = t.request(Method::Bye);
  EXPECT_EQ(bye.request.cseq, second.request.cseq + 1);
  t.challenge(bye, 407, "n2", true);
  const auto again = t.request(Method::Bye);
  EXPECT_EQ(again.request.cseq, bye.request.cseq + 1);
  t.respond(again, 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, EndsWith401WhenThePasswordIsWrong) {
  CallFixture t;
  t.challenge(t.startCall(), 401, "n1");
  t.challenge(t.request(Method::Invite), 401, "n2");
  EXPECT_EQ(t.event<Ended>().status, 401);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, WithoutOfferAcknowledgesTheFarEndsOfferWithTheOwnersAnswer) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  EXPECT_TRUE(invite.request.body.empty());
  t.respond(invite, 200, "far", "their offer");
  const auto answered = t.event<Answered>();
  EXPECT_TRUE(answered.isOffer);
  t.respond(invite, 200, "far", "their offer");
  EXPECT_TRUE(t.silent()) << "no ACK before the answer is known";
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "our answer"));
  EXPECT_EQ(t.ack().request.body, "our answer");
  t.respond(invite, 200, "far", "their offer");
  EXPECT_EQ(t.ack().request.body, "our answer");
}

TEST(OutgoingCall, WithoutOfferEndsWhenTheOwnerNeverAnswers) {
  CallFixture t;
  const auto invite = t.startCall(std::nullopt);
  t.respond(invite, 200, "far", "their offer");
  t.runFor(seconds(33));
  t.ack();
  t.request(Method::Bye);
  EXPECT_EQ(t.event<Ended>().status, 488);
  t.expectNothingLeftAfter(seconds(40));
}

TEST(OutgoingCall, EndsWhenThe200HasNoSessionDescription) {
  CallFixture t;
  t.respond(t.startCall(), 200);
  t.ack();
  t.request(Method::Bye);
  EXPECT_EQ(t.event<Ended>().status, 488);
  EXPECT_EQ(t.count<Answered>(), 0u);
}

TEST(OutgoingCall, AcknowledgesARepeated200Again) {
  CallFixture t;
  const auto invite = t.establishOutgoing();
  t.respond(invite, 200, "far", "answer");
  t.ack();
  EXPECT_TRUE(t.silent());
  t.runFor(seconds(40));
  t.respond(invite, 200, "far", "answer");
  EXPECT_TRUE(t.silent()) << "after 64*T1 the transaction is over";
}

TEST(OutgoingCall, EndsTheLosersOfAForkWithAckAndBye) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 183, "a", "early a");
  t.respond(invite, 183, "b", "early b");
  EXPECT_EQ(t.count<EarlyMedia>(), 2u);
  t.respond(invite, 200, "b", "answer b");
  EXPECT_EQ(t.event<Answered>().sdp, "answer b");
  EXPECT_EQ(t.ack().request.to.tag, "b");
  t.respond(invite, 200, "a", "answer a");
  EXPECT_EQ(t.ack().request.to.tag, "a");
  const auto bye = t.request(Method::Bye);
  EXPECT_EQ(bye.request.to.tag, "a");
  t.respond(invite, 200, "a", "answer a");
  EXPECT_EQ(t.ack().request.to.tag, "a");
  EXPECT_TRUE(t.requests.empty()) << "one BYE is enough";
  EXPECT_EQ(t.agent.counters().forkedAnswersEnded, 1u);
  t.respond(bye, 200, "a");
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  EXPECT_EQ(t.request(Method::Info).request.to.tag, "b");
}

TEST(OutgoingCall, KeepsABoundedNumberOfBranches) {
  CallFixture t;
  const auto invite = t.startCall();
  for (int i = 0; i < 1000; ++i) t.respond(invite, 183, "t" + std::to_string(i), "early");
  EXPECT_EQ(t.count<EarlyMedia>(), Limits{}.earlyDialogsPerCall);
  EXPECT_GT(t.agent.counters().requestsRefusedByLimit, 900u);
}

TEST(OutgoingCall, IsAnsweredByABranchBeyondTheBoundAsWell) {
  CallFixture t;
  const auto invite = t.startCall();
  for (int i = 0; i < 100; ++i) t.respond(invite, 183, "t" + std::to_string(i), "early");
  t.respond(invite, 200, "one more", "answer");
  EXPECT_EQ(t.event<Answered>().sdp, "answer");
  EXPECT_EQ(t.ack().request.to.tag, "one more");
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.respond(t.request(Method::Bye), 200, "one more");
  t.expectNothingLeftAfter(Timers{}.ackWait);
}

TEST(OutgoingCall, EndsTheAnswersOfBranchesBeyondTheBoundToo) {
  CallFixture t;
  const auto invite = t.startCall();
  for (int i = 0; i < 100; ++i) t.respond(invite, 183, "t" + std::to_string(i), "early");
  t.respond(invite, 200, "t3", "answer");
  t.ack();
  t.respond(invite, 200, "one more", "answer");
  EXPECT_EQ(t.ack().request.to.tag, "one more");
  EXPECT_EQ(t.request(Method::Bye).request.to.tag, "one more");
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  EXPECT_EQ(t.request(Method::Info).request.to.tag, "t3");
}

TEST(OutgoingCall, IsCancelledOnceItRings) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 180);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call, Reason{"SIP", 200, "elsewhere"}));
  const auto ended = t.event<Ended>();
  EXPECT_EQ(ended.status, 0);
  EXPECT_FALSE(ended.byRemote);
  ASSERT_EQ(t.cancels.size(), 1u);
  EXPECT_EQ(t.cancels[0].id, invite.id);
  EXPECT_EQ(t.cancels[0].reasons.at(0).cause, 200u);
  t.respond(invite, 487);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, HoldsTheCancelBackUntilTheFirstProvisionalResponse) {
  CallFixture t;
  const auto invite = t.startCall();
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.drain();
  EXPECT_TRUE(t.cancels.empty());
  t.respond(invite, 100);
  EXPECT_EQ(t.cancels.size(), 1u);
  t.respond(invite, 180);
  EXPECT_EQ(t.cancels.size(), 1u);
  t.respond(invite, 487);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, CancelledBeforeAnythingCameIsGoneAfterATimeout) {
  CallFixture t;
  t.startCall();
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.expectNothingLeftAfter(seconds(35));
  EXPECT_TRUE(t.cancels.empty());
}

TEST(OutgoingCall, CancelledIsGoneThoughTheInviteIsNeverAnswered) {
  CallFixture t;
  t.respond(t.startCall(), 180);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.expectNothingLeftAfter(seconds(33));
}

TEST(OutgoingCall, A200ThatCrossesTheCancelIsAcknowledgedAndEnded) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 180);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.event<Ended>();
  t.cancels.clear();
  t.events.clear();
  t.respond(invite, 200, "far", "answer");
  t.ack();
  const auto bye = t.request(Method::Bye);
  t.respond(invite, 200, "far", "answer");
  t.ack();
  t.respond(bye, 200);
  EXPECT_TRUE(t.silent());
  t.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, AChallengeThatCrossesTheCancelIsNotAnswered) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 100);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.challenge(invite, 407, "n1");
  EXPECT_TRUE(t.requests.empty());
  t.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, ThatNobodyAnswersIsCancelledAfterTheRingLimit) {
  CallFixture t;
  t.respond(t.startCall(), 180);
  t.runFor(Timers{}.ringMax - 1us);
  EXPECT_EQ(t.count<Ended>(), 0u);
  t.runFor(1us);
  const auto ended = t.event<Ended>();
  EXPECT_EQ(ended.status, 408);
  EXPECT_FALSE(ended.byRemote);
  EXPECT_EQ(ended.phase, CallPhase::Ringing);
  EXPECT_EQ(t.cancels.size(), 1u);
  t.expectNothingLeftAfter(seconds(32));
}

TEST(OutgoingCall, EndsWhenTheServerIsSilentOrCannotBeReached) {
  CallFixture silent;
  silent.startCall();
  silent.runFor(seconds(35));
  const auto timeout = silent.event<Ended>();
  EXPECT_EQ(timeout.status, 408);
  EXPECT_EQ(timeout.phase, CallPhase::Setup);
  silent.expectNothingLeftAfter(seconds(0));

  CallFixture unreachable;
  const auto invite = unreachable.startCall();
  unreachable.handle(TransactionFailed{invite.id, TransactionFailed::Cause::Transport});
  EXPECT_EQ(unreachable.event<Ended>().status, 503);
  unreachable.expectNothingLeftAfter(seconds(0));
}

TEST(OutgoingCall, EndsWithWhatTheTransportKnowsOfItsFailure) {
  CallFixture t;
  const auto invite = t.startCall();
  t.handle(TransactionFailed{invite.id, TransactionFailed::Cause::Transport, "the certificate has expired"});
  const auto ended = t.event<Ended>();
  EXPECT_EQ(ended.status, 503);
  EXPECT_EQ(ended.reason, "the certificate has expired");
}

TEST(OutgoingCall, TakesTargetsOfAllKindsAndRefusesNonsense) {
  AgentFixture t;
  const auto target = [&](std::string to) -> std::string {
    const auto call = t.agent.invite(t.now, {.fromUser = "1020", .to = std::move(to), .sdp = "offer"});
    return call ? t.request(Method::Invite).request.uri.toString() : std::string(toString(call.error()));
  };
  EXPECT_EQ(target("1021"), "sip:1021@example.test");
  EXPECT_EQ(target("a b\r\nVia: x"), "sip:a%20b%0D%0AVia%3A%20x@example.test");
  EXPECT_EQ(target("sip:bob@b.example?Replaces=x"), "sip:bob@b.example");
  EXPECT_EQ(target("tel:+123"), "tel:+123");
  EXPECT_EQ(target("sip:"), "bad parameter");
  EXPECT_EQ(target(""), "bad parameter");
  EXPECT_EQ(target(std::string(5000, 'x')), "bad parameter");
}

TEST(OutgoingCall, CarriesTheOwnersHeadersButNotThoseOfTheProtocol) {
  AgentFixture t;
  ASSERT_TRUE(t.agent.invite(
      t.now, {.fromUser = "1020", .to = "1021", .sdp = "o", .extraHeaders = {{"X-Data", "a\r\nVia: evil"}}}));
  const auto invite = t.request(Method::Invite);
  ASSERT_EQ(invite.request.extraHeaders.size(), 1u);
  EXPECT_EQ(invite.request.extraHeaders[0].value, "aVia: evil");
  for (const char* name : {"via", "Call-ID", "X Y", "X:", ""}) {
    EXPECT_EQ(t.agent.invite(t.now, {.fromUser = "1", .to = "2", .sdp = "o", .extraHeaders = {{name, "x"}}}).error(),
              CommandError::BadParameter)
        << name;
  }
}

}  // namespace
}  // namespace crosspoint::sip
