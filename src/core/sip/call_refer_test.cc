// REFER inside a call, both ways, and the subscriptions that it makes (RFC 3515).
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"
#include "core/sip/refer.h"

namespace crosspoint::sip {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::CallFixture;

struct ReferFixture : CallFixture {
  ReferFixture() { establishOutgoing(); }

  SendRequest refer(std::string to = "1022", std::optional<Replaces> replaces = {}) {
    EXPECT_TRUE(agent.refer(now, call, std::move(to), std::move(replaces)));
    return request(Method::Refer);
  }
  // A NOTIFY of the far end's; gives the status of our answer.
  int notify(std::string body, std::string state, std::string event = "refer") {
    Request request = inDialog(Method::Notify);
    request.event = std::move(event);
    request.subscriptionState = std::move(state);
    request.contentType = kSipfragType;
    request.body = std::move(body);
    receive(std::move(request));
    return response().response.status;
  }
  // Of the transfer, which is over.
  int finalStatus() {
    const auto progress = event<ReferProgress>();
    EXPECT_TRUE(progress.final);
    return progress.status;
  }
  Request farRefer(std::string_view target = "sip:1022@example.test") {
    Request request = inDialog(Method::Refer);
    request.referTo = test::address(target);
    request.referredBy = test::address("sip:phone@example.test");
    request.contacts = {test::address("sip:phone@198.51.100.7:5062")};
    return request;
  }
  ReferId receiveRefer() {
    receive(farRefer());
    return event<ReferReceived>().refer;
  }
  // Our next NOTIFY, which the far end answers.
  Request notified(int answer = 200) {
    const SendRequest sent = request(Method::Notify);
    respond(sent, answer, farTag);
    return sent.request;
  }
  void hangUpByFarEnd() {
    receive(inDialog(Method::Bye));
    EXPECT_EQ(response().response.status, 200);
    EXPECT_TRUE(event<Ended>().byRemote);
  }
};

// ---- Ours ----

TEST(Refer, TellsHowTheTransferGoesOn) {
  ReferFixture t;
  const auto refer = t.refer();
  EXPECT_EQ(refer.request.referTo->uri.toString(), "sip:1022@example.test");
  EXPECT_EQ(refer.request.referredBy->uri.toString(), "sip:1020@example.test");
  EXPECT_EQ(refer.request.to.tag, "far");
  ASSERT_EQ(refer.request.contacts.size(), 1u) << "RFC 3515 §2.4.1";
  t.respond(refer, 202);
  EXPECT_EQ(t.notify("SIP/2.0 100 Trying\r\n", "active;expires=60"), 200);
  EXPECT_EQ(t.notify("SIP/2.0 180 Ringing\r\n", "active;expires=50"), 200);
  EXPECT_EQ(t.notify("SIP/2.0 200 OK\r\n", "terminated;reason=noresource"), 200);
  for (const int status : {100, 180, 200}) {
    const auto progress = t.event<ReferProgress>();
    EXPECT_EQ(progress.call, t.call);
    EXPECT_EQ(progress.status, status);
    EXPECT_EQ(progress.reason, standardReason(status));
    EXPECT_EQ(progress.final, status == 200);
  }
  EXPECT_TRUE(t.silent());
  EXPECT_TRUE(t.agent.refer(t.now, t.call, "1023")) << "another one, now that it is over";
}

TEST(Refer, NamesTheDialogOfAnotherCallForAnAttendedTransfer) {
  ReferFixture t;
  const auto first = t.agent.dialogOf(t.call);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*first, (Replaces{.callId = t.callId, .toTag = "far", .fromTag = t.ourTag}))
      << "the far end's own tag is its To tag";
  const auto refer = t.refer("sip:1023@example.test", Replaces{.callId = "x@y", .toTag = "a", .fromTag = "b"});
  EXPECT_EQ(refer.request.referTo->uri.toString(), "sip:1023@example.test?Replaces=x%40y%3Bto-tag%3Da%3Bfrom-tag%3Db");
}

