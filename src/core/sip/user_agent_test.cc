// What goes on inside a call besides offers, and what strangers and mistakes get.
#include "core/sip/user_agent.h"

#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::AgentFixture;
using test::CallFixture;

// ---- Inside a call ----

TEST(UserAgent, ByeOfTheFarEndEndsTheCallWithItsReason) {
  CallFixture t;
  t.establishOutgoing();
  Request bye = t.inDialog(Method::Bye);
  bye.reasons = {{"Q.850", 16, "Normal\r\nclearing"}, {"SIP", 200, "Call completed"}};
  t.receive(std::move(bye));
  EXPECT_EQ(t.response().response.status, 200);
  const auto ended = t.event<Ended>();
  EXPECT_TRUE(ended.byRemote);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.cause, 16u);
  EXPECT_EQ(ended.reason,
            "Normal\xef\xbf\xbd\xef\xbf\xbd"
            "clearing");
  ASSERT_EQ(ended.reasons.size(), 2u);
  EXPECT_EQ(ended.reasons[1], (Reason{"SIP", 200, "Call completed"}));
  EXPECT_EQ(ended.phase, CallPhase::Established);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(UserAgent, TwoByesThatCrossAreBothAnswered) {
  CallFixture t;
  t.establishIncoming();
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call, Reason{"SIP", 503, "no media"}));
  const auto ours = t.request(Method::Bye);
  EXPECT_EQ(ours.request.reasons.at(0).text, "no media");
  t.receive(t.inDialog(Method::Bye));
  EXPECT_EQ(t.response().response.status, 200);
  EXPECT_EQ(t.count<Ended>(), 1u);
  t.respond(ours, 481);
  t.expectNothingLeftAfter(seconds(0));
}

