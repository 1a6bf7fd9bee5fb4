// The embedded server between phones on real loopback sockets.
#include "io/sip/server/sip_server.h"

#include <gtest/gtest.h>

#include "io/sip/phone_for_test.h"

namespace crosspoint::sip {
namespace {

using test::Phone;
using namespace std::chrono_literals;

class Server : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(thread.start()); }
  void TearDown() override {
    if (server) server->stop();
  }
  const SocketAddress& start(SipServer::Config config = {}) {
    server = std::make_unique<SipServer>(thread, std::move(config));
    const auto started = server->start();
    EXPECT_TRUE(started) << started.error();
    address = server->boundAddress();
    return address;
  }
  SipThread thread;
  std::unique_ptr<SipServer> server;
  SocketAddress address;
};

class ServerOver : public Server, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Each, ServerOver, testing::Values("udp", "tcp"));

TEST_P(ServerOver, JoinsTwoRegisteredPhonesAndCarriesTheirDialog) {
  start();
  Phone a(thread, "1001", address, GetParam()), b(thread, "1002", address, GetParam());
  ASSERT_EQ(a.registerAt(), 200);
  ASSERT_EQ(b.registerAt(), 200);
  EXPECT_EQ(server->stats().registeredUsers, 2U);

  const Request invite = a.request(Method::Invite, "1002");
  const auto id = a.send(invite);
  const auto received = b.received(Method::Invite);
  EXPECT_EQ(received.request.uri, b.contact());
  EXPECT_EQ(received.request.recordRoutes.size(), 1U);
  b.respond(received, 180);
  a.response(id, 180);
  const Response sent = b.respond(received, 200);
  const Response answer = a.response(id, 200);
  a.ack(invite, answer);
  b.next<AckReceived>();

  for (Method method :
       {Method::Info, Method::Update, Method::Notify, Method::Message, Method::Refer, Method::Options}) {
    const auto forth = a.send(a.inDialog(method, invite, answer, 10 + static_cast<unsigned>(method)));
    b.respond(b.received(method), 200);
    a.response(forth, 200);
  }
  const Request again = a.inDialog(Method::Invite, invite, answer, 100);
  const auto second = a.send(again);
  b.respond(b.received(Method::Invite), 200);
  a.ack(again, a.response(second, 200));
  b.next<AckReceived>();

  const auto bye = b.send(b.inDialogAsCallee(Method::Bye, received.request, sent, 1));
  a.respond(a.received(Method::Bye), 200);
  b.response(bye, 200);
  EXPECT_EQ(server->stats().transactions, 0U);
}

TEST_P(ServerOver, PassesACancelOnAndThe487Back) {
  start();
  Phone a(thread, "1001", address, GetParam()), b(thread, "1002", address, GetParam());
  ASSERT_EQ(b.registerAt(), 200);
  const auto id = a.send(a.request(Method::Invite, "1002"));
  const auto received = b.received(Method::Invite);
  b.respond(received, 180);
  a.response(id, 180);
  a.sip().send(0, CancelRequest{id, {}});
  b.next<CancelReceived>();
  b.respond(received, 487);
  a.response(id, 487);
  EXPECT_EQ(server->stats().transactions, 0U);
}

TEST_F(Server, JoinsAPhoneOnTcpWithOneOnUdp) {
  start();
  Phone a(thread, "1001", address, "tcp"), b(thread, "1002", address, "udp");
  ASSERT_EQ(a.registerAt(), 200);
  ASSERT_EQ(b.registerAt(), 200);
  const Request invite = a.request(Method::Invite, "1002");
  const auto id = a.send(invite);
  const auto received = b.received(Method::Invite);
  EXPECT_EQ(received.request.recordRoutes.size(), 2U);  // RFC 5658
  const Response sent = b.respond(received, 200);
  const Response answer = a.response(id, 200);
  a.ack(invite, answer);
  b.next<AckReceived>();
  const auto bye = b.send(b.inDialogAsCallee(Method::Bye, received.request, sent, 1));
  a.respond(a.received(Method::Bye), 200);
  b.response(bye, 200);
}

TEST_F(Server, KnowsNobodyWhoNeverRegisteredAndSaysWhoIsAway) {
  start();
  Phone a(thread, "1001", address), b(thread, "1002", address);
  a.response(a.send(a.request(Method::Invite, "1002")), 404);
  ASSERT_EQ(b.registerAt(), 200);
  ASSERT_EQ(b.registerAt({}, 0), 200);
  a.response(a.send(a.request(Method::Invite, "1002")), 480);
  EXPECT_EQ(server->stats().registeredUsers, 0U);
}

