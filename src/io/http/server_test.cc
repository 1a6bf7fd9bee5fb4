// The HTTP server against raw sockets, server and clients on one thread: every wait is for an event of the server.
#include "io/http/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <deque>
#include <fstream>

#include "io/http/server_fixture.h"

namespace crosspoint::http {
namespace {

TEST_F(ServerFixture, AnswersAndKeepsTheConnection) {
  start();
  Client client(address);
  client.send("POST /now?q HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  expectReceived(client, "<abc>");
  EXPECT_TRUE(client.received.starts_with("HTTP/1.1 200 OK\r\n")) << client.received;
  EXPECT_NE(client.received.find("Content-Type: text/plain; charset=utf-8\r\n"), std::string::npos);
  EXPECT_NE(client.received.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_NE(client.received.find("Cache-Control: no-store\r\n"), std::string::npos);
  client.received.clear();
  client.send(kGet);
  expectReceived(client, "<>");
  EXPECT_EQ(requests[0].query, "q");
  EXPECT_EQ(requests[0].remote.ip, *IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(delivered.size(), 2U);
  EXPECT_EQ(server->counters().accepted, 1U);
}

TEST_F(ServerFixture, ARequestThatComesByteByByteIsOneRequest) {
  start();
  Client client(address);
  for (const char c : std::string("\r\nPOST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")) {
    client.send({&c, 1});
    context.restart();
    context.poll();
  }
  expectReceived(client, "<abc>");
}

TEST_F(ServerFixture, PipelinedRequestsAreAnsweredInOrder) {
  start();
  Client client(address);
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" + std::to_string(100 + i);
  }
  client.send(text);
  expectReceived(client, "<299>");
  std::size_t at = 0;
  for (int i = 0; i < 200; ++i) {
    at = client.received.find("<" + std::to_string(100 + i) + ">", at);
    ASSERT_NE(at, std::string::npos);
  }
}

TEST_F(ServerFixture, ManyPipelinedRequestsAreAllTaken) {
  start();
  keepRequests = false;
  Client client(address);
  std::string all;
  for (int i = 0; i < 30'000; ++i) all += kGet;
  all += "GET /now?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  std::string_view rest = all;
  runUntil([&] {
    client.poll();
    client.received.clear();
    const auto sent = ::send(client.fd(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
    return client.ended;
  });
  EXPECT_EQ(server->counters().requests, 30'001U);
}

TEST_F(ServerFixture, WhatIsPipelinedBehindAHangingGetWaitsForItsReply) {
  start();
  Client client(address);
  client.send(kWait + kGet);
  runUntil([&] { return kept.size() == 1; });
  context.restart();
  context.poll();
  EXPECT_EQ(requests.size(), 1U);
  server->respond(kept[0], {.body = "message"});
  expectReceived(client, "<>");
  EXPECT_LT(client.received.find("message"), client.received.find("<>"));
}

TEST_F(ServerFixture, AHangingGetIsAnsweredWhenThereIsSomethingToSay) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  EXPECT_EQ(server->counters().waiting, 1U);
  server->respond(kept[0], {.body = "SDP {}", .headers = {{"Pragma", "1020"}}});
  expectReceived(client, "SDP {}");
  EXPECT_NE(client.received.find("Pragma: 1020\r\n"), std::string::npos);
  EXPECT_EQ(delivered, kept);
  EXPECT_EQ(server->counters().waiting, 0U);
  server->respond(kept[0], {.body = "twice"});  // ignored
}

TEST_F(ServerFixture, TheOwnerHearsOfAClientThatGaveUpWaiting) {
  start();
  Client orderly(address), hard(address), pipelining(address);
  orderly.send(kWait);
  hard.send(kWait);
  pipelining.send(kWait + kGet);
  runUntil([&] { return kept.size() == 3; });
  orderly.close();
  runUntil([&] { return closed.size() == 1; });
  hard.abort();
  runUntil([&] { return closed.size() == 2; });
  pipelining.close();
  runUntil([&] { return closed.size() == 3; });
  EXPECT_TRUE(delivered.empty());
  EXPECT_TRUE(undelivered.empty());
  EXPECT_EQ(server->counters().connections, 0U);
  server->respond(closed[0], {.body = "lost"});
  EXPECT_TRUE(undelivered.empty());
}

TEST_F(ServerFixture, AReplyToAClientThatHasJustGoneIsReportedAsUndelivered) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  client.close();
  server->respond(kept[0], {.body = "message"});  // before the loop could notice
  EXPECT_EQ(undelivered, kept);
  EXPECT_TRUE(delivered.empty());
  EXPECT_TRUE(closed.empty());
}

TEST_F(ServerFixture, ALargeReplyWhoseReaderGoesAwayIsReportedAsUndelivered) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.body = std::string(20'000'000, 'x')});
  EXPECT_TRUE(delivered.empty());
  client.abort();
  runUntil([&] { return undelivered.size() == 1; });
}

TEST_F(ServerFixture, ALargeReplyArrivesWhole) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.body = std::string(20'000'000, 'x') + "end"});
  expectReceived(client, "end");
  EXPECT_EQ(delivered.size(), 1U);
  EXPECT_GT(client.received.size(), 20'000'000U);
}

