// Two transports on real loopback sockets, speaking to each other directly or through the embedded server.
#include "io/sip/sip_transport.h"

#include <gtest/gtest.h>

#include "io/sip/phone_for_test.h"
#include "io/sip/server/sip_server.h"

namespace crosspoint::sip {
namespace {

using test::Phone;
using namespace std::chrono_literals;

constexpr const char* kOffer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

class Transport : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(thread.start()); }
  SipTransport::Config quick() const {
    SipTransport::Config config;
    config.t1 = 20ms;
    config.t2 = 80ms;
    config.t4 = 100ms;
    return config;
  }
  SipThread thread;
};

// A phone that has no server: requests go straight to `peer`.
Request direct(Phone& from, Phone& to, Method method) {
  Request request = from.request(method, "b");
  request.uri = to.contact();
  request.to.uri = request.uri;
  return request;
}

ClientTransactionId sendTo(Phone& from, Phone& to, const Request& request, std::uint64_t id) {
  EXPECT_TRUE(from.sip().send(0, SendRequest{ClientTransactionId{id}, request, to.contact()}));
  return ClientTransactionId{id};
}

TEST_F(Transport, BindsUdpAndTcpToTheSamePortThatTheSystemChose) {
  Phone a(thread, "a", {});
  const SocketAddress address = a.sip().boundAddress();
  EXPECT_EQ(address.ip.toString(), "127.0.0.1");
  EXPECT_NE(address.port, 0);
}

TEST_F(Transport, SaysWhichAddressCouldNotBeHad) {
  Phone a(thread, "a", {});
  SipTransport::Config config;
  config.port = a.sip().boundAddress().port;
  SipTransport second(thread, config, [](const Request&) { return 0U; }, [](unsigned, Incoming&&) {});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("127.0.0.1:" + std::to_string(config.port)), std::string::npos) << started.error();
}

TEST_F(Transport, RefusesAHostNameAsBindAddress) {
  SipTransport::Config config;
  config.bindAddress = "example.org";
  SipTransport transport(thread, config, [](const Request&) { return 0U; }, [](unsigned, Incoming&&) {});
  EXPECT_FALSE(transport.start());
}

class TransportOver : public Transport, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Each, TransportOver, testing::Values("udp", "tcp"));

TEST_P(TransportOver, CarriesACallFromInviteToBye) {
  Phone a(thread, "a", {}, GetParam()), b(thread, "b", {}, GetParam());
  Request invite = direct(a, b, Method::Invite);
  invite.contentType = "application/sdp";
  invite.body = kOffer;
  invite.extraHeaders = {{"X-Note", "kept as it is"}};
  const auto id = sendTo(a, b, invite, 1);

  const auto received = b.received(Method::Invite);
  EXPECT_EQ(received.request.body, kOffer);
  EXPECT_EQ(received.request.contentType, "application/sdp");
  EXPECT_EQ(received.request.callId, invite.callId);
  EXPECT_EQ(received.request.from.tag, invite.from.tag);
  ASSERT_FALSE(received.request.extraHeaders.empty());
  EXPECT_EQ(received.request.extraHeaders.front(), (Header{"X-Note", "kept as it is"}));
  EXPECT_EQ(received.source.ip.toString(), "127.0.0.1");

  b.respond(received, 180);
  a.response(id, 180);
  b.respond(received, 200);
  const Response answer = a.response(id, 200);
  a.ack(invite, answer);
  EXPECT_EQ(b.next<AckReceived>().request.callId, invite.callId);

  const auto bye = sendTo(a, b, a.inDialog(Method::Bye, invite, answer, 2), 2);
  b.respond(b.received(Method::Bye), 200);
  a.response(bye, 200);
}