TEST_F(Server, RegistersOnlyWithThePassword) {
  start({.sharedPassword = "secret"});
  Phone a(thread, "1001", address);
  EXPECT_EQ(a.registerAt(), 401);
  EXPECT_EQ(a.registerAt("wrong"), 403);
  EXPECT_EQ(a.registerAt("secret"), 200);
  EXPECT_EQ(server->stats().unauthorized, 4U);
}

TEST_F(Server, AUserOfTheTableHasItsOwnPasswordAndNobodyElseRegisters) {
  start({.passwords = {{"1001", "one"}}});
  Phone a(thread, "1001", address), b(thread, "1002", address);
  EXPECT_EQ(b.registerAt("one"), 403);
  EXPECT_EQ(a.registerAt("one"), 200);
}

TEST_F(Server, ChallengesCallsToo) {
  start({.sharedPassword = "secret"});
  Phone a(thread, "1001", address), b(thread, "1002", address);
  ASSERT_EQ(b.registerAt("secret"), 200);
  Request invite = a.request(Method::Invite, "1002");
  const Response challenge = a.response(a.send(invite), 407);
  ASSERT_EQ(challenge.challenges.size(), 1U);
  EXPECT_TRUE(challenge.challenges.front().proxy);
  invite.cseq = 2;
  invite.authorizations = {a.answerTo(challenge.challenges.front(), invite, "secret")};
  const auto id = a.send(invite);
  b.respond(b.received(Method::Invite), 486);
  a.response(id, 486);
}

TEST_F(Server, ATagWithoutAValueMakesNoDialogOfACall) {
  start({.sharedPassword = "secret"});
  Phone b(thread, "1002", address);
  ASSERT_EQ(b.registerAt("secret"), 200);
  const auto invite = [](const std::string& to, const std::string& id) {
    return "INVITE sip:" + to + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK" + id +
           "\r\nFrom: <sip:1001@x>;tag=1\r\nTo: <sip:" + to + ">;tag\r\nCall-ID: " + id +
           "\r\nCSeq: 1 INVITE\r\nContact: <sip:1001@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n";
  };
  const auto ours = test::ask(address, invite("1002@" + address.toString(), "a"));
  EXPECT_TRUE(ours.starts_with("SIP/2.0 407")) << ours;
  const auto elsewhere = test::ask(address, invite("1002@127.0.0.1:9", "b"));
  EXPECT_TRUE(elsewhere.starts_with("SIP/2.0 403")) << elsewhere;
}

// RFC 3261 §17.2.2: an answer is kept for 64*T1, to meet repetitions.
TEST_F(Server, WhatIsAnsweredCountsUntilNoRepetitionCanCome) {
  start({.transactionsMax = 2});
  Phone a(thread, "1001", address), b(thread, "1002", address);
  ASSERT_EQ(b.registerAt(), 200);
  for (int i = 0; i < 4; ++i) {
    const auto id = a.send(a.request(Method::Info, "1002"));
    b.respond(b.received(Method::Info), 481);
    a.response(id, 481);
  }
  a.response(a.send(a.request(Method::Info, "1002")), 503);
}

TEST_F(Server, ForksToEveryContactAndCancelsTheOthersWhenOneAnswers) {
  start();
  Phone a(thread, "1001", address), desk(thread, "1002", address), mobile(thread, "1002", address);
  ASSERT_EQ(desk.registerAt(), 200);
  ASSERT_EQ(mobile.registerAt(), 200);
  EXPECT_EQ(server->stats().contacts, 2U);
  const Request invite = a.request(Method::Invite, "1002");
  const auto id = a.send(invite);
  const auto atDesk = desk.received(Method::Invite), atMobile = mobile.received(Method::Invite);
  desk.respond(atDesk, 180);
  mobile.respond(atMobile, 180);
  a.response(id, 180);
  a.response(id, 180);
  mobile.respond(atMobile, 200);
  a.ack(invite, a.response(id, 200));
  mobile.next<AckReceived>();
  const auto cancelled = desk.next<CancelReceived>();
  ASSERT_EQ(cancelled.reasons.size(), 1U);
  EXPECT_EQ(cancelled.reasons.front().cause, 200U);
  desk.respond(atDesk, 487);
}

TEST_F(Server, PassesTheBestOfSeveralRefusalsOn) {
  start();
  Phone a(thread, "1001", address), desk(thread, "1002", address), mobile(thread, "1002", address);
  ASSERT_EQ(desk.registerAt(), 200);
  ASSERT_EQ(mobile.registerAt(), 200);
  const auto id = a.send(a.request(Method::Invite, "1002"));
  desk.respond(desk.received(Method::Invite), 503);
  mobile.respond(mobile.received(Method::Invite), 486);
  a.response(id, 486);
}