TEST_F(ServerFixture, BadHttpIsAnsweredAndTheConnectionEnds) {
  start();
  for (const auto& [text, status] : std::vector<std::pair<std::string, std::string>>{
           {"garbage\r\n\r\n", "400"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x'), "431"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + std::string(100'000, 'x'), "413"}}) {
    Client client(address);
    client.send(text);
    expectEnd(client);
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 " + status)) << client.received;
    EXPECT_NE(client.received.find("Connection: close\r\n"), std::string::npos);
  }
  EXPECT_TRUE(requests.empty());
  EXPECT_EQ(server->counters().badRequests, 3U);
}

TEST_F(ServerFixture, ASlowSenderGets408AndASilentOneIsClosed) {
  start({.limits = {.requestMax = 20ms, .idleMax = 40ms}});
  Client slow(address), silent(address);
  slow.send("GET / HT");
  expectEnd(slow);
  EXPECT_TRUE(slow.received.starts_with("HTTP/1.1 408")) << slow.received;
  expectEnd(silent);
  EXPECT_EQ(silent.received, "");
}

TEST_F(ServerFixture, AWaitingClientIsNotTimedOut) {
  start({.limits = {.requestMax = 20ms, .idleMax = 20ms, .writeMax = 20ms}});
  Client waiting(address), silent(address);
  waiting.send(kWait);
  expectEnd(silent);
  EXPECT_EQ(kept.size(), 1U);
  EXPECT_TRUE(closed.empty());
}

TEST_F(ServerFixture, AClientThatDoesNotReadItsReplyIsClosed) {
  start({.limits = {.writeMax = 20ms}});
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.body = std::string(20'000'000, 'x')});
  runUntil([&] { return undelivered.size() == 1; });
}