TEST_P(TransportOver, CancelsARingingCall) {
  Phone a(thread, "a", {}, GetParam()), b(thread, "b", {}, GetParam());
  const Request invite = direct(a, b, Method::Invite);
  const auto id = sendTo(a, b, invite, 1);
  const auto received = b.received(Method::Invite);
  b.respond(received, 180);
  a.response(id, 180);
  a.sip().send(0, CancelRequest{id, {Reason{"SIP", 200, "Call completed elsewhere"}}});
  const auto cancelled = b.next<CancelReceived>();
  EXPECT_EQ(cancelled.id, received.id);
  ASSERT_EQ(cancelled.reasons.size(), 1U);
  EXPECT_EQ(cancelled.reasons.front(), (Reason{"SIP", 200, "Call completed elsewhere"}));
  b.respond(received, 487);
  a.response(id, 487);
  EXPECT_EQ(a.sip().stats().clientTransactions, 0U);
  EXPECT_EQ(b.sip().stats().serverTransactions, 0U);
}

TEST_P(TransportOver, HoldsACancelBackUntilTheFirstProvisionalResponse) {
  Phone a(thread, "a", {}, GetParam(), quick()), b(thread, "b", {}, GetParam(), quick());
  const auto id = sendTo(a, b, direct(a, b, Method::Invite), 1);
  a.sip().send(0, CancelRequest{id, {}});
  const auto received = b.received(Method::Invite);
  EXPECT_EQ(b.heard<CancelReceived>(), 0U);
  b.respond(received, 183);
  EXPECT_EQ(b.next<CancelReceived>().id, received.id);
  b.respond(received, 487);
  a.response(id, 487);
}

TEST_P(TransportOver, AnUnansweredInfoDoesNotDelayABye) {
  Phone a(thread, "a", {}, GetParam()), b(thread, "b", {}, GetParam());
  const Request invite = direct(a, b, Method::Invite);
  const auto id = sendTo(a, b, invite, 1);
  b.respond(b.received(Method::Invite), 200);
  const Response answer = a.response(id, 200);
  a.ack(invite, answer);
  sendTo(a, b, a.inDialog(Method::Info, invite, answer, 2), 2);
  b.received(Method::Info);
  const auto started = std::chrono::steady_clock::now();
  const auto bye = sendTo(a, b, a.inDialog(Method::Bye, invite, answer, 3), 3);
  b.respond(b.received(Method::Bye), 200);
  a.response(bye, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);  // 32 s where requests queue behind each other
}

TEST_P(TransportOver, HandsEveryRepeatedAnswerUpUntilTheAckStopsIt) {
  Phone a(thread, "a", {}, GetParam(), quick()), b(thread, "b", {}, GetParam(), quick());
  const Request invite = direct(a, b, Method::Invite);
  const auto id = sendTo(a, b, invite, 1);
  b.respond(b.received(Method::Invite), 200);
  a.response(id, 200);
  a.response(id, 200);
  const Response third = a.response(id, 200);
  a.ack(invite, third);
  b.next<AckReceived>();
  EXPECT_EQ(b.sip().stats().serverTransactions, 0U);
}

TEST_P(TransportOver, AnAnswerWithoutAckIsForgottenAfter64T1) {
  Phone a(thread, "a", {}, GetParam(), quick()), b(thread, "b", {}, GetParam(), quick());
  const auto id = sendTo(a, b, direct(a, b, Method::Invite), 1);
  b.respond(b.received(Method::Invite), 200);
  a.response(id, 200);
  const auto giveUp = std::chrono::steady_clock::now() + test::kDeadline;
  while (b.sip().stats().serverTransactions + a.sip().stats().clientTransactions > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), giveUp);
  }
}

TEST_P(TransportOver, RefusalsAreAcknowledgedWithoutTheCore) {
  Phone a(thread, "a", {}, GetParam()), b(thread, "b", {}, GetParam());
  const auto id = sendTo(a, b, direct(a, b, Method::Invite), 1);
  b.respond(b.received(Method::Invite), 486);
  a.response(id, 486);
  EXPECT_EQ(b.heard<AckReceived>(), 0U);
  EXPECT_EQ(a.sip().stats().clientTransactions, 0U);
}

TEST_F(Transport, ReportsARequestThatNobodyAnswersAsTimedOut) {
  Phone a(thread, "a", {}, "udp", quick()), silent(thread, "b", {}, "udp", quick());
  const auto id = sendTo(a, silent, direct(a, silent, Method::Options), 7);
  const auto failed = a.next<TransactionFailed>();
  EXPECT_EQ(failed.id, id);
  EXPECT_EQ(failed.cause, TransactionFailed::Cause::Timeout);
  EXPECT_EQ(silent.received(Method::Options).request.method, Method::Options);
}