TEST_F(Server, ACallThatRingsTooLongEndsWithTimerC) {
  start({.t1 = 20ms, .timerC = 200ms});
  Phone a(thread, "1001", address), b(thread, "1002", address);
  ASSERT_EQ(b.registerAt(), 200);
  const auto id = a.send(a.request(Method::Invite, "1002"));
  const auto received = b.received(Method::Invite);
  b.respond(received, 180);
  b.next<CancelReceived>();
  b.respond(received, 487);
  a.response(id, 408);
}

TEST_F(Server, AContactThatIsTheServerItselfIsNone) {
  start();
  Phone a(thread, "1001", address), loop(thread, "1002", address);
  Request registration = loop.request(Method::Register, "1002");
  registration.expires = 60;
  registration.contacts = {NameAddr{.uri = loop.uriAt(address, "1002")}};
  loop.response(loop.send(registration), 200);
  a.response(a.send(a.request(Method::Invite, "1002")), 480);
}

TEST_F(Server, ACallThatGoesInACircleBetweenTwoServersEnds) {
  start();
  SipServer other(thread, {});
  ASSERT_TRUE(other.start());
  Phone here(thread, "1002", address), there(thread, "1002", other.boundAddress());
  for (auto [phone, target] : {std::pair(&here, other.boundAddress()), std::pair(&there, address)}) {
    Request registration = phone->request(Method::Register, "1002");
    registration.expires = 60;
    registration.contacts = {NameAddr{.uri = phone->uriAt(target, "1002")}};
    ASSERT_EQ(phone->final(phone->send(registration)).status, 200);
  }
  Phone a(thread, "1001", address);
  a.response(a.send(a.request(Method::Invite, "1002")), 482);
  EXPECT_EQ(here.heard<RequestReceived>() + there.heard<RequestReceived>(), 0U);
  other.stop();
}