TEST(Refer, ThatIsRefusedEndsWithTheRefusalAndTheCallGoesOn) {
  ReferFixture t;
  t.respond(t.refer(), 603);
  const auto progress = t.event<ReferProgress>();
  EXPECT_EQ(progress.status, 603);
  EXPECT_EQ(progress.reason, "Decline");
  EXPECT_TRUE(progress.final);
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "offer"));
  t.refer();
}

TEST(Refer, To481EndsTheCallAfterItsOwnEnd) {
  ReferFixture t;
  t.respond(t.refer(), 481);
  EXPECT_TRUE(t.event<ReferProgress>().final);
  EXPECT_EQ(t.event<Ended>().status, 481);
  t.respond(t.request(Method::Bye), 481);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(Refer, IsSentAgainWithCredentialsAndKeepsItsSubscription) {
  ReferFixture t;
  t.challenge(t.refer(), 407, "n1");
  const auto again = t.request(Method::Refer);
  ASSERT_EQ(again.request.authorizations.size(), 1u);
  t.respond(again, 202);
  const std::string event = "refer;id=" + std::to_string(again.request.cseq);
  EXPECT_EQ(t.notify("SIP/2.0 200 OK", "terminated", event), 200);
  EXPECT_TRUE(t.event<ReferProgress>().final);
}

TEST(Refer, OneIsUnderWayAtATime) {
  ReferFixture t;
  const auto refer = t.refer();
  EXPECT_EQ(t.agent.refer(t.now, t.call, "1023").error(), CommandError::TooMany);
  t.respond(refer, 202);
  EXPECT_EQ(t.agent.refer(t.now, t.call, "1023").error(), CommandError::TooMany);
  EXPECT_EQ(t.agent.counters().requestsRefusedByLimit, 2u);
}

TEST(Refer, NeedsAnEstablishedCallAndAGoodTarget) {
  CallFixture ringing;
  ringing.startIncoming();
  EXPECT_EQ(ringing.agent.refer(ringing.now, ringing.call, "1022").error(), CommandError::WrongState);
  EXPECT_FALSE(ringing.agent.dialogOf(ringing.call).has_value());
  ReferFixture t;
  EXPECT_EQ(t.agent.refer(t.now, CallId{99}, "1022").error(), CommandError::UnknownCall);
  EXPECT_EQ(t.agent.refer(t.now, t.call, "").error(), CommandError::BadParameter);
  EXPECT_EQ(t.agent.refer(t.now, t.call, "sip:").error(), CommandError::BadParameter);
  EXPECT_EQ(t.agent.refer(t.now, t.call, "1022", Replaces{"a", "b\r\n", "c"}).error(), CommandError::BadParameter);
  EXPECT_EQ(t.agent.dialogOf(CallId{99}), std::nullopt);
  EXPECT_TRUE(t.silent());
}

TEST(Refer, MayBeToldBeforeItIsAnsweredAndInOrderOfTheirNumbers) {
  ReferFixture t;
  const auto refer = t.refer();
  EXPECT_EQ(t.notify("SIP/2.0 100 Trying", "active"), 200);
  EXPECT_EQ(t.event<ReferProgress>().status, 100);
  EXPECT_EQ(t.notify("SIP/2.0 200 OK", "active", "refer;id=1"), 481) << "another REFER's";
  EXPECT_EQ(t.notify("SIP/2.0 180 Ringing", "active", "refer;id=" + std::to_string(refer.request.cseq)), 200);
  EXPECT_EQ(t.event<ReferProgress>().status, 180);
  t.respond(refer, 202);
  EXPECT_TRUE(t.silent());
}

TEST(Refer, AFinalStatusIsFinalThoughTheFarEndLeavesTheSubscriptionOpen) {
  ReferFixture t;
  t.respond(t.refer(), 202);
  EXPECT_EQ(t.notify("SIP/2.0 503 Service Unavailable", "active"), 200);
  EXPECT_EQ(t.finalStatus(), 503);
  EXPECT_EQ(t.notify("SIP/2.0 503 Service Unavailable", "terminated"), 200);
  EXPECT_EQ(t.notify("SIP/2.0 503 Service Unavailable", "terminated"), 481) << "it is gone";
  EXPECT_TRUE(t.silent()) << "told once";
}

TEST(Refer, ASubscriptionThatIsDroppedLeavesTheOutcomeUnknown) {
  ReferFixture t;
  t.respond(t.refer(), 202);
  EXPECT_EQ(t.notify("", "terminated;reason=giveup"), 200);
  EXPECT_LT(t.finalStatus(), 200);
}

TEST(Refer, ThatNobodyEverTellsAboutFailsAfterItsTime) {
  ReferFixture t;
  t.respond(t.refer(), 202);
  t.runFor(minutes(4) - seconds(1));
  EXPECT_TRUE(t.silent());
  t.runFor(seconds(2));
  EXPECT_EQ(t.finalStatus(), 408);
  t.refer();
}

TEST(Refer, WithoutASubscriptionIsOverWithItsAnswer) {
  ReferFixture t;
  const auto refer = t.refer();
  Response accepted = t.makeReply(refer, 202);
  accepted.referSub = false;
  t.handle(ResponseReceived{refer.id, accepted});
  EXPECT_TRUE(t.event<ReferProgress>().final);
  t.refer("1023");
}

TEST(Refer, ItsNotifiesAreAnsweredForAWhileAfterTheCallsEnd) {
  ReferFixture t;
  t.respond(t.refer(), 202);
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  t.event<Ended>();
  t.respond(t.request(Method::Bye), 200);
  EXPECT_EQ(t.notify("SIP/2.0 180 Ringing", "active"), 200);
  EXPECT_TRUE(t.events.empty()) << "the id is dead";
  EXPECT_EQ(t.agent.callCount(), 1u);
  EXPECT_EQ(t.notify("SIP/2.0 200 OK", "terminated"), 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(Refer, WhoseEndNeverComesLeavesNothingAfterTheCall) {
  ReferFixture t;
  t.respond(t.refer(), 202);
  t.hangUpByFarEnd();
  t.runFor(seconds(31));
  EXPECT_EQ(t.agent.callCount(), 1u);
  t.expectNothingLeftAfter(seconds(2));
  EXPECT_EQ(t.notify("SIP/2.0 200 OK", "terminated"), 481);
}

TEST(Refer, ALateAnswerToTheOneBeforeIsNoneToTheNext) {
  ReferFixture t;
  const auto first = t.refer();
  EXPECT_EQ(t.notify("SIP/2.0 486 Busy Here", "terminated;reason=noresource"), 200);
  EXPECT_TRUE(t.event<ReferProgress>().final);
  const auto second = t.refer("1023");
  t.respond(first, 503);
  EXPECT_EQ(t.count<ReferProgress>(), 0u);
  t.respond(second, 202);
  EXPECT_EQ(t.notify("SIP/2.0 200 OK", "terminated;reason=noresource"), 200);
  EXPECT_EQ(t.event<ReferProgress>().status, 200);
}

// ---- The far end's ----

TEST(ReferReceived, IsHandedUpWithItsTargetAndWhoAsked) {
  ReferFixture t;
  t.receive(t.farRefer("sip:1022@example.test?Replaces=x%40y%3Bto-tag%3Da%3Bfrom-tag%3Db&X=y"));
  const auto received = t.event<ReferReceived>();
  EXPECT_EQ(received.call, t.call);
  EXPECT_EQ(received.target.toString(), "sip:1022@example.test");
  EXPECT_EQ(received.replaces, (Replaces{.callId = "x@y", .toTag = "a", .fromTag = "b"}));
  EXPECT_EQ(received.referredBy->uri.user, "phone");
  EXPECT_TRUE(t.silent());
}

TEST(ReferReceived, AcceptedIsToldUntilItsResult) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  const auto accepted = t.response().response;
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.contacts.size(), 1u);
  const Request trying = t.notified();
  EXPECT_EQ(trying.event, "refer") << "the first of a dialog needs no number";
  EXPECT_EQ(trying.subscriptionState, "active;expires=240");
  EXPECT_EQ(trying.contentType, "message/sipfrag;version=2.0");
  EXPECT_EQ(trying.body, "SIP/2.0 100 Trying\r\n");
  EXPECT_EQ(trying.contacts.size(), 1u);
  t.runFor(seconds(10));
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 180));
  EXPECT_EQ(t.notified().subscriptionState, "active;expires=230");
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 486, "Busy\r\n"));
  const Request busy = t.notified();
  EXPECT_EQ(busy.subscriptionState, "terminated;reason=noresource");
  EXPECT_EQ(busy.body, "SIP/2.0 486 Busy\r\n");
  EXPECT_EQ(t.agent.notifyRefer(t.now, t.call, id, 200).error(), CommandError::WrongState) << "said once";
  EXPECT_TRUE(t.silent());
  t.runFor(minutes(10));
  EXPECT_TRUE(t.requests.empty());
}