TEST_F(Transport, ReportsAPortWhereNobodyListensAsFailed) {
  Phone a(thread, "a", {}, "tcp", quick());
  Request request = a.request(Method::Options, "b");
  const Uri nowhere = a.uriAt({IpAddress::v4(0x7f000001), 1}, "b");
  request.uri = nowhere;
  a.sip().send(0, SendRequest{ClientTransactionId{9}, request, nowhere});
  EXPECT_EQ(a.next<TransactionFailed>().id, ClientTransactionId{9});
}

TEST_F(Transport, AsksTheResolverForNoNameThatIsNotConfigured) {
  Phone a(thread, "a", {}, "udp", quick());
  Request request = a.request(Method::Options, "b");
  Uri name = a.uriAt({IpAddress::v4(0x7f000001), 5060}, "b");
  name.host = "sip.example.org";
  request.uri = name;
  a.sip().send(0, SendRequest{ClientTransactionId{1}, request, name});
  EXPECT_EQ(a.next<TransactionFailed>().cause, TransactionFailed::Cause::Transport);
}

TEST_F(Transport, RefusesRequestsBeyondItsTableWithoutTheCore) {
  SipTransport::Config small;
  small.serverTransactionsMax = 1;
  Phone a(thread, "a", {}), b(thread, "b", {}, "udp", small);
  sendTo(a, b, direct(a, b, Method::Options), 1);
  const auto first = b.received(Method::Options);
  const auto second = sendTo(a, b, direct(a, b, Method::Options), 2);
  a.response(second, 503);
  b.respond(first, 200);
  a.response(ClientTransactionId{1}, 200);
  EXPECT_EQ(b.sip().stats().refused, 1U);
}

TEST_F(Transport, FailsRequestsBeyondItsTableAtOnce) {
  SipTransport::Config small;
  small.clientTransactionsMax = 1;
  Phone a(thread, "a", {}, "udp", small), b(thread, "b", {});
  sendTo(a, b, direct(a, b, Method::Options), 1);
  b.received(Method::Options);
  sendTo(a, b, direct(a, b, Method::Options), 2);
  EXPECT_EQ(a.next<TransactionFailed>().id, ClientTransactionId{2});
}

TEST_F(Transport, RoutesNewRequestsToTheWorkerThatWasChosen) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<unsigned> delivered;
  SipTransport::Config config;
  config.workers = 4;
  SipTransport b(
      thread, config, [](const Request& request) { return request.uri.user == "three" ? 3U : 9U; },
      [&](unsigned worker, Incoming&&) {
        std::lock_guard lock(mutex);
        delivered = worker;
        changed.notify_all();
      });
  ASSERT_TRUE(b.start());
  Phone a(thread, "a", {});
  const auto ask = [&](const std::string& user, std::uint64_t id) {
    Request request = a.request(Method::Options, user);
    request.uri = a.uriAt(b.boundAddress(), user);
    a.sip().send(0, SendRequest{ClientTransactionId{id}, request, request.uri});
  };
  ask("three", 1);
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, test::kDeadline, [&] { return delivered.has_value(); }));
  }
  EXPECT_EQ(delivered, 3U);
  ask("nobody", 2);
  a.response(ClientTransactionId{2}, 503);
  b.stop();
}

TEST_F(Transport, RefusesToSendWhenStopped) {
  Phone a(thread, "a", {});
  a.sip().stop();
  EXPECT_FALSE(a.sip().send(0, CancelRequest{ClientTransactionId{1}, {}}));
}

TEST_F(Transport, NoTextOfAPageStartsAHeaderOfItsOwn) {
  Phone a(thread, "a", {}), b(thread, "b", {});
  Request request = direct(a, b, Method::Message);
  request.from.display = "Eve\r\nX-Evil: 1";
  request.extraHeaders = {{"X-Note", "one\r\nX-Evil: 2"}};
  const auto id = sendTo(a, b, request, 1);
  const auto received = b.received(Method::Message);
  for (const auto& header : received.request.extraHeaders) EXPECT_NE(header.name, "X-Evil");
  b.respond(received, 200);
  a.response(id, 200);
}

