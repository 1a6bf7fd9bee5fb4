// The server watched by OPTIONS, what its return does to registrations, and the ways to it: outbound proxy and service
// routes.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::AgentFixture;
using test::CallFixture;

Config watching(seconds interval = 30s) {
  Config config = test::defaultConfig();
  config.optionsInterval = interval;
  return config;
}

struct WatchFixture : AgentFixture {
  explicit WatchFixture(Config config = watching()) : AgentFixture(std::move(config)) {}

  SendRequest ask() {
    for (int i = 0; i < 1000 && !pending(Method::Options); ++i) runFor(100ms);
    return request(Method::Options);
  }
  bool pending(Method method) {
    drain();
    return std::ranges::any_of(requests, [=](const SendRequest& sent) { return sent.request.method == method; });
  }
  void fail(const SendRequest& sent, TransactionFailed::Cause cause = TransactionFailed::Cause::Timeout) {
    handle(TransactionFailed{sent.id, cause});
  }
  RegistrationId registered(const std::string& user, std::uint32_t expires = 3600) {
    const auto id = agent.registerUser(now, user, {}, "secret", seconds(expires));
    EXPECT_TRUE(id.has_value());
    grant(request(Method::Register), expires);
    event<RegistrationSucceeded>();
    return id.value_or(RegistrationId{});
  }
  void grant(const SendRequest& sent, std::uint32_t expires = 3600) {
    Response response = makeReply(sent, 200);
    response.contacts.clear();
    response.expires = expires;
    handle(ResponseReceived{sent.id, std::move(response)});
  }
};

TEST(ServerWatch, AsksNothingUnlessItIsTold) {
  AgentFixture t;
  EXPECT_FALSE(t.agent.nextTimeout().has_value());
}

TEST(ServerWatch, AsksTheServerNowAndThen) {
  WatchFixture t;
  const auto first = t.ask();
  EXPECT_LE(t.now, test::kStart + 30s);
  EXPECT_EQ(first.request.uri.toString(), "sip:192.0.2.9:5060");
  EXPECT_EQ(first.destination, test::defaultConfig().server);
  EXPECT_FALSE(first.request.from.tag.empty());
  const TimePoint answered = t.now;
  t.respond(first, 200);
  const auto second = t.ask();
  EXPECT_EQ(t.now, answered + 30s);
  EXPECT_EQ(second.request.callId, first.request.callId);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_TRUE(t.events.empty()) << "reachable from the start";
}

TEST(ServerWatch, TellsEachChangeOnce) {
  WatchFixture t;
  t.fail(t.ask());
  auto told = t.event<ServerReachable>();
  EXPECT_FALSE(told.reachable);
  EXPECT_EQ(told.status, 408);
  const TimePoint lost = t.now;
  t.fail(t.ask(), TransactionFailed::Cause::Transport);
  EXPECT_EQ(t.now, lost + 5s) << "asked more often";
  t.respond(t.ask(), 503);
  EXPECT_TRUE(t.events.empty());
  t.respond(t.ask(), 404);
  told = t.event<ServerReachable>();
  EXPECT_TRUE(told.reachable) << "any other answer says that it lives";
  EXPECT_EQ(told.status, 404);
  t.challenge(t.ask(), 401, "n1");
  EXPECT_TRUE(t.events.empty());
}

TEST(ServerWatch, AnAnswerThatNeverComesIsItsOwnFinding) {
  WatchFixture t;
  const auto first = t.ask();
  t.runFor(34s);
  EXPECT_FALSE(t.event<ServerReachable>().reachable);
  t.respond(first, 200);
  EXPECT_TRUE(t.events.empty()) << "too late";
}

TEST(ServerWatch, ItsReturnRenewsLostRegistrationsAtOnce) {
  WatchFixture t;
  const RegistrationId id = t.registered("1020", 60);
  bool lost = false;
  while (!lost) {  // nothing is answered
    t.runFor(1s);
    while (!t.requests.empty()) {
      t.fail(t.requests.front());
      t.requests.pop_front();
    }
    lost = t.count<RegistrationLost>() > 0;
  }
  while (t.pending(Method::Register) || !t.pending(Method::Options)) {
    if (t.pending(Method::Register)) t.fail(t.request(Method::Register));
    t.runFor(100ms);
  }
  t.respond(t.ask(), 200);
  t.runFor(10ms);
  t.grant(t.request(Method::Register));
  EXPECT_EQ(t.event<RegistrationSucceeded>().id, id);
}

TEST(ServerWatch, ARegistrationThatItsReturnFindsWaitingForAnAnswerIsTriedAgainSoon) {
  WatchFixture t;
  t.registered("1020", 60);
  const auto nextRegister = [&] {
    while (!t.pending(Method::Register)) {
      if (t.pending(Method::Options)) t.fail(t.request(Method::Options));
      t.runFor(100ms);
    }
    return t.request(Method::Register);
  };
  for (int i = 0; i < 6; ++i) t.fail(nextRegister());  // ever more slowly
  const auto missed = nextRegister();
  t.respond(t.ask(), 200);
  t.runFor(1s);
  t.fail(missed);
  const TimePoint failed = t.now;
  nextRegister();
  EXPECT_LE(t.now, failed + 5s);
}

TEST(ServerWatch, ItsReturnRenewsTheOthersToo) {
  WatchFixture t;
  t.registered("1020");
  t.fail(t.ask());
  t.respond(t.ask(), 200);
  t.runFor(1s);
  const auto refresh = t.request(Method::Register);
  EXPECT_EQ(refresh.request.to.uri.user, "1020") << "the server may have forgotten it";
  t.grant(refresh);
  EXPECT_EQ(t.count<RegistrationSucceeded>(), 0u) << "a refresh like any other";
}

