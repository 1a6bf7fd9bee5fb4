// WebSockets of the HTTP server, on raw sockets.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "io/http/server_fixture.h"

namespace crosspoint::http {
namespace {

using namespace std::chrono_literals;

struct ServerSocket : ServerFixture {
  RequestId open(Client& client) {
    client.send(kUpgrade);
    const auto count = kept.size();
    runUntil([&] { return kept.size() > count; });
    EXPECT_TRUE(server->accept(kept.back()));
    expectReceived(client, "\r\n\r\n");
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 101 ")) << client.received;
    client.received.clear();
    return kept.back();
  }
  static std::string frame(Opcode opcode, std::string_view payload) {
    std::string text;
    appendFrame(text, opcode, payload);
    return text;
  }
  static std::string closing(std::uint16_t code, std::string_view reason) {
    std::string text;
    appendClose(text, code, reason);
    return text;
  }
};

TEST_F(ServerSocket, CarriesMessagesBothWays) {
  start();
  Client client(address);
  const auto socket = open(client);
  EXPECT_NE(socket, RequestId{});
  EXPECT_TRUE(requests[0].webSocket);
  client.send(maskedFrame(Opcode::Text, "one") + maskedFrame(Opcode::Text, "two"));
  runUntil([&] { return messages.size() == 2; });
  EXPECT_EQ(messages[0], std::pair(socket, std::string("one")));
  EXPECT_EQ(messages[1].second, "two");
  server->send(socket, "three");
  expectReceived(client, frame(Opcode::Text, "three"));
  EXPECT_EQ(server->counters().sockets, 1U);
  EXPECT_EQ(server->counters().waiting, 0U);
}

TEST_F(ServerSocket, WhatCameWithTheHandshakeIsRead) {
  start();
  Client client(address);
  client.send(kUpgrade + maskedFrame(Opcode::Text, "early"));
  runUntil([&] { return kept.size() == 1; });
  server->accept(kept[0]);
  runUntil([&] { return messages.size() == 1; });
  EXPECT_EQ(messages[0].second, "early");
}

TEST_F(ServerSocket, ARequestForOneMayBeAnsweredLikeAnyOther) {
  start();
  Client client(address);
  client.send(kUpgrade);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.status = 403, .body = "no\n"});
  expectReceived(client, "no\n");
  EXPECT_FALSE(server->accept(kept[0]));
}

TEST_F(ServerSocket, APlainRequestIsNotOpened) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  EXPECT_FALSE(requests[0].webSocket);
  EXPECT_FALSE(server->accept(kept[0]));
  server->respond(kept[0], {});
  expectReceived(client, "200 OK");
}

TEST_F(ServerSocket, PingsAreAnswered) {
  start();
  Client client(address);
  open(client);
  client.send(maskedFrame(Opcode::Ping, "are you there"));
  expectReceived(client, frame(Opcode::Pong, "are you there"));
}

TEST_F(ServerSocket, ASilentClientIsPingedAndThenDropped) {
  start({.limits = {.pingAfter = 20ms, .silenceMax = 200ms}});
  Client client(address);
  open(client);
  expectReceived(client, frame(Opcode::Ping, ""));
  expectEnd(client);
  EXPECT_EQ(socketsClosed.size(), 1U);
  EXPECT_EQ(server->counters().sockets, 0U);
}

TEST_F(ServerSocket, AClientThatAnswersPingsStays) {
  start({.limits = {.pingAfter = 20ms, .silenceMax = 200ms}});
  Client client(address);
  open(client);
  const auto until = std::chrono::steady_clock::now() + 600ms;
  while (std::chrono::steady_clock::now() < until) {
    expectReceived(client, frame(Opcode::Ping, ""));
    client.received.clear();
    client.send(maskedFrame(Opcode::Pong, ""));
  }
  EXPECT_TRUE(socketsClosed.empty());
}

TEST_F(ServerSocket, TheOwnerClosesWithAReason) {
  start();
  Client client(address);
  const auto socket = open(client);
  server->closeSocket(socket, 4404, "no such session");
  expectReceived(client, closing(4404, "no such session"));
  EXPECT_EQ(socketsClosed, std::vector{socket});
  server->send(socket, "late");
  client.send(maskedFrame(Opcode::Close, "\x11\x34"));
  expectEnd(client);
  EXPECT_EQ(client.received, closing(4404, "no such session"));
}

TEST_F(ServerSocket, TheClientsCloseIsAnsweredWithItsCode) {
  start();
  Client client(address);
  open(client);
  client.send(maskedFrame(Opcode::Close, "\x03\xe9"));
  expectReceived(client, closing(1001, ""));
  expectEnd(client);
  EXPECT_EQ(socketsClosed.size(), 1U);
}

TEST_F(ServerSocket, AClientThatVanishesIsTold) {
  start();
  Client first(address), second(address);
  open(first);
  open(second);
  first.close();
  second.abort();
  runUntil([&] { return socketsClosed.size() == 2; });
  EXPECT_EQ(server->counters().connections, 0U);
}