// What no client would send, one datagram each.
std::vector<std::string> malformedDatagrams() {
  const std::string head = "INVITE sip:b@127.0.0.1 SIP/2.0\r\n";
  const std::string via = "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx;rport\r\n";
  const std::string rest = "From: <sip:e@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: m\r\nCSeq: 1 INVITE\r\n";
  return {"",
          "\r\n\r\n",
          std::string(1, '\0'),
          "INVITE",
          head,
          head + "\r\n",
          head + via + "\r\n",
          head + via + rest + "Content-Length: 999999\r\n\r\nx",
          head + via + rest + "Content-Length: -1\r\n\r\n",
          head + via + "From: <>\r\nTo: <>\r\nCall-ID: \r\nCSeq: x\r\n\r\n",
          head + "Via: SIP/2.0/UDP host;maddr=nowhere;branch=z9hG4bKy\r\n" + rest + "\r\n",
          head + "Via: SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bKz\r\n" + rest + "\r\n",
          head + "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKz\r\n" + rest + "\r\n",
          head + via + via + via + rest + "Contact: *\r\nRoute: <\r\nRecord-Route: ,,,\r\n\r\n",
          "ACK sip:b@127.0.0.1 SIP/2.0\r\n" + via + rest + "\r\n",
          "CANCEL sip:b@127.0.0.1 SIP/2.0\r\n" + via + rest + "\r\n",
          "SIP/2.0 200 OK\r\n" + via + rest + "\r\n",
          "SIP/2.0 999 What\r\n" + via + rest + "\r\n",
          "SIP/2.0 200 OK\r\n\r\n",
          "INVITE sip:b@127.0.0.1 SIP/9.9\r\n" + via + rest + "\r\n",
          "INVITE http://b/ SIP/2.0\r\n" + via + rest + "\r\n",
          head + via + rest + "X: " + std::string(40'000, 'a') + "\r\n\r\n",
          head + via + rest + std::string(60'000, '\xff')};
}

void throwDatagrams(const SocketAddress& to) {
  const loop::FileDescriptor socket = test::datagramSocket();
  const sockaddr_in address = test::loopback(to.port);
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  for (const auto& datagram : malformedDatagrams()) {
    ::sendto(socket.get(), datagram.data(), datagram.size(), 0, plain, sizeof address);
  }
  const loop::FileDescriptor stream(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(stream.get(), plain, sizeof address), 0);
  for (const auto& datagram : malformedDatagrams()) {
    ::send(stream.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL);
  }
}

TEST_F(Transport, MalformedDatagramsAreCountedAndACallWorksAfterwards) {
  SipServer server(thread, {});
  ASSERT_TRUE(server.start());
  {
    Phone a(thread, "a", server.boundAddress()), b(thread, "b", server.boundAddress());
    throwDatagrams(server.boundAddress());
    throwDatagrams(a.sip().boundAddress());
    throwDatagrams(b.sip().boundAddress());
    EXPECT_EQ(b.registerAt(), 200);
    const Request invite = a.request(Method::Invite, "b");
    const auto id = a.send(invite);
    b.respond(b.next<RequestReceived>([&](const auto& m) { return m.request.callId == invite.callId; }), 200);
    a.ack(invite, a.response(id, 200));
    b.next<AckReceived>([&](const auto& m) { return m.request.callId == invite.callId; });
    EXPECT_GT(b.sip().stats().malformed, 0U);
    EXPECT_GT(server.stats().malformed, 0U);
  }
  server.stop();
}

TEST_F(Transport, ALongRequestGoesOverTcpAndByUdpToWhoeverDoesNotSpeakTcp) {
  for (const bool tcp : {true, false}) {
    auto config = quick();
    config.tcp = tcp;
    config.udp = !tcp;  // what arrives says over which it came
    Phone to(thread, "b", {}, "udp", config), from(thread, "a", {}, "udp", quick());
    Request request = direct(from, to, Method::Message);
    request.contentType = "text/plain";
    request.body = std::string(1'400, 'x');
    sendTo(from, to, request, 1);
    EXPECT_EQ(to.received(Method::Message).request.body, request.body);
  }
}

}  // namespace
}  // namespace crosspoint::sip
