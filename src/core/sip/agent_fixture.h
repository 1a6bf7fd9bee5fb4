// For tests: one UserAgent in virtual time, and a far end that a test scripts on the values.
#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "core/sip/dialog.h"
#include "core/sip/user_agent.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::sip::test {

inline constexpr TimePoint kStart{std::chrono::hours(1)};

inline Config defaultConfig() {
  Config config;
  config.contact = *Uri::parse("sip:192.0.2.1:5070");
  config.server = *Uri::parse("sip:192.0.2.9:5060");
  config.domain = "example.test";
  config.tagPrefix = "w1";
  return config;
}

inline NameAddr address(std::string_view uri, std::string tag = {}) {
  return {.uri = *Uri::parse(uri), .tag = std::move(tag)};
}

struct AgentFixture {
  explicit AgentFixture(Config config = defaultConfig()) : agent(std::move(config), random, kStart) {}

  crosspoint::test::SeededRandom random{1};
  TimePoint now = kStart;
  UserAgent agent;
  std::deque<SendRequest> requests;
  std::deque<SendAck> acks;
  std::deque<CancelRequest> cancels;
  std::deque<SendResponse> responses;
  std::deque<Event> events;
  std::uint64_t lastServerTransaction = 0;

  void drain() {
    while (auto output = agent.pollOutput()) {
      if (auto* event = std::get_if<Event>(&*output)) {
        events.push_back(std::move(*event));
        continue;
      }
      auto& outgoing = std::get<Outgoing>(*output);
      if (auto* request = std::get_if<SendRequest>(&outgoing)) requests.push_back(std::move(*request));
      if (auto* ack = std::get_if<SendAck>(&outgoing)) acks.push_back(std::move(*ack));
      if (auto* cancel = std::get_if<CancelRequest>(&outgoing)) cancels.push_back(std::move(*cancel));
      if (auto* response = std::get_if<SendResponse>(&outgoing)) responses.push_back(std::move(*response));
    }
  }
  void runUntil(TimePoint end) {
    drain();
    while (agent.nextTimeout() && *agent.nextTimeout() <= end) {
      now = std::max(now, *agent.nextTimeout());
      agent.handleTimeout(now);
      drain();
    }
    now = end;
  }
  void runFor(Duration duration) { runUntil(now + duration); }
  void handle(Incoming incoming) {
    agent.handle(now, std::move(incoming));
    drain();
  }

  // The oldest thing of its kind that left; a failure and a default value if there is none.
  SendRequest request(Method method) {
    drain();
    for (auto it = requests.begin(); it != requests.end(); ++it) {
      if (it->request.method != method) continue;
      SendRequest found = std::move(*it);
      requests.erase(it);
      return found;
    }
    ADD_FAILURE() << "no " << toString(method) << " was sent";
    return {};
  }
  SendResponse response() {
    drain();
    if (responses.empty()) {
      ADD_FAILURE() << "no response was sent";
      return {};
    }
    SendResponse found = std::move(responses.front());
    responses.pop_front();
    return found;
  }
  SendAck ack() {
    drain();
    if (acks.empty()) {
      ADD_FAILURE() << "no ACK was sent";
      return {};
    }
    SendAck found = std::move(acks.front());
    acks.pop_front();
    return found;
  }
  template <typename E>
  E event() {
    drain();
    for (auto it = events.begin(); it != events.end(); ++it) {
      if (!std::holds_alternative<E>(*it)) continue;
      E found = std::get<E>(std::move(*it));
      events.erase(it);
      return found;
    }
    ADD_FAILURE() << "no such event";
    return {};
  }
  template <typename E>
  std::size_t count() {
    drain();
    std::size_t n = 0;
    for (const auto& event : events) n += std::holds_alternative<E>(event);
    return n;
  }
  bool silent() {
    drain();
    return requests.empty() && acks.empty() && cancels.empty() && responses.empty() && events.empty();
  }

  // ---- The far end ----

  void respond(const SendRequest& sent, int status, std::string tag = "far", std::string sdp = {}) {
    handle(ResponseReceived{sent.id, makeReply(sent, status, std::move(tag), std::move(sdp))});
  }
  static Response makeReply(const SendRequest& sent, int status, std::string tag = "far", std::string sdp = {}) {
    Response response = makeResponse(sent.request, status, status > 100 ? tag : "");
    response.contacts = {address("sip:phone@198.51.100.7:5062")};
    if (!sdp.empty()) {
      response.contentType = "application/sdp";
      response.body = std::move(sdp);
    }
    return response;
  }
  // A reliable provisional response (RFC 3262) of a far end that allows UPDATE.
  void respondReliably(const SendRequest& sent, int status, std::uint32_t rseq, std::string sdp = {},
                       std::string tag = "far") {
    Response response = makeReply(sent, status, std::move(tag), std::move(sdp));
    response.require = {"100rel"};
    response.rseq = rseq;
    response.allow = {"INVITE", "ACK", "BYE", "UPDATE"};
    handle(ResponseReceived{sent.id, std::move(response)});
  }
  static Challenge digestChallenge(std::string nonce, bool proxy = false, bool stale = false) {
    Challenge challenge{
        .proxy = proxy,
        .scheme = "Digest",
        .parameters = {{"realm", "\"example.test\""}, {"nonce", '"' + nonce + '"'}, {"qop", "\"auth\""}}};
    if (stale) challenge.parameters.push_back({"stale", "TRUE"});
    return challenge;
  }
  void challenge(const SendRequest& sent, int status, std::string nonce, bool stale = false) {
    Response response = makeReply(sent, status);
    response.challenges = {digestChallenge(std::move(nonce), status == 407, stale)};
    handle(ResponseReceived{sent.id, std::move(response)});
  }
  ServerTransactionId receive(Request request) {
    const ServerTransactionId id{++lastServerTransaction};
    handle(RequestReceived{id, std::move(request), *SocketAddress::parse("192.0.2.9:5060")});
    return id;
  }
  static Request inviteRequest(std::string sdp = "offer") {
    Request invite;
    invite.method = Method::Invite;
    invite.uri = *Uri::parse("sip:1020@192.0.2.1:5070");
    invite.from = address("sip:phone@example.test", "far");
    invite.to = address("sip:1020@example.test");
    invite.callId = "call-of-the-phone";
    invite.cseq = 7;
    invite.contacts = {address("sip:phone@198.51.100.7:5062")};
    if (!sdp.empty()) {
      invite.contentType = "application/sdp";
      invite.body = std::move(sdp);
    }
    return invite;
  }
};

