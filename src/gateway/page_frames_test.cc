// What pages and the gateway say on a WebSocket, as text.
#include "gateway/page_frames.h"

#include <gtest/gtest.h>

namespace crosspoint::gateway {
namespace {

constexpr bridge::RequestId kSocket{9};

bridge::SocketMessage parsed(std::string_view text) {
  auto message = parseFrame(kSocket, text);
  EXPECT_TRUE(message) << message.error();
  return message.value_or(bridge::SocketMessage{});
}
std::string wrong(std::string_view text) {
  const auto message = parseFrame(kSocket, text);
  return message ? "" : message.error();
}

TEST(PageFrames, AMessageHasItsNumberItsPeerAndItsBody) {
  const auto message = parsed("n: 3\nto: 1021\n\nINFO-PEER a=1\n\nb: 2");
  EXPECT_EQ(message.socket, kSocket);
  EXPECT_EQ(message.number, 3U);
  EXPECT_EQ(message.to, "1021");
  EXPECT_EQ(message.body, "INFO-PEER a=1\n\nb: 2");
  EXPECT_FALSE(message.acknowledged);
}

TEST(PageFrames, AnAcknowledgementMayStandAloneOrWithAMessage) {
  EXPECT_EQ(parsed("ack: 7\n\n").acknowledged, 7U);
  EXPECT_FALSE(parsed("ack: 7\n\n").number);
  const auto both = parsed("ack:7\r\nn:\t4 \r\nto:\r\nfuture: x\r\n\r\nBYE");
  EXPECT_EQ(both.acknowledged, 7U);
  EXPECT_EQ(both.number, 4U);
  EXPECT_EQ(both.to, "");
  EXPECT_EQ(both.body, "BYE");
}

TEST(PageFrames, WhatHasNoFormOfOursIsNamed) {
  EXPECT_EQ(wrong(""), "the header has no empty line behind it");
  EXPECT_EQ(wrong("n: 3\nto: 1"), "the header has no empty line behind it");
  EXPECT_EQ(wrong("RSMP {}\n\n"), "a header line is no \"name: value\"");
  EXPECT_EQ(wrong("\nBYE"), "neither n nor ack is there");
  EXPECT_EQ(wrong("n: -3\nto: 1\n\n"), "n is not a number");
  EXPECT_EQ(wrong("ack: 99999999999999999999\n\n"), "ack is not a number");
  EXPECT_EQ(wrong("n: 3\n\nBYE"), "a message has no to");
  EXPECT_EQ(wrong("ack: 3\n\nBYE"), "a message has no n");
  std::string many;
  for (int i = 0; i < 20; ++i) many += "x: y\n";
  EXPECT_EQ(wrong(many + "ack: 1\n\n"), "too many header lines");
  EXPECT_EQ(wrong("n: 1\nto: " + std::string(2'000, '1') + "\n\nBYE"), "a header line is too long");
}

TEST(PageFrames, MessagesAndConfirmationsAreWritten) {
  using Form = bridge::PageReply::Form;
  EXPECT_EQ(frameText({.body = "SDP {}", .peer = "1021", .sequence = 7, .form = Form::Frame}),
            "sequence: 7\npeer: 1021\n\nSDP {}");
  EXPECT_EQ(frameText({.body = "BYE", .sequence = 8, .form = Form::Frame}), "sequence: 8\n\nBYE");
  EXPECT_EQ(frameText({.form = Form::Frame, .taken = 3}), "taken: 3\n\n");
  EXPECT_EQ(frameText({.body = "x", .peer = "a\r\nsequence: 9", .sequence = 1}),
            "sequence: 1\npeer: asequence: 9\n\nx");
}

}  // namespace
}  // namespace crosspoint::gateway