TEST_F(ServerSocket, WhatTheRfcForbidsEndsItWithTheCodeThatSaysWhy) {
  start({.limits = {.messageBytesMax = 1000}});
  const std::vector<std::pair<std::string, std::uint16_t>> cases = {
      {frame(Opcode::Text, "not masked"), 1002},
      {maskedFrame(Opcode::Binary, "x"), 1003},
      {maskedFrame(Opcode::Text, "\xff"), 1007},
      {maskedFrame(Opcode::Text, std::string(1001, 'x')), 1009},
  };
  for (const auto& [bytes, code] : cases) {
    Client client(address);
    open(client);
    client.send(bytes);
    expectReceived(client, std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)});
    expectEnd(client);
  }
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(socketsClosed.size(), cases.size());
}

TEST_F(ServerSocket, AClientThatDoesNotReadIsClosedWhenItsQueueIsFull) {
  start({.limits = {.socketQueueBytesMax = 200'000}});
  Client client(address);
  const auto socket = open(client);
  for (int i = 0; i < 1000 && socketsClosed.empty(); ++i) server->send(socket, std::string(50'000, 'x'));
  EXPECT_EQ(socketsClosed.size(), 1U);
  EXPECT_EQ(server->counters().slowReaders, 1U);
}

TEST_F(ServerSocket, AClientThatTakesNothingForTooLongIsClosed) {
  start({.limits = {.writeMax = 100ms, .socketQueueBytesMax = 100'000'000}});
  Client client(address);
  server->send(open(client), std::string(50'000'000, 'x'));
  runUntil([&] { return socketsClosed.size() == 1; });
  EXPECT_GE(server->counters().timeouts, 1U);
}

TEST_F(ServerSocket, AClientThatSendsFasterThanItIsAnsweredIsReadMoreSlowly) {
  start();
  Client client(address);
  const auto socket = open(client);
  std::string flood;
  for (int i = 0; i < 2000; ++i) flood += maskedFrame(Opcode::Text, std::to_string(i));
  client.send(flood);
  runUntil([&] { return messages.size() >= 64; });
  EXPECT_LT(messages.size(), 1000U);
  for (std::size_t answered = 0; answered < 2000; ++answered) {
    runUntil([&] { return messages.size() > answered; });
    server->send(socket, "taken");
  }
  EXPECT_EQ(messages.back().second, "1999");
}

TEST_F(ServerSocket, AnUnansweredClientIsReadOnByAndBy) {
  start();
  Client client(address);
  open(client);
  std::string flood;
  for (int i = 0; i < 100; ++i) flood += maskedFrame(Opcode::Text, std::to_string(i));
  client.send(flood);
  runUntil([&] { return messages.size() == 100; });
}

TEST_F(ServerSocket, ALongMessageThatComesInPiecesIsOne) {
  start();
  Client client(address);
  open(client);
  const std::string body(120 * 1024, 'x');
  const auto bytes = maskedFrame(Opcode::Text, body);
  for (std::size_t at = 0; at < bytes.size(); at += 30'000) {
    client.send(std::string_view(bytes).substr(at, 30'000));
    context.restart();
    context.poll();
  }
  runUntil([&] { return messages.size() == 1; });
  EXPECT_EQ(messages[0].second, body);
}

TEST_F(ServerSocket, AMessageWhoseEndDoesNotComeIsNotKeptForEver) {
  start({.limits = {.requestMax = 40ms}});
  Client whole(address), half(address);
  open(whole);
  whole.send(maskedFrame(Opcode::Text, "hello") + maskedFrame(Opcode::Ping, ""));
  open(half);
  half.send(maskedFrame(Opcode::Text, "hello").substr(0, 8));
  expectReceived(half, closing(1008, "a message took too long"));
  expectEnd(half);
  EXPECT_EQ(server->counters().timeouts, 1U);
  EXPECT_EQ(server->counters().sockets, 1U);
  whole.send(maskedFrame(Opcode::Text, "again"));
  runUntil([&] { return messages.size() == 2; });
}

TEST_F(ServerSocket, PingsBetweenItsPartsGiveAMessageNoMoreTime) {
  start({.limits = {.requestMax = 40ms}});
  Client client(address);
  open(client);
  std::string begun = maskedFrame(Opcode::Text, "hello");
  begun[0] = static_cast<char>(begun[0] & 0x7f);  // a first fragment
  client.send(begun);
  runUntil([&] {
    client.poll();
    if (!client.ended) ::send(client.fd(), maskedFrame(Opcode::Ping, "").data(), 6, MSG_NOSIGNAL);
    return client.ended;
  });
  EXPECT_NE(client.received.find(closing(1008, "a message took too long")), std::string::npos);
}

// Each message of the owner moves the connection, too: that must not win it a turn of its own every time.
TEST_F(ServerSocket, AClientThatFloodsHasOneTurnAtATimeHoweverMuchItIsSent) {
  start();
  Client client(address);
  const auto socket = open(client);
  std::string pings;
  for (int i = 0; i < 10'000; ++i) pings += maskedFrame(Opcode::Ping, "");
  client.send(pings);
  runUntil([&] {
    client.poll();
    return !client.received.empty();
  });
  for (int i = 0; i < 50; ++i) server->send(socket, "x");
  bool others = false;
  boost::asio::post(context, [&] { others = true; });
  int turns = 0;
  context.restart();
  while (!others && context.run_one() > 0) ++turns;
  EXPECT_LE(turns, 5);
}

}  // namespace
}  // namespace crosspoint::http
