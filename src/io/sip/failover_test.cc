// A SIP server that is a name: SRV, several servers of which some are dead, and names that are nobody's business.
#include <gtest/gtest.h>

#include "io/dns/name_server_for_test.h"
#include "io/sip/phone_for_test.h"

namespace crosspoint::sip {
namespace {

using test::Phone;
using namespace std::chrono_literals;

class Failover : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(thread.start());
    dns.setAddress("one.pbx.test", *IpAddress::parse("127.0.0.1"));
  }
  static SipTransport::Config quick() {
    SipTransport::Config config;
    config.t1 = 50ms;
    config.t2 = 200ms;
    config.t4 = 250ms;
    return config;
  }
  SipTransport::Config named() const {
    auto config = quick();
    config.server = Uri::parse("sip:pbx.test");
    config.dnsServers = {dns.address()};
    config.hopTimeout = 300ms;
    return config;
  }
  dns::Service at(const SocketAddress& address, std::uint16_t priority) const {
    return {.priority = priority, .weight = 0, .port = address.port, .host = "one.pbx.test"};
  }
  ClientTransactionId sendTo(Phone& from, const std::string& uri, Method method = Method::Options) {
    const ClientTransactionId id{++last};
    EXPECT_TRUE(from.sip().send(0, SendRequest{id, from.request(method, "b"), *Uri::parse(uri)}));
    return id;
  }
  // Answers the next request that `server` gets.
  static void answer(Phone& server, int status) { server.respond(server.next<RequestReceived>(), status); }
  static TransactionFailed waitForFailure(Phone& phone, ClientTransactionId id) {
    return phone.next<TransactionFailed>([&](const TransactionFailed& failed) { return failed.id == id; });
  }

  SipThread thread;
  dns::test::NameServer dns;
  std::uint64_t last = 0;
};

TEST_F(Failover, TheServiceRecordsSayWhereTheServerIs) {
  Phone server(thread, "s", {});
  dns.setServices("_sip._udp.pbx.test", {at(server.sip().boundAddress(), 10)});
  Phone phone(thread, "p", {}, "udp", named());
  const auto id = sendTo(phone, "sip:pbx.test");
  answer(server, 200);
  EXPECT_EQ(phone.final(id).status, 200);
}

TEST_F(Failover, WithoutServiceRecordsTheNameItselfIsTheServer) {
  Phone server(thread, "s", {});
  dns.setAddress("pbx.test", *IpAddress::parse("127.0.0.1"));
  Phone phone(thread, "p", {}, "udp", named());
  const auto id = sendTo(phone, "sip:pbx.test:" + std::to_string(server.sip().boundAddress().port));
  answer(server, 200);
  EXPECT_EQ(phone.final(id).status, 200);
}

// A far end's Contact may name the server with any port.
TEST_F(Failover, AnyNumberOfPortsAtTheServersNameLeavesNoneUnreachable) {
  Phone server(thread, "s", {});
  dns.setServices("_sip._udp.pbx.test", {at(server.sip().boundAddress(), 10)});
  dns.setAddress("pbx.test", *IpAddress::parse("127.0.0.1"));
  auto config = named();
  config.acceptAll = false;
  Phone phone(thread, "p", {}, "udp", config);
  const auto first = sendTo(phone, "sip:pbx.test");
  answer(server, 200);
  phone.final(first);
  for (int port = 1; port <= 100; ++port) {
    ASSERT_TRUE(phone.sip().send(
        0, SendAck{phone.request(Method::Ack, "b"), *Uri::parse("sip:pbx.test:" + std::to_string(port))}));
    if (port % 20 == 0) {
      const auto id = sendTo(phone, "sip:pbx.test");
      answer(server, 200);
      EXPECT_EQ(phone.final(id).status, 200);
    }
  }
  const auto again = sendTo(phone, "sip:pbx.test:" + std::to_string(server.sip().boundAddress().port));
  answer(server, 200);
  EXPECT_EQ(phone.final(again).status, 200);
  EXPECT_EQ(phone.sip().stats().failed, 0U);
  // What the server's own name has led to is still known: it may call.
  ASSERT_TRUE(
      server.sip().send(0, SendRequest{ClientTransactionId{1}, server.request(Method::Options, "p"), phone.contact()}));
  phone.respond(phone.received(Method::Options), 200);
}

TEST_F(Failover, ASilentServerIsLeftForTheNextOneAndThenAvoided) {
  const auto silent = test::datagramSocket();  // takes everything, says nothing
  Phone server(thread, "s", {});
  dns.setServices("_sip._udp.pbx.test",
                  {at(*loop::boundAddress(silent.get()), 10), at(server.sip().boundAddress(), 20)});
  Phone phone(thread, "p", {}, "udp", named());
  const auto first = sendTo(phone, "sip:pbx.test");
  answer(server, 200);
  EXPECT_EQ(phone.final(first).status, 200);
  EXPECT_EQ(phone.sip().stats().failovers, 1U);
  const auto second = sendTo(phone, "sip:pbx.test");
  answer(server, 200);
  EXPECT_EQ(phone.final(second).status, 200);
  EXPECT_EQ(phone.sip().stats().failovers, 1U) << "the silent one stands last now";
}

TEST_F(Failover, AServerThatRefusesConnectionsIsLeftAtOnce) {
  SocketAddress dead;
  {
    Phone gone(thread, "g", {});
    dead = gone.sip().boundAddress();
  }
  Phone server(thread, "s", {});
  dns.setServices("_sip._tcp.pbx.test", {at(dead, 10), at(server.sip().boundAddress(), 20)});
  auto config = named();
  config.hopTimeout = 60s;  // it is not this that saves the request
  config.t1 = 5s;
  Phone phone(thread, "p", {}, "tcp", config);
  const auto id = sendTo(phone, "sip:pbx.test;transport=tcp");
  answer(server, 200);
  EXPECT_EQ(phone.final(id).status, 200);
}