TEST_F(Server, RefusesARequestThatHasGoneTooFar) {
  start();
  const std::string answer = test::ask(address,
                                       "INVITE sip:1002@127.0.0.1 SIP/2.0\r\n"
                                       "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKfar;rport\r\n"
                                       "Max-Forwards: 0\r\n"
                                       "From: <sip:a@x>;tag=1\r\nTo: <sip:1002@x>\r\n"
                                       "Call-ID: far\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("SIP/2.0 483 ")) << answer;
}

TEST_F(Server, LeavesOutWhatItCouldNotReadWhenItSendsARequestOn) {
  start();
  Phone b(thread, "1002", address);
  ASSERT_EQ(b.registerAt(), 200);
  const auto request = [](const std::string& id, const std::string& headers) {
    return "MESSAGE sip:1002@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK" + id + ";rport\r\n" +
           "From: <sip:a@x>;tag=1\r\nTo: <sip:1002@x>\r\nCall-ID: " + id + "\r\nCSeq: 1 MESSAGE\r\n" + headers +
           "Content-Length: 0\r\n\r\n";
  };
  // Two of what there may be one of, and more of it: sent on as it is, this ends a program with an assertion.
  test::say(address, request("twice",
                             "To: <sip:x@y>\r\nTo: <sip:z@y>\r\nCall-ID: other\r\nUser-Agent: a\r\n"
                             "User-Agent: b\r\nSubject: c\r\nSubject: d\r\nDate: never\r\n"));
  test::say(address, request("once", "Subject: plain\r\n"));
  const auto received = b.next<RequestReceived>([](const auto& m) { return m.request.callId == "once"; });
  b.respond(received, 200);
}

TEST_F(Server, AnswersToWhereADatagramCameFromIfItsViaSaysRport) {
  start();
  const std::string answer = test::ask(address,
                                       "OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
                                       "Via: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKnat;rport\r\n"
                                       "From: <sip:a@x>;tag=1\r\nTo: <sip:x>\r\n"
                                       "Call-ID: nat\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
  EXPECT_NE(answer.find("received=127.0.0.1"), std::string::npos) << answer;
}

TEST_F(Server, BoundToEveryAddressItIsReachedOnTheLoopback) {
  start({.bindAddress = "0.0.0.0"});
  address.ip = IpAddress::v4(0x7f000001);
  Phone a(thread, "1001", address), b(thread, "1002", address);
  ASSERT_EQ(b.registerAt(), 200);
  const Request invite = a.request(Method::Invite, "1002");
  const auto id = a.send(invite);
  b.respond(b.received(Method::Invite), 200);
  const Response answer = a.response(id, 200);
  a.ack(invite, answer);
  b.next<AckReceived>();
  const auto bye = a.send(a.inDialog(Method::Bye, invite, answer, 2));
  b.respond(b.received(Method::Bye), 200);
  a.response(bye, 200);
}

TEST_P(ServerOver, WorksOnIpv6) {
  server = std::make_unique<SipServer>(thread, SipServer::Config{.bindAddress = "::1"});
  if (!server->start()) GTEST_SKIP() << "no IPv6 here";
  address = server->boundAddress();
  SipTransport::Config config;
  config.bindAddress = "::1";
  Phone a(thread, "1001", address, GetParam(), config), b(thread, "1002", address, GetParam(), config);
  ASSERT_EQ(b.registerAt(), 200);
  const Request invite = a.request(Method::Invite, "1002");
  const auto id = a.send(invite);
  b.respond(b.received(Method::Invite), 200);
  const Response answer = a.response(id, 200);
  a.ack(invite, answer);
  b.next<AckReceived>();
  const auto bye = a.send(a.inDialog(Method::Bye, invite, answer, 2));
  b.respond(b.received(Method::Bye), 200);
  a.response(bye, 200);
  a.response(a.send(a.request(Method::Invite, "echo")), 200);  // without an offer: the echo makes one
}

TEST_F(Server, IsNoRelayForTheWorld) {
  start();
  Phone a(thread, "1001", address), b(thread, "1002", address);
  Request request = a.request(Method::Options, "1002");
  request.uri = b.contact();
  a.response(a.send(request), 403);
  EXPECT_EQ(b.heard<RequestReceived>(), 0U);
}

TEST_F(Server, RefusesAnExpiryThatIsTooShortAndGivesTheContactsBack) {
  start({.expiresMin = 30s});
  Phone a(thread, "1001", address);
  EXPECT_EQ(a.registerAt({}, 5), 423);
  Request registration = a.request(Method::Register, "1001");
  registration.expires = 60;
  registration.contacts = {NameAddr{.uri = a.contact()}};
  const Response answer = a.response(a.send(registration), 200);
  ASSERT_EQ(answer.contacts.size(), 1U);
  EXPECT_EQ(answer.contacts.front().uri, a.contact());
  EXPECT_EQ(findParameter(answer.contacts.front().parameters, "expires"), "60");
}

TEST_F(Server, KeepsTheNewestContactsOfAUser) {
  start({.contactsPerUserMax = 1});
  Phone a(thread, "1001", address), old(thread, "1002", address), fresh(thread, "1002", address);
  ASSERT_EQ(old.registerAt(), 200);
  ASSERT_EQ(fresh.registerAt(), 200);
  const auto id = a.send(a.request(Method::Invite, "1002"));
  fresh.respond(fresh.received(Method::Invite), 486);
  a.response(id, 486);
  EXPECT_EQ(old.heard<RequestReceived>(), 0U);
}

TEST_F(Server, RefusesUsersBeyondItsTable) {
  start({.usersMax = 1});
  Phone a(thread, "1001", address), b(thread, "1002", address);
  EXPECT_EQ(a.registerAt(), 200);
  EXPECT_EQ(b.registerAt(), 503);
}

TEST_F(Server, AnswersOptionsToItself) {
  start();
  Phone a(thread, "1001", address);
  a.response(a.send(a.request(Method::Options, "")), 200);
}

TEST_P(ServerOver, CarriesReliableRingingItsPrackAndARedirectUnchanged) {
  start();
  Phone a(thread, "1001", address, GetParam()), b(thread, "1002", address, GetParam());
  ASSERT_EQ(b.registerAt(), 200);
  Request invite = a.request(Method::Invite, "1002");
  invite.supported = {"100rel"};
  invite.replaces = Replaces{.callId = "1@2", .toTag = "t", .fromTag = "f"};
  const auto id = a.send(invite);
  const auto received = b.received(Method::Invite);
  EXPECT_EQ(received.request.replaces, invite.replaces);
  Response ringing = b.responseTo(received.request, 183);
  ringing.contacts = {NameAddr{.uri = b.contact()}};
  ringing.require = {"100rel"};
  ringing.rseq = 7;
  b.sip().send(0, SendResponse{received.id, ringing});
  const Response heard = a.response(id, 183);
  EXPECT_EQ(heard.rseq, 7U);
  Request prack = a.inDialog(Method::Prack, invite, heard, 2);
  prack.rack = RAck{7, 1, Method::Invite};
  const auto pracked = a.send(prack);
  const auto arrived = b.received(Method::Prack);
  EXPECT_EQ(arrived.request.rack, prack.rack);
  b.respond(arrived, 200);
  a.response(pracked, 200);
  Response moved = b.responseTo(received.request, 302);
  moved.contacts = {NameAddr{.uri = *Uri::parse("sip:1003@127.0.0.1"), .parameters = {{"q", "0.7"}}}};
  b.sip().send(0, SendResponse{received.id, moved});
  EXPECT_EQ(a.response(id, 302).contacts, moved.contacts);
}

}  // namespace
}  // namespace crosspoint::sip