// A call that is up, in either direction, and the far end's side of its dialog.
struct CallFixture : AgentFixture {
  explicit CallFixture(Config config = defaultConfig()) : AgentFixture(std::move(config)) {}

  CallId call{};
  std::string callId, ourTag, farTag = "far";
  std::uint32_t farCseq = 100, inviteCseq = 0;

  SendRequest startCall(std::optional<std::string> sdp = "offer") {
    const auto started = agent.invite(now, {.fromUser = "1020",
                                            .to = "1021",
                                            .credentials = {.user = "1020", .password = "secret"},
                                            .sdp = std::move(sdp)});
    EXPECT_TRUE(started.has_value());
    call = started.value_or(CallId{});
    SendRequest invite = request(Method::Invite);
    callId = invite.request.callId;
    ourTag = invite.request.from.tag;
    return invite;
  }
  // Our call, answered and acknowledged.
  SendRequest establishOutgoing() {
    SendRequest invite = startCall();
    respond(invite, 200, farTag, "answer");
    event<Answered>();
    ack();
    return invite;
  }
  // A call that came in and has not been answered.
  ServerTransactionId startIncoming(std::string sdp = "offer") {
    Request invite = inviteRequest(std::move(sdp));
    callId = invite.callId;
    farCseq = invite.cseq;
    const auto id = receive(std::move(invite));
    call = event<IncomingCall>().call;
    return id;
  }
  void establishIncoming() {
    startIncoming();
    EXPECT_TRUE(agent.accept(now, call, "answer"));
    ourTag = response().response.to.tag;
    handle(AckReceived{inDialog(Method::Ack)});
    event<Confirmed>();
  }
  // A call that came in from a caller with 100rel and UPDATE.
  ServerTransactionId startIncomingReliable(std::string sdp = "offer", bool required = false) {
    Request invite = inviteRequest(std::move(sdp));
    (required ? invite.require : invite.supported) = {"100rel"};
    invite.allow = {"INVITE", "ACK", "BYE", "PRACK", "UPDATE"};
    callId = invite.callId;
    farCseq = inviteCseq = invite.cseq;
    const auto id = receive(std::move(invite));
    call = event<IncomingCall>().call;
    return id;
  }
  Request prack(const SendResponse& reliable, std::string sdp = {}) {
    ourTag = reliable.response.to.tag;
    Request request = inDialog(Method::Prack, std::move(sdp));
    request.rack = RAck{reliable.response.rseq.value_or(0), reliable.response.cseq, Method::Invite};
    return request;
  }
  // The ACK of the first INVITE, whatever came after that.
  void acknowledgeFirst(std::string sdp = {}) {
    Request ack = inDialog(Method::Ack, std::move(sdp));
    ack.cseq = inviteCseq;
    handle(AckReceived{std::move(ack)});
  }
  // The far end's next request in the dialog; an ACK has the number of the INVITE before it.
  Request inDialog(Method method, std::string sdp = {}) {
    Request request;
    request.method = method;
    request.uri = *Uri::parse("sip:1020@192.0.2.1:5070");
    request.from = address("sip:phone@example.test", farTag);
    request.to = address("sip:1020@example.test", ourTag);
    request.callId = callId;
    request.cseq = method == Method::Ack ? farCseq : ++farCseq;
    if (method == Method::Invite) request.contacts = {address("sip:phone@198.51.100.7:5062")};
    if (!sdp.empty()) {
      request.contentType = "application/sdp";
      request.body = std::move(sdp);
    }
    return request;
  }
  // Nothing is left of any call once `duration` has passed.
  void expectNothingLeftAfter(Duration duration) {
    runFor(duration);
    EXPECT_EQ(agent.callCount(), 0u);
    EXPECT_FALSE(agent.nextTimeout().has_value());
  }
};

// A call of ours that is up, with a far end that allows UPDATE; `interval` 0: and knows no session timer.
struct UpdateFixture : CallFixture {
  SendRequest establish(std::uint32_t interval = 0,
                        SessionExpires::Refresher refresher = SessionExpires::Refresher::Uac,
                        bool allowsUpdate = true) {
    SendRequest invite = startCall();
    Response answer = makeReply(invite, 200, farTag, "answer");
    if (allowsUpdate) answer.allow = {"INVITE", "ACK", "BYE", "UPDATE"};
    if (interval != 0) answer.sessionExpires = SessionExpires{interval, refresher};
    handle(ResponseReceived{invite.id, answer});
    event<Answered>();
    ack();
    return invite;
  }
  // Our call rings, and its offer has been answered reliably.
  SendRequest ringReliably() {
    SendRequest invite = startCall();
    respondReliably(invite, 183, 1, "early");
    respond(request(Method::Prack), 200);
    event<EarlyMedia>();
    return invite;
  }
};

inline std::string parameterOf(const Authorization& authorization, std::string_view name) {
  return std::string(findParameter(authorization.parameters, name).value_or(""));
}

}  // namespace crosspoint::sip::test