// RFC 3261 §12.2.2: a far end that has seen a later request refuses the BYE, and goes on believing in the call.
TEST(UserAgent, AByeThatALaterRequestHasOvertakenIsSentAgain) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  const auto info = t.request(Method::Info);
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call, Reason{"SIP", 503, "no media"}));
  const auto first = t.request(Method::Bye);
  t.challenge(info, 401, "n1");
  const auto retried = t.request(Method::Info);
  EXPECT_GT(retried.request.cseq, first.request.cseq);
  t.respond(first, 500);
  const auto second = t.request(Method::Bye);
  EXPECT_GT(second.request.cseq, retried.request.cseq);
  EXPECT_EQ(second.request.reasons, first.request.reasons);
  EXPECT_EQ(t.agent.callCount(), 1u);
  t.respond(second, 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(UserAgent, AByeThatIsAlwaysRefusedIsSentNoMoreThanThreeTimes) {
  CallFixture t;
  t.establishOutgoing();
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  for (int i = 0; i < 3; ++i) t.respond(t.request(Method::Bye), 500);
  EXPECT_TRUE(t.requests.empty());
  t.expectNothingLeftAfter(seconds(0));
}

TEST(UserAgent, AByeThatIsNeverAnsweredLeavesNothingBehind) {
  CallFixture t;
  t.establishIncoming();
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.event<Ended>();
  t.expectNothingLeftAfter(seconds(35));
}

TEST(UserAgent, InfoAndNotifyOfTheFarEndAreHandedUp) {
  CallFixture t;
  t.establishIncoming();
  Request info = t.inDialog(Method::Info);
  info.contentType = "application/octet-stream";
  info.body = "a=1&b=2";
  t.receive(std::move(info));
  EXPECT_EQ(t.response().response.status, 200);
  const auto received = t.event<InfoReceived>();
  EXPECT_EQ(received.contentType, "application/octet-stream");
  EXPECT_EQ(received.body, "a=1&b=2");
  for (const char* event : {"talk", "Hold;id=3"}) {
    Request notify = t.inDialog(Method::Notify);
    notify.event = event;
    t.receive(std::move(notify));
    EXPECT_EQ(t.response().response.status, 200);
  }
  EXPECT_EQ(t.event<NotifyReceived>().event, "talk");
  EXPECT_EQ(t.event<NotifyReceived>().event, "hold");
}

TEST(UserAgent, NotifyReachesACallThatStillRings) {
  CallFixture t;
  t.startIncoming();
  ASSERT_TRUE(t.agent.ring(t.now, t.call));
  t.ourTag = t.response().response.to.tag;
  Request notify = t.inDialog(Method::Notify);
  notify.event = "talk";
  t.receive(std::move(notify));
  EXPECT_EQ(t.event<NotifyReceived>().event, "talk");
}

// RFC 3261 §12.2.2: an early dialog is a dialog; 481 would tell the far end that it has gone.
TEST(UserAgent, InfoAndOptionsReachOurCallWhileItRings) {
  CallFixture t;
  const auto invite = t.startCall();
  t.respond(invite, 180, "far");
  for (const Method method : {Method::Info, Method::Options}) {
    t.receive(t.inDialog(method));
    EXPECT_EQ(t.response().response.status, 200);
  }
  EXPECT_EQ(t.count<InfoReceived>(), 1u);
  for (const auto& [method, status] : {std::pair(Method::Invite, 491), {Method::Bye, 481}, {Method::Prack, 481}}) {
    t.receive(t.inDialog(method));
    EXPECT_EQ(t.response().response.status, status) << toString(method);
  }
  t.respond(invite, 200, "far", "answer");
  EXPECT_EQ(t.event<Answered>().sdp, "answer");
}

TEST(UserAgent, AnUnknownEventGets489WithWhatWeKnow) {
  CallFixture t;
  t.establishIncoming();
  Request notify = t.inDialog(Method::Notify);
  notify.event = "presence";
  t.receive(std::move(notify));
  const auto response = t.response();
  EXPECT_EQ(response.response.status, 489);
  EXPECT_EQ(response.response.allowEvents, (std::vector<std::string>{"talk", "hold"}));
}

TEST(UserAgent, OptionsIsAnsweredInsideAndOutsideOfADialog) {
  CallFixture t;
  t.establishIncoming();
  t.receive(t.inDialog(Method::Options));
  EXPECT_EQ(t.response().response.status, 200);
  Request options = t.inDialog(Method::Options);
  options.to.tag.clear();
  t.receive(std::move(options));
  const auto response = t.response();
  EXPECT_EQ(response.response.status, 200);
  EXPECT_FALSE(response.response.to.tag.empty());
  EXPECT_FALSE(response.response.allow.empty());
}

TEST(UserAgent, ARequestOlderThanTheLastGets500) {
  CallFixture t;
  t.establishIncoming();
  Request info = t.inDialog(Method::Info);
  t.receive(info);
  t.response();
  t.receive(info);
  EXPECT_EQ(t.response().response.status, 500);
  EXPECT_EQ(t.count<InfoReceived>(), 1u);
}

TEST(UserAgent, MethodsThatWeDoNotHaveGet405Or501InsideAndOutside) {
  CallFixture t;
  t.establishIncoming();
  for (const Method method : {Method::Register, Method::Subscribe, Method::Message, Method::Other}) {
    Request request = t.inDialog(method);
    if (method == Method::Other) request.methodName = "DANCE";
    t.receive(request);
    request.to.tag.clear();
    t.receive(std::move(request));
    const int expected = method == Method::Other ? 501 : 405;
    for (int i = 0; i < 2; ++i) {
      const auto response = t.response();
      EXPECT_EQ(response.response.status, expected);
      EXPECT_FALSE(response.response.allow.empty());
    }
  }
}

TEST(UserAgent, CredentialsOfAnIncomingCallAnswerChallengesToItsBye) {
  CallFixture t;
  t.establishIncoming();
  ASSERT_TRUE(t.agent.setCredentials(t.call, {"1020", "secret"}));
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.challenge(t.request(Method::Bye), 407, "n");
  EXPECT_EQ(t.request(Method::Bye).request.authorizations.size(), 1u);
}

// A far end that challenges our BYE would else get a digest of the password for any realm and nonce that it likes.
TEST(UserAgent, InsideADialogNobodyIsAnsweredInAnotherRealmThanThoseOfTheServer) {
  CallFixture t;
  ASSERT_TRUE(t.agent.registerUser(t.now, "1020", "", "secret", seconds(300)));
  t.challenge(t.request(Method::Register), 401, "n");  // in the realm example.test
  t.respond(t.request(Method::Register), 200);
  t.establishIncoming();
  ASSERT_TRUE(t.agent.setCredentials(t.call, {"1020", "secret"}));
  const auto challengeOf = [&](const SendRequest& sent, const char* realm) {
    Response response = t.makeReply(sent, 407);
    response.challenges = {AgentFixture::digestChallenge("n2", true)};
    setParameter(response.challenges[0].parameters, "realm", '"' + std::string(realm) + '"');
    t.handle(ResponseReceived{sent.id, std::move(response)});
  };
  for (const auto& [realm, answers] : {std::pair{"example.test", 1u}, {"elsewhere.test", 0u}}) {
    ASSERT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
    challengeOf(t.request(Method::Info), realm);
    EXPECT_EQ(t.requests.size(), answers) << realm;
    if (answers > 0) t.respond(t.request(Method::Info), 200);
  }
  EXPECT_EQ(t.event<InfoFailed>().status, 407);
  // Whoever is asked outside a dialog is the server, or whom it trusts with the call.
  const auto invite = t.startCall();
  challengeOf(invite, "elsewhere.test");
  EXPECT_EQ(t.request(Method::Invite).request.authorizations.size(), 1u);
}

// ---- Strangers and mistakes ----

TEST(UserAgent, RequestsOfUnknownDialogsGet481) {
  CallFixture t;
  t.establishIncoming();
  for (const Method method : {Method::Bye, Method::Info, Method::Notify, Method::Invite, Method::Options}) {
    Request otherTag = t.inDialog(method);
    otherTag.to.tag = "w1nobody";
    t.receive(std::move(otherTag));
    EXPECT_EQ(t.response().response.status, 481);
    Request otherCallId = t.inDialog(method);
    otherCallId.callId = "other";
    t.receive(std::move(otherCallId));
    EXPECT_EQ(t.response().response.status, 481);
    Request otherFarEnd = t.inDialog(method);
    otherFarEnd.from.tag = "other";
    t.receive(std::move(otherFarEnd));
    EXPECT_EQ(t.response().response.status, 481);
  }
  for (const Method method : {Method::Bye, Method::Info, Method::Notify, Method::Prack, Method::Update}) {
    Request outside = t.inDialog(method);
    outside.to.tag.clear();
    t.receive(std::move(outside));
    EXPECT_EQ(t.response().response.status, 481);
  }
  EXPECT_TRUE(t.events.empty());
  EXPECT_EQ(t.agent.counters().strayRequests, 20u);
}

TEST(UserAgent, MalformedRequestsAreAnsweredAndCounted) {
  const auto statusOf = [](auto&& spoil) {
    AgentFixture t;
    Request invite = t.inviteRequest();
    spoil(invite);
    t.receive(std::move(invite));
    if (t.responses.empty()) return 0;
    EXPECT_EQ(t.count<IncomingCall>(), 0u);
    return t.response().response.status;
  };
  EXPECT_EQ(statusOf([](Request& r) { r.from.tag.clear(); }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.callId.clear(); }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.callId = std::string(100000, 'x'); }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.from.tag = std::string(100000, 'x'); }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.cseq = 0xffffffff; }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.contacts.clear(); }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.contacts[0].uri = {}; }), 400);
  EXPECT_EQ(statusOf([](Request& r) { r.body = std::string(kBodyBytesMax + 1, 'x'); }), 413);
  EXPECT_EQ(statusOf([](Request& r) { r.contentType = "multipart/mixed"; }), 415);
  EXPECT_EQ(statusOf([](Request& r) { r.require = {"100rel", "precondition"}; }), 420);
  EXPECT_EQ(statusOf([](Request& r) { r.require = {"replaces", "norefersub", "Timer"}; }), 0);
  EXPECT_EQ(statusOf([](Request& r) { r.to.tag = "unknown"; }), 481);
}