TEST_F(Failover, A503SendsTheRequestToTheNextServerAndNoOtherRefusalDoes) {
  Phone busy(thread, "x", {});
  Phone server(thread, "s", {});
  dns.setServices("_sip._udp.pbx.test", {at(busy.sip().boundAddress(), 10), at(server.sip().boundAddress(), 20)});
  Phone phone(thread, "p", {}, "udp", named());
  const auto first = sendTo(phone, "sip:pbx.test", Method::Invite);
  answer(busy, 500);
  EXPECT_EQ(phone.final(first).status, 500);
  const auto second = sendTo(phone, "sip:pbx.test", Method::Invite);
  answer(busy, 503);
  answer(server, 486);
  EXPECT_EQ(phone.final(second).status, 486);
}

// Three places: one that has said 100 before it said 503, a dead one, and a good one.
TEST_F(Failover, WhatOneServerHasSaidCountsForNoOther) {
  SocketAddress dead;
  {
    Phone gone(thread, "g", {});
    dead = gone.sip().boundAddress();
  }
  Phone busy(thread, "x", {});
  Phone server(thread, "s", {});
  dns.setServices("_sip._tcp.pbx.test",
                  {at(busy.sip().boundAddress(), 10), at(dead, 20), at(server.sip().boundAddress(), 30)});
  auto config = named();
  config.hopTimeout = 60s;
  config.t1 = 5s;
  Phone phone(thread, "p", {}, "tcp", config);
  const auto id = sendTo(phone, "sip:pbx.test;transport=tcp", Method::Invite);
  const auto invite = busy.next<RequestReceived>();
  busy.respond(invite, 100);
  EXPECT_EQ(phone.next<ResponseReceived>().response.status, 100);
  busy.respond(invite, 503);
  answer(server, 486);
  EXPECT_EQ(phone.final(id).status, 486);
}

TEST_F(Failover, WhenEveryServerFailsTheRequestFailsWithinTimerF) {
  const auto one = test::datagramSocket();
  const auto two = test::datagramSocket();
  dns.setServices("_sip._udp.pbx.test",
                  {at(*loop::boundAddress(one.get()), 10), at(*loop::boundAddress(two.get()), 20)});
  auto config = named();
  config.t1 = 20ms;  // 64*T1: 1.28 s
  Phone phone(thread, "p", {}, "udp", config);
  const auto failed = waitForFailure(phone, sendTo(phone, "sip:pbx.test"));
  EXPECT_EQ(failed.cause, TransactionFailed::Cause::Timeout);
}

TEST_F(Failover, ANameWithoutAddressFailsWithASentence) {
  Phone phone(thread, "p", {}, "udp", named());
  const auto failed = waitForFailure(phone, sendTo(phone, "sip:pbx.test"));
  EXPECT_EQ(failed.cause, TransactionFailed::Cause::Transport);
  EXPECT_EQ(failed.reason, "the DNS has no address for pbx.test");
}

TEST_F(Failover, TheNamesOfStrangersAreNeverAskedForAndGoByWayOfTheServer) {
  Phone server(thread, "s", {});
  dns.setServices("_sip._udp.pbx.test", {at(server.sip().boundAddress(), 10)});
  dns.setAddress("stranger.test", *IpAddress::parse("127.0.0.1"));
  Phone phone(thread, "p", {}, "udp", named());
  const auto id = sendTo(phone, "sip:b@stranger.test:9");
  answer(server, 200);
  EXPECT_EQ(phone.final(id).status, 200);
  EXPECT_EQ(dns.questions(), 2U) << "the server's SRV and its address";

  auto alone = quick();
  alone.dnsServers = {dns.address()};
  Phone serverless(thread, "q", {}, "udp", alone);
  EXPECT_EQ(waitForFailure(serverless, sendTo(serverless, "sip:stranger.test")).cause,
            TransactionFailed::Cause::Transport);
  EXPECT_EQ(dns.questions(), 2U);
}

TEST_F(Failover, RequestsOutsideDialogsComeFromTheServersAddressesOnly) {
  dns.setServices("_sip._udp.pbx.test", {{.priority = 1, .weight = 0, .port = 5060, .host = "one.pbx.test"}});
  dns.setAddress("one.pbx.test", *IpAddress::parse("127.0.0.9"));
  auto config = named();
  config.acceptAll = false;
  Phone phone(thread, "p", {}, "udp", config);
  const auto options = [](const std::string& toTag) {
    return "OPTIONS sip:p@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK" + toTag +
           "1\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:p@x>" + (toTag.empty() ? "" : ";tag=" + toTag) + "\r\nCall-ID: c" +
           toTag + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  };
  EXPECT_TRUE(test::ask(phone.sip().boundAddress(), options("")).starts_with("SIP/2.0 403"));
  EXPECT_EQ(phone.sip().stats().strangers, 1U);
  const auto socket = test::say(phone.sip().boundAddress(), options("t"));  // in a dialog: the core's to judge
  const auto inDialog = phone.next<RequestReceived>();
  EXPECT_EQ(inDialog.request.to.tag, "t");

  auto listed = quick();
  listed.acceptAll = false;
  listed.acceptFrom = {*AddressRange::parse("127.0.0.0/30")};
  Phone open(thread, "o", {}, "udp", listed);
  const auto second = test::say(open.sip().boundAddress(), options(""));
  open.next<RequestReceived>();
}

}  // namespace
}  // namespace crosspoint::sip
