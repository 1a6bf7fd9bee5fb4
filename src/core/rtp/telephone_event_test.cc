// Events as browsers send them, and what receivers get.
#include "core/rtp/telephone_event.h"

#include <gtest/gtest.h>

namespace crosspoint::rtp {
namespace {

struct Event {
  bool marker = false;
  std::uint16_t sequenceNumber = 0;
  std::uint32_t timestamp = 1000;
  std::uint8_t event = 1;
  bool end = false;
  std::uint16_t duration = 960;
  std::uint32_t ssrc = 7;

  bool operator==(const Event&) const = default;
};

ByteVector toPacket(const Event& event) {
  ByteVector bytes(kFixedHeaderBytes + kEventBytes);
  ByteWriter writer(bytes);
  writeHeader(writer, {event.marker, 101, event.sequenceNumber, event.timestamp, event.ssrc});
  writer.write(event.event);
  writer.write(static_cast<std::uint8_t>(event.end ? 0x8a : 0x0a));
  writer.write(event.duration);
  return bytes;
}

Event toEvent(Bytes bytes) {
  const auto view = PacketView::parse(bytes);
  const Bytes event = view->payload();
  return {.marker = view->marker(),
          .sequenceNumber = view->sequenceNumber(),
          .timestamp = view->timestamp(),
          .event = event[0],
          .end = (event[1] & 0x80) != 0,
          .duration = loadBigEndian<std::uint16_t>(event.data() + 2),
          .ssrc = view->ssrc()};
}

// What receivers get, by timestamp and event: `M` marks the start, `.` goes on, `E` ends.
struct Passage {
  void send(const Event& event) {
    ByteVector packet = toPacket(event);
    if (starts.handle(packet)) note(toEvent(EventStart(packet, 8000).bytes()));
    note(toEvent(packet));
  }
  void note(const Event& event) { heard += event.end ? (event.marker ? '!' : 'E') : event.marker ? 'M' : '.'; }