TEST(ReferReceived, TheSecondOfADialogIsNumbered) {
  ReferFixture t;
  EXPECT_TRUE(t.agent.rejectRefer(t.now, t.call, t.receiveRefer(), 603));
  EXPECT_EQ(t.response().response.status, 603);
  const ReferId id = t.receiveRefer();
  const auto cseq = t.farCseq;
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  EXPECT_EQ(t.notified().event, "refer;id=" + std::to_string(cseq));
}

TEST(ReferReceived, OneAtATime) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  t.receive(t.farRefer());
  EXPECT_EQ(t.response().response.status, 491);
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  t.response();
  t.receive(t.farRefer());
  EXPECT_EQ(t.response().response.status, 491);
  EXPECT_EQ(t.count<ReferReceived>(), 0u);
}

TEST(ReferReceived, ThatTheOwnerDoesNotAnswerIsDeclined) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  t.runFor(seconds(11));
  EXPECT_EQ(t.response().response.status, 603);
  EXPECT_EQ(t.agent.acceptRefer(t.now, t.call, id).error(), CommandError::WrongState);
  EXPECT_TRUE(t.silent());
}

TEST(ReferReceived, WhoseResultTheOwnerNeverTellsHasFailed) {
  ReferFixture t;
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, t.receiveRefer()));
  t.notified();
  t.runFor(minutes(4));
  const Request last = t.notified();
  EXPECT_EQ(last.body, "SIP/2.0 408 Request Timeout\r\n");
  EXPECT_TRUE(isTerminated(last.subscriptionState));
}

