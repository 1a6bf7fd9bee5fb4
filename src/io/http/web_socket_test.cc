// WebSocket frames (RFC 6455), byte for byte.
#include "io/http/web_socket.h"

#include <gtest/gtest.h>

#include <vector>

namespace crosspoint::http {
namespace {

using Event = WebSocketReader::Event;

std::string masked(std::uint8_t first, std::string_view payload, int lengthBytes = 0) {
  constexpr unsigned char kMask[] = {0x37, 0xfa, 0x21, 0x3d};
  std::string frame{static_cast<char>(first)};
  if (lengthBytes == 0) lengthBytes = payload.size() < 126 ? 1 : payload.size() < 65'536 ? 2 : 8;
  frame += static_cast<char>(0x80 | (lengthBytes == 1 ? payload.size() : lengthBytes == 2 ? 126 : 127));
  for (int i = lengthBytes == 1 ? -1 : lengthBytes - 1; i >= 0; --i) {
    frame += static_cast<char>(payload.size() >> (8 * i));
  }
  for (const auto byte : kMask) frame += static_cast<char>(byte);
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kMask[i & 3]);
  return frame;
}
std::string text(std::string_view payload) { return masked(0x81, payload); }

std::vector<Event> read(std::string_view bytes, std::size_t piece = 1'000'000, std::size_t max = 1000) {
  WebSocketReader reader(max);
  std::vector<Event> events;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    while (auto event = reader.poll()) events.push_back(std::move(*event));
  }
  return events;
}
int violationOf(std::string_view bytes) {
  const auto events = read(bytes);
  return events.size() == 1 && events[0].kind == Event::Kind::Violation ? events[0].code : 0;
}

Request handshake() {
  return {.method = "GET",
          .path = "/signalling",
          .headers = {{"Host", "server.example.com"},
                      {"Upgrade", "websocket"},
                      {"Connection", "keep-alive, Upgrade"},
                      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                      {"Sec-WebSocket-Version", "13"}}};
}

TEST(WebSocketHandshake, IsThatOfTheRfc) {  // §1.3
  EXPECT_EQ(webSocketAccept(handshake()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, IsRefusedIfAnythingIsMissing) {
  for (std::size_t i = 1; i < 5; ++i) {
    auto request = handshake();
    request.headers.erase(request.headers.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(webSocketAccept(request)) << i;
  }
  auto post = handshake();
  post.method = "POST";
  EXPECT_FALSE(webSocketAccept(post));
  auto shortKey = handshake();
  shortKey.headers[3].value = "dGhlIHNhbXBsZQ==";
  EXPECT_FALSE(webSocketAccept(shortKey));
  auto old = handshake();
  old.headers[4].value = "8";
  EXPECT_FALSE(webSocketAccept(old));
}

TEST(WebSocketReader, ReadsTheRfcsExamples) {  // §5.7
  const auto hello = read("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  ASSERT_EQ(hello.size(), 1U);
  EXPECT_EQ(hello[0].kind, Event::Kind::Text);
  EXPECT_EQ(hello[0].payload, "Hello");
}

TEST(WebSocketReader, EveryLengthIsReadWhereverItIsCut) {
  for (const std::size_t length : {0, 1, 125, 126, 200, 65'535, 65'536, 70'000}) {
    const std::string payload(length, 'x');
    for (const std::size_t piece : {1, 7, 100'000}) {
      const auto events = read(text(payload), piece, 100'000);
      ASSERT_EQ(events.size(), 1U) << length << " in pieces of " << piece;
      EXPECT_EQ(events[0].payload, payload);
    }
  }
}

TEST(WebSocketReader, FragmentsArePutTogetherWithAPingBetweenThem) {
  const auto events = read(masked(0x01, "Hel") + masked(0x89, "ping") + masked(0x00, "l") + masked(0x80, "o"), 1);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, Event::Kind::Ping);
  EXPECT_EQ(events[0].payload, "ping");
  EXPECT_EQ(events[1].payload, "Hello");
}

TEST(WebSocketReader, ACharacterMayBeCutByAFragment) {
  const auto events = read(masked(0x01, "gr\xc3") + masked(0x80, "\xbcn"));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].payload, "gr\xc3\xbcn");
}

TEST(WebSocketReader, ACloseEndsIt) {
  const auto events = read(masked(0x88, std::string("\x03\xe8 done")) + text("late"));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, Event::Kind::Close);
  EXPECT_EQ(events[0].code, 1000);
  EXPECT_EQ(events[0].payload, " done");
  EXPECT_EQ(read(masked(0x88, "")).at(0).code, 1005);
}

TEST(WebSocketReader, WhatTheRfcForbidsIsNamed) {
  EXPECT_EQ(violationOf("\x81\x01x"), 1002) << "not masked";
  EXPECT_EQ(violationOf(masked(0xc1, "x")), 1002) << "reserved bit";
  EXPECT_EQ(violationOf(masked(0x83, "x")), 1002) << "reserved opcode";
  EXPECT_EQ(violationOf(masked(0x8b, "x")), 1002) << "reserved control opcode";
  EXPECT_EQ(violationOf(masked(0x80, "x")), 1002) << "a continuation of nothing";
  EXPECT_EQ(violationOf(masked(0x01, "x") + masked(0x81, "y")), 1002) << "a message inside of another";
  EXPECT_EQ(violationOf(masked(0x09, "x")), 1002) << "a fragmented ping";
  EXPECT_EQ(violationOf(masked(0x89, std::string(126, 'x'))), 1002) << "a ping that is too long";
  EXPECT_EQ(violationOf(masked(0x88, "x")), 1002) << "half a close code";
  EXPECT_EQ(violationOf(masked(0x88, std::string("\x03\xed", 2))), 1002) << "1005 does not stand on the wire";
  EXPECT_EQ(violationOf(masked(0x82, "x")), 1003) << "binary";
}

TEST(WebSocketReader, TextIsUtf8) {
  for (const char* good : {"", "z", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(isUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
                          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(isUtf8(bad)) << bad;
    EXPECT_EQ(violationOf(text(bad)), 1007);
  }
}

TEST(WebSocketReader, AMessageIsBoundedBeforeItHasCome) {
  EXPECT_EQ(violationOf(text(std::string(1001, 'x')).substr(0, 10)), 1009);
  EXPECT_EQ(violationOf(masked(0x01, std::string(600, 'x')) + masked(0x80, std::string(600, 'x')).substr(0, 10)), 1009);
  EXPECT_EQ(violationOf(std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                    "abcd")),
            1009)
      << "2^64 - 1 bytes";
}

TEST(WebSocketFrames, AreWrittenWithTheShortestLength) {
  std::string out;
  appendFrame(out, Opcode::Text, "Hello");
  EXPECT_EQ(out, "\x81\x05Hello");
  out.clear();
  appendFrame(out, Opcode::Text, std::string(126, 'x'));
  EXPECT_EQ(out.substr(0, 4), std::string("\x81\x7e\x00\x7e", 4));
  out.clear();
  appendFrame(out, Opcode::Text, std::string(65'536, 'x'));
  EXPECT_EQ(out.substr(0, 10), std::string("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
  out.clear();
  appendClose(out, 4404, "gone");
  EXPECT_EQ(out, "\x88\x06\x11\x34gone");
}

TEST(WebSocketFrames, ALongReasonIsCutBetweenCharacters) {
  std::string out, reason(122, 'x');
  appendClose(out, 1000, reason + "\xc3\xbc");
  EXPECT_EQ(out.size(), 2U + 2U + 122U);
}

}  // namespace
}  // namespace crosspoint::http