  EventStarts starts;
  std::string heard;
};

TEST(TelephoneEvent, AWholeEventStaysAsItIs) {
  Passage t;
  for (std::uint16_t i = 1; i <= 6; ++i) t.send({.marker = i == 1, .sequenceNumber = i, .end = i > 3});
  EXPECT_EQ(t.heard, "M..EEE");
}

// As captured: Firefox beside Opus marks all three.
TEST(TelephoneEvent, EndsAloneGetAStart) {
  Passage t;
  for (std::uint16_t digit = 0; digit < 2; ++digit) {
    for (std::uint16_t i = 0; i < 3; ++i) {
      t.send({.marker = true,
              .sequenceNumber = static_cast<std::uint16_t>(digit * 10 + i),
              .timestamp = 1000u + digit * 8160u,
              .end = true});
    }
  }
  EXPECT_EQ(t.heard, "MEEEMEEE");
}

TEST(TelephoneEvent, AStartIsTheEndsTwinAndAsShortAsOnePacket) {
  ByteVector packet = toPacket({.marker = true, .sequenceNumber = 9, .timestamp = 77, .event = 11, .end = true});
  EventStarts starts;
  ASSERT_TRUE(starts.handle(packet));
  EXPECT_EQ(toEvent(packet), (Event{.sequenceNumber = 9, .timestamp = 77, .event = 11, .end = true}));
  const Event start{.marker = true, .sequenceNumber = 9, .timestamp = 77, .event = 11, .duration = 160};
  EXPECT_EQ(toEvent(EventStart(packet, 8000).bytes()), start);
  storeBigEndian<std::uint16_t>(packet.data() + kFixedHeaderBytes + 2, 40);  // shorter than a packet
  EXPECT_EQ(toEvent(EventStart(packet, 8000).bytes()).duration, 40);
}

TEST(TelephoneEvent, AStartIsMadeOfWhateverHeaderTheEndHas) {
  ByteVector packet = toPacket({.end = true, .duration = 960});
  packet[0] |= 0x0f | 0x10 | 0x20;  // 15 CSRCs, an extension, padding
  const ByteVector extension{0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0};
  packet.insert(packet.begin() + kFixedHeaderBytes, extension.begin(), extension.end());
  packet.insert(packet.begin() + kFixedHeaderBytes, 60, 0x33);
  packet.insert(packet.end(), {0, 0, 0, 4});
  EventStarts starts;
  ASSERT_TRUE(starts.handle(packet));
  EventStart start(packet, 8000);
  ASSERT_EQ(start.bytes().size(), kFixedHeaderBytes + 60 + kEventBytes);
  const auto view = PacketView::parse(start.bytes());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->csrcCount(), 15u);
  EXPECT_EQ(view->csrc(14), 0x33333333u);
  EXPECT_EQ(toEvent(start.bytes()), (Event{.marker = true, .duration = 160}));
}

TEST(TelephoneEvent, TheFirstPacketThatArrivesIsMarked) {
  Passage t;
  t.send({.sequenceNumber = 2});
  t.send({.sequenceNumber = 3});
  t.send({.sequenceNumber = 4, .end = true});
  EXPECT_EQ(t.heard, "M.E");
}

TEST(TelephoneEvent, WhatIsLateOrComesTwiceStartsNothing) {
  Passage t;
  t.send({.marker = true, .sequenceNumber = 1});
  t.send({.sequenceNumber = 3, .end = true});
  t.send({.sequenceNumber = 3, .end = true});
  t.send({.sequenceNumber = 2});
  EXPECT_EQ(t.heard, "MEE.");
  t.send({.marker = true, .sequenceNumber = 10, .timestamp = 9000});
  t.send({.sequenceNumber = 4, .timestamp = 1000, .end = true});  // of the event before
  t.send({.sequenceNumber = 11, .timestamp = 9000, .end = true});
  EXPECT_EQ(t.heard, "MEE.MEE");
}

TEST(TelephoneEvent, SegmentsOfALongEventAreOneEvent) {
  Passage t;
  t.send({.marker = true, .sequenceNumber = 1, .timestamp = 0});
  t.send({.sequenceNumber = 2, .timestamp = 0, .duration = 0xffff});
  t.send({.sequenceNumber = 3, .timestamp = 0xffff});
  t.send({.sequenceNumber = 4, .timestamp = 2 * 0xffff, .end = true});  // the shortest segment
  EXPECT_EQ(t.heard, "M..E");
}

TEST(TelephoneEvent, AnotherSourceAndAnotherEventStartAnew) {
  Passage t;
  t.send({.sequenceNumber = 1});
  t.send({.sequenceNumber = 2, .ssrc = 8});
  t.send({.sequenceNumber = 3, .event = 2, .ssrc = 8});
  t.send({.sequenceNumber = 4, .timestamp = 200'000, .event = 2, .end = true, .ssrc = 8});
  EXPECT_EQ(t.heard, "MMMME");
}

TEST(TelephoneEvent, TheDurationIsConvertedBetweenClocks) {
  for (const auto& [from, to, before, after] :
       {std::tuple(48000u, 8000u, 4800, 800), {8000u, 48000u, 800, 4800}, {8000u, 48000u, 60'000, 0xffff}}) {
    ByteVector packet = toPacket({.duration = static_cast<std::uint16_t>(before)});
    convertEventDuration(packet, from, to);
    EXPECT_EQ(toEvent(packet).duration, after);
  }
}

TEST(TelephoneEvent, WhatIsTooShortForAnEventStays) {
  ByteVector packet = toPacket({.end = true});
  packet.pop_back();
  const ByteVector before = packet;
  EventStarts starts;
  EXPECT_FALSE(starts.handle(packet));
  convertEventDuration(packet, 48000, 8000);
  EXPECT_EQ(packet, before);
}

}  // namespace
}  // namespace crosspoint::rtp