TEST(ReferReceived, ThatWantsNoSubscriptionGetsNone) {
  ReferFixture t;
  Request refer = t.farRefer();
  refer.referSub = false;
  refer.require = {"norefersub"};
  t.receive(std::move(refer));
  const ReferId id = t.event<ReferReceived>().refer;
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  EXPECT_EQ(t.response().response.referSub, false);
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 180));
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 200));
  EXPECT_TRUE(t.silent());
}

TEST(ReferReceived, WhoseSenderHangsUpIsStillToldItsResult) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  EXPECT_EQ(t.response().response.status, 202);
  t.notified();
  t.hangUpByFarEnd();
  EXPECT_EQ(t.agent.callCount(), 1u);
  EXPECT_EQ(t.agent.refer(t.now, t.call, "1023").error(), CommandError::UnknownCall);
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 180));
  t.notified();
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 200));
  t.notified();
  t.expectNothingLeftAfter(seconds(0));
  EXPECT_EQ(t.agent.notifyRefer(t.now, t.call, id, 200).error(), CommandError::UnknownCall);
}

TEST(ReferReceived, IsDroppedWhenItsSenderDoesNotWantToKnow) {
  for (const int status : {481, 489, 405}) {
    ReferFixture t;
    const ReferId id = t.receiveRefer();
    EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
    t.notified(status);
    EXPECT_EQ(t.agent.notifyRefer(t.now, t.call, id, 200).error(), CommandError::WrongState);
    EXPECT_EQ(t.count<Ended>(), 0u) << "RFC 5057 §5.1: the call is another usage";
  }
}