TEST(ServerWatch, ManyRegistrationsReturnAtABoundedRate) {
  Config config = watching();
  config.limits.registersPerSecond = 100;
  WatchFixture t(config);
  constexpr int kCount = 3000;
  for (int i = 0; i < kCount; ++i) t.registered("u" + std::to_string(i));
  t.fail(t.ask());
  t.respond(t.ask(), 200);
  std::size_t most = 0, all = 0;
  for (int second = 0; second < 31; ++second) {
    t.runFor(1s);
    std::size_t sent = 0;
    while (t.pending(Method::Register)) {
      t.grant(t.request(Method::Register));
      ++sent;
    }
    most = std::max(most, sent);
    all += sent;
  }
  EXPECT_EQ(all, std::size_t{kCount});
  EXPECT_LE(most, 150u);
}

// ---- The ways to the server ----

TEST(OutboundProxy, IsTheFirstHopOfEverythingOutsideDialogs) {
  Config config = watching();
  config.outboundProxy = *Uri::parse("sip:proxy.example.test:5080;transport=tcp");
  CallFixture t(config);
  const auto invite = t.startCall();
  EXPECT_EQ(invite.destination, config.outboundProxy);
  ASSERT_EQ(invite.request.routes.size(), 1u);
  EXPECT_EQ(invite.request.routes[0].uri.toString(), "sip:proxy.example.test:5080;transport=tcp;lr");
  EXPECT_EQ(invite.request.uri.toString(), "sip:1021@example.test");
  EXPECT_EQ(invite.request.from.uri.host, "example.test");
  ASSERT_TRUE(t.agent.registerUser(t.now, "1020", {}, "secret", 300s));
  const auto registers = t.request(Method::Register);
  EXPECT_EQ(registers.destination, config.outboundProxy);
  EXPECT_EQ(registers.request.routes.size(), 1u);
  EXPECT_EQ(registers.request.uri.toString(), "sip:example.test");
  t.runFor(30s);
  const auto options = t.request(Method::Options);
  EXPECT_EQ(options.destination, config.outboundProxy);
  EXPECT_EQ(options.request.uri.toString(), "sip:192.0.2.9:5060");

  t.respond(invite, 200, "far", "answer");
  t.ack();
  EXPECT_TRUE(t.agent.sendInfo(t.now, t.call, "text/plain", "x"));
  const auto info = t.request(Method::Info);
  EXPECT_TRUE(info.request.routes.empty()) << "inside a dialog its own route set counts";
  EXPECT_EQ(info.destination.toString(), "sip:phone@198.51.100.7:5062");
}

TEST(OutboundProxy, WithoutOneTheServerIsItWithoutARoute) {
  CallFixture t;
  const auto invite = t.startCall();
  EXPECT_EQ(invite.destination, test::defaultConfig().server);
  EXPECT_TRUE(invite.request.routes.empty());
}

TEST(ServiceRoute, IsTheRouteOfLaterCallsOfThatDn) {
  WatchFixture t(test::defaultConfig());
  const auto id = t.agent.registerUser(t.now, "1020", {}, "secret", 300s);
  const auto sent = t.request(Method::Register);
  EXPECT_TRUE(sent.request.routes.empty());
  Response response = t.makeReply(sent, 200);
  response.serviceRoutes = {test::address("sip:orig@edge.example.test;lr"), test::address("sip:home.example.test;lr")};
  t.handle(ResponseReceived{sent.id, response});
  const auto callFrom = [&](std::string user) {
    EXPECT_TRUE(t.agent.invite(t.now, {.fromUser = std::move(user), .to = "1021", .sdp = "offer"}));
    return t.request(Method::Invite);
  };
  const auto invite = callFrom("1020");
  EXPECT_EQ(invite.request.routes, response.serviceRoutes);
  EXPECT_EQ(invite.destination, test::defaultConfig().server) << "the configured first hop passes it on";
  EXPECT_TRUE(callFrom("1021").request.routes.empty());

  while (!t.pending(Method::Register)) t.runFor(1s);
  const auto refresh = t.request(Method::Register);
  EXPECT_TRUE(refresh.request.routes.empty()) << "RFC 3608 §5.1: not for REGISTER";
  t.grant(refresh);
  EXPECT_TRUE(callFrom("1020").request.routes.empty()) << "the last answer counts";
  ASSERT_TRUE(id.has_value());
}

TEST(ServiceRoute, StandsBehindTheOutboundProxyAndGoesWithTheRegistration) {
  Config config = test::defaultConfig();
  config.outboundProxy = *Uri::parse("sip:proxy.example.test;lr");
  WatchFixture t(config);
  const auto id = t.agent.registerUser(t.now, "1020", {}, "secret", 300s);
  const auto sent = t.request(Method::Register);
  Response response = t.makeReply(sent, 200);
  response.serviceRoutes = {test::address("sip:proxy.example.test;lr"), test::address("sip:home.example.test;lr")};
  t.handle(ResponseReceived{sent.id, response});
  const auto usersOfRoutes = [&] {
    EXPECT_TRUE(t.agent.invite(t.now, {.fromUser = "1020", .to = "1021", .sdp = "offer"}));
    std::string hosts;
    for (const auto& route : t.request(Method::Invite).request.routes) hosts += route.uri.host + ' ';
    return hosts;
  };
  EXPECT_EQ(usersOfRoutes(), "proxy.example.test home.example.test ") << "the proxy once";
  EXPECT_TRUE(t.agent.forget(*id));
  EXPECT_EQ(usersOfRoutes(), "proxy.example.test ");
}

}  // namespace
}  // namespace crosspoint::sip