TEST(UserAgent, CSeqZeroIsANumberLikeAnyOther) {
  AgentFixture t;
  Request invite = t.inviteRequest();
  invite.cseq = 0;
  t.receive(std::move(invite));
  EXPECT_EQ(t.count<IncomingCall>(), 1u);
}

TEST(UserAgent, AcksCancelsAndResponsesOfNobodyAreIgnored) {
  CallFixture t;
  t.establishIncoming();
  t.handle(CancelReceived{ServerTransactionId{4711}, {}});
  Request ack = t.inDialog(Method::Ack);
  ack.to.tag.clear();
  t.handle(AckReceived{ack});
  t.handle(AckReceived{});
  t.handle(TransactionFailed{ClientTransactionId{4711}});
  t.handle(ResponseReceived{ClientTransactionId{4711}, {}});
  t.handle(RequestReceived{ServerTransactionId{5}, t.inDialog(Method::Ack), {}});
  EXPECT_TRUE(t.silent());
  EXPECT_EQ(t.agent.counters().strayResponses, 1u);
}

TEST(UserAgent, ResponsesWithAbsurdStatusAreIgnored) {
  CallFixture t;
  const auto invite = t.startCall();
  for (const int status : {-1, 0, 99, 700, 100000}) {
    Response response = t.makeReply(invite, 200, "far", "answer");
    response.status = status;
    t.handle(ResponseReceived{invite.id, response});
  }
  EXPECT_TRUE(t.silent());
  EXPECT_EQ(t.agent.callCount(), 1u);
}

TEST(UserAgent, A200WithoutToTagOrContactStillMakesACallThatCanBeEnded) {
  CallFixture t;
  const auto invite = t.startCall();
  Response answer = t.makeReply(invite, 200, "", "answer");
  answer.contacts.clear();
  t.handle(ResponseReceived{invite.id, answer});
  t.event<Answered>();
  EXPECT_EQ(t.ack().destination.toString(), "sip:192.0.2.9:5060");
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "hold"));
  const auto reInvite = t.request(Method::Invite);
  t.handle(ResponseReceived{reInvite.id, t.makeReply(reInvite, 200, "", "held")});
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "held");
  ASSERT_TRUE(t.agent.hangUp(t.now, t.call));
  t.respond(t.request(Method::Bye), 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(UserAgent, HandleTimeoutIsHarmlessEarlyAndLate) {
  CallFixture t;
  t.startCall();
  for (int i = 0; i < 3; ++i) t.agent.handleTimeout(t.now);
  EXPECT_TRUE(t.silent());
  t.agent.handleTimeout(t.now + std::chrono::hours(100));
  EXPECT_EQ(t.event<Ended>().status, 408);
  t.agent.handleTimeout(t.now + std::chrono::hours(200));
  EXPECT_EQ(t.agent.callCount(), 0u);
}

}  // namespace
}  // namespace crosspoint::sip