TEST(ReferReceived, OvertakenNotifiesDoNotEndIt) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  t.notified(500);
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 200));
  EXPECT_EQ(t.notified().body, "SIP/2.0 200 OK\r\n");
}

TEST(ReferReceived, ItsNotifiesAnswerChallenges) {
  ReferFixture t;
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, t.receiveRefer()));
  t.challenge(t.request(Method::Notify), 401, "n1");
  EXPECT_EQ(t.request(Method::Notify).request.authorizations.size(), 1u);
}

TEST(ReferReceived, UnansweredAtTheCallsEndIsEndedWithIt) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  t.receive(t.inDialog(Method::Bye));
  std::multiset<int> statuses{t.response().response.status, t.response().response.status};
  EXPECT_EQ(statuses, (std::multiset<int>{200, 487}));
  t.expectNothingLeftAfter(seconds(0));
  EXPECT_EQ(t.agent.acceptRefer(t.now, t.call, id).error(), CommandError::UnknownCall);
}

TEST(ReferReceived, IsRefusedOutsideOfDialogsAndBeforeTheAnswer) {
  ReferFixture t;
  Request refer = t.farRefer();
  refer.to.tag.clear();
  t.receive(std::move(refer));
  EXPECT_EQ(t.response().response.status, 403);
  CallFixture ringing;
  ringing.startIncoming();
  EXPECT_TRUE(ringing.agent.ring(ringing.now, ringing.call));
  ringing.ourTag = ringing.response().response.to.tag;
  Request early = ringing.inDialog(Method::Refer);
  early.referTo = test::address("sip:1022@example.test");
  ringing.receive(std::move(early));
  EXPECT_EQ(ringing.response().response.status, 403);
}

TEST(ReferReceived, WithATargetThatNobodyCanCallIsRefused) {
  ReferFixture t;
  Request foreign = t.farRefer();
  foreign.referTo.reset();
  foreign.referToUnknown = true;
  t.receive(std::move(foreign));
  EXPECT_EQ(t.response().response.status, 416);
  Request none = t.farRefer();
  none.referTo.reset();
  t.receive(std::move(none));
  EXPECT_EQ(t.response().response.status, 400);
  EXPECT_TRUE(t.silent());
}

TEST(ReferReceived, CommandsForAnotherReferChangeNothing) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  const ReferId other{static_cast<std::uint64_t>(id) + 1};
  EXPECT_EQ(t.agent.acceptRefer(t.now, t.call, other).error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.rejectRefer(t.now, t.call, other, 603).error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.notifyRefer(t.now, t.call, id, 180).error(), CommandError::WrongState) << "not accepted yet";
  EXPECT_EQ(t.agent.rejectRefer(t.now, t.call, id, 200).error(), CommandError::BadParameter);
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  EXPECT_EQ(t.agent.acceptRefer(t.now, t.call, id).error(), CommandError::WrongState);
  EXPECT_EQ(t.agent.notifyRefer(t.now, t.call, id, 700).error(), CommandError::BadParameter);
  EXPECT_EQ(t.agent.rejectRefer(t.now, t.call, id, 603).error(), CommandError::WrongState);
}

TEST(ReferReceived, UnansweredNotifiesAreBoundedButTheResultIsSent) {
  ReferFixture t;
  const ReferId id = t.receiveRefer();
  EXPECT_TRUE(t.agent.acceptRefer(t.now, t.call, id));
  CommandResult result;
  int sent = 0;
  while (sent < 100 && (result = t.agent.notifyRefer(t.now, t.call, id, 180))) ++sent;
  EXPECT_EQ(result.error(), CommandError::TooMany);
  EXPECT_LT(sent, 16);
  EXPECT_TRUE(t.agent.notifyRefer(t.now, t.call, id, 200));
}

}  // namespace
}  // namespace crosspoint::sip