TEST_F(ServerFixture, EveryReplyCarriesCorsForAnAllowedOrigin) {
  start();
  const std::vector<std::string> expected = {
      "Access-Control-Allow-Origin: https://page.example\r\n", "Access-Control-Allow-Credentials: true\r\n",
      "Access-Control-Expose-Headers: Pragma, X-Crosspoint-Sequence\r\n", "Vary: Origin\r\n"};
  for (const auto& [text, status] : std::vector<std::pair<std::string, std::string>>{
           {"GET /now HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n\r\n", "200"},
           {"OPTIONS /message HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n"
            "Access-Control-Request-Headers: x-test\r\n\r\n",
            "200"},
           {"POST / HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\nContent-Length: 300000\r\n\r\n", "413"}}) {
    Client client(address);
    client.send(text);
    expectReceived(client, "\r\n\r\n");
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 " + status)) << client.received;
    for (const auto& line : expected) EXPECT_NE(client.received.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(requests.size(), 1U) << "OPTIONS is not the owner's";
}

TEST_F(ServerFixture, AnOriginThatIsNotListedGetsNoPermission) {
  start({.allowedOrigins = {"https://page.example/"}});
  Client good(address), bad(address);
  good.send("GET /now HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n\r\n");
  expectReceived(good, "<>");
  EXPECT_NE(good.received.find("Access-Control-Allow-Origin: https://page.example\r\n"), std::string::npos);
  bad.send("GET /now HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
  expectReceived(bad, "<>");
  EXPECT_EQ(bad.received.find("Access-Control-Allow"), std::string::npos);
  EXPECT_NE(bad.received.find("Vary: Origin\r\n"), std::string::npos);
}

TEST_F(ServerFixture, HeadGivesTheLengthWithoutTheContent) {
  start();
  Client client(address);
  client.send("HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
  expectReceived(client, "<>");
  EXPECT_NE(client.received.find("Content-Length: 2\r\n"), std::string::npos);
  EXPECT_EQ(client.received.find("<>"), client.received.size() - 2);
}

TEST_F(ServerFixture, ALineBreakInAHeaderValueMakesNoNewHeader) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.headers = {{"Pragma", "10\r\nSet-Cookie: a=b"}}});
  expectReceived(client, "\r\n\r\n");
  EXPECT_NE(client.received.find("Pragma: 10Set-Cookie: a=b\r\n"), std::string::npos);
}

TEST_F(ServerFixture, SendsContinueToAClientThatWaitsForIt) {
  start();
  Client client(address);
  client.send("POST /now HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  expectReceived(client, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  expectReceived(client, "<abc>");
}

TEST_F(ServerFixture, ConnectionCloseAndHttp10AreClosedBehindTheReply) {
  start();
  for (const auto* text : {"GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /now HTTP/1.0\r\n\r\n"}) {
    Client client(address);
    client.send(text);
    expectEnd(client);
    EXPECT_TRUE(client.received.ends_with("<>"));
  }
}

TEST_F(ServerFixture, ConnectionsBeyondTheLimitAreToldSo) {
  start({.limits = {.connectionsMax = 2}});
  Client one(address), two(address);
  one.send(kWait);
  two.send(kWait);
  runUntil([&] { return kept.size() == 2; });
  Client three(address);
  expectEnd(three);
  EXPECT_TRUE(three.received.starts_with("HTTP/1.1 503")) << three.received;
  one.close();
  runUntil([&] { return closed.size() == 1; });
  Client four(address);
  four.send(kGet);
  expectReceived(four, "<>");
}

TEST_F(ServerFixture, AtTheLimitConnectionsThatWaitForNothingGiveWay) {
  start({.limits = {.connectionsMax = 4}});
  Client waiting(address), served(address), silent(address), slow(address);
  waiting.send(kWait);
  served.send(kGet);
  expectReceived(served, "<>");
  slow.send("GET /now HTTP/1.1\r\n");
  runUntil([&] { return kept.size() == 1 && server->counters().accepted == 4; });
  std::deque<Client> newcomers;
  for (Client* loser : {&silent, &slow, &served}) {
    EXPECT_FALSE(loser->ended);
    newcomers.emplace_back(address).send(kWait);
    runUntil([&] { return kept.size() == 1 + newcomers.size(); });
    expectEnd(*loser);
  }
  EXPECT_EQ(server->counters().displaced, 3U);
  Client tooMany(address);
  expectEnd(tooMany);
  EXPECT_TRUE(tooMany.received.starts_with("HTTP/1.1 503")) << tooMany.received;
  waiting.poll();
  EXPECT_FALSE(waiting.ended);
}

TEST_F(ServerFixture, APortThatIsTakenIsAClearError) {
  start();
  Server second(context, {.bind = address});
  const auto listening = second.listen();
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error(), "TCP port " + std::to_string(address.port) + " of 127.0.0.1 is already taken");
}

TEST_F(ServerFixture, DrainingEndsIdleConnectionsAndFinishesTheOthers) {
  start();
  Client idle(address), waiting(address);
  idle.send(kGet);
  expectReceived(idle, "<>");
  waiting.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->drain();
  expectEnd(idle);
  server->respond(kept[0], {.body = "last"});
  expectEnd(waiting);
  EXPECT_TRUE(waiting.received.ends_with("last"));
}

TEST_F(ServerFixture, TheServerMayGoWhileClientsWait) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server.reset();
  context.restart();
  context.run();  // what was pending finds nobody, and nothing is left
  client.poll();
  EXPECT_TRUE(client.ended);
}

// Resident memory of this process in bytes.
TEST_F(ServerFixture, AWaitingClientTakesLessThan8Kilobytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr std::size_t kClients = 4000;
  if (limit.rlim_cur < 2 * kClients + 100) GTEST_SKIP() << "file descriptor limit is " << limit.rlim_cur;
  keepRequests = false;
  start();
  const auto before = residentBytes();
  std::vector<Client> clients;
  clients.reserve(kClients);
  const std::string request =
      "GET /wait?id=1 HTTP/1.1\r\nHost: a\r\nOrigin: https://page\r\nUser-Agent: " + std::string(300, 'x') + "\r\n\r\n";
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(address).send(request);
    if (i % 32 == 0) runUntil([&] { return kept.size() + 16 > i; });
  }
  runUntil([&] { return kept.size() == kClients; });
  const auto each = (residentBytes() - before) / kClients;
  RecordProperty("bytesPerWaitingClient", static_cast<int>(each));
  std::printf("%zu bytes per waiting client\n", each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(each, 8 * 1024U);
#endif
  for (const auto id : kept) server->respond(id, {.body = "done"});
  EXPECT_EQ(delivered.size(), kClients);
}

}  // namespace
}  // namespace crosspoint::http
