// One continuous stream out of whatever comes in.
#include "core/rtp/rewriter.h"

#include <gtest/gtest.h>

#include <map>

#include "core/rtp/packet.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::rtp {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(5000)};
constexpr Rewriter::Config kConfig{
    .ssrc = 0xaaaa, .firstSequenceNumber = 500, .firstTimestamp = 10'000, .clockRate = 8000};

// One far end: 20 ms packets with a clock and numbers of its own.
struct Source {
  std::uint32_t ssrc;
  std::uint16_t sequenceNumber;
  std::uint32_t timestamp;

  void skip(int packets) {
    sequenceNumber = static_cast<std::uint16_t>(sequenceNumber + packets);
    timestamp += 160u * static_cast<std::uint32_t>(packets);
  }
};

struct Fixture {
  enum class As : std::uint8_t { TheSources, AnAddition };
  std::optional<Header> send(std::uint32_t ssrc, std::uint16_t sequenceNumber, std::uint32_t timestamp,
                             std::uint8_t type = 8, As as = As::TheSources) {
    ByteVector bytes(kFixedHeaderBytes + 10);
    ByteWriter writer(bytes);
    writeHeader(writer, {.payloadType = 77, .sequenceNumber = sequenceNumber, .timestamp = timestamp, .ssrc = ssrc});
    const bool addition = as == As::AnAddition;
    if (!(addition ? rewriter.insert(now, bytes, type) : rewriter.rewrite(now, bytes, type))) return std::nullopt;
    const auto packet = PacketView::parse(bytes);
    EXPECT_EQ(packet->ssrc(), rewriter.ssrc());
    EXPECT_EQ(packet->payloadType(), type);
    return Header{packet->marker(), type, packet->sequenceNumber(), packet->timestamp(), packet->ssrc()};
  }
  // The source's next packet, 20 ms later.
  std::optional<Header> next(Source& source) {
    now += 20ms;
    const auto sent = send(source.ssrc, source.sequenceNumber, source.timestamp);
    source.skip(1);
    return sent;
  }

  TimePoint now = kStart;
  Rewriter rewriter{kConfig};
};

TEST(Rewriter, StartsWhereItWasToldAndGoesOnEvenly) {
  Fixture t;
  Source source{1, 65'530, 0xffffff00};
  for (int i = 0; i < 20; ++i) {
    const auto sent = t.next(source);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->sequenceNumber, 500 + i);
    EXPECT_EQ(sent->timestamp, 10'000u + 160u * static_cast<std::uint32_t>(i));
    EXPECT_EQ(sent->marker, i == 0);
  }
}

TEST(Rewriter, KeepsGapsDisorderAndDuplicatesOfOneSource) {
  Fixture t;
  t.send(1, 100, 1000);
  EXPECT_EQ(t.send(1, 103, 1480)->sequenceNumber, 503);
  EXPECT_EQ(t.send(1, 102, 1320)->sequenceNumber, 502);
  EXPECT_EQ(t.send(1, 102, 1320)->sequenceNumber, 502);
  EXPECT_EQ(t.send(1, 102, 1320)->timestamp, 10'320u);
  EXPECT_EQ(t.send(1, 104, 1640)->sequenceNumber, 504);
}

TEST(Rewriter, AnotherSourceFollowsWithoutAGapAndMarked) {
  Fixture t;
  Source first{1, 40'000, 777};
  for (int i = 0; i < 10; ++i) t.next(first);
  Source second{2, 9, 0x80000000};
  const auto sent = t.next(second);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->sequenceNumber, 510);
  EXPECT_EQ(sent->timestamp, 10'000u + 1600) << "20 ms after the last";
  EXPECT_TRUE(sent->marker);
  EXPECT_FALSE(t.next(second)->marker);
}

TEST(Rewriter, AnHourOfHoldPassesInTheTimestampWhateverTheSourceDid) {
  struct Case {
    const char* name;
    Source after;
  };
  Source running{1, 40'000, 777};
  running.skip(10);
  const Case cases[] = {
      {"its clock went on", {1, running.sequenceNumber, running.timestamp + 3600u * 8000}},
      {"its clock stood still", {1, running.sequenceNumber, running.timestamp}},
      {"it is another", {99, 3, 0x12345678}},
      {"it started anew with its old SSRC", {1, 3, 0x12345678}},
  };
  for (const Case& c : cases) {
    Fixture t;
    Source source{1, 40'000, 777};
    Header last;
    for (int i = 0; i < 10; ++i) last = *t.next(source);
    t.now += 1h;
    Source after = c.after;
    const auto sent = t.next(after);
    ASSERT_TRUE(sent) << c.name;
    EXPECT_EQ(sent->sequenceNumber, last.sequenceNumber + 1) << c.name;
    EXPECT_NEAR(sent->timestamp, last.timestamp + 3600u * 8000 + 160, 160) << c.name;
    EXPECT_EQ(t.next(after)->timestamp, sent->timestamp + 160) << c.name;
  }
}

TEST(Rewriter, ALongTelephoneEventWithOneTimestampIsNoSwitch) {
  Fixture t;
  Source source{1, 100, 8000};
  t.next(source);
  const std::uint32_t eventStart = source.timestamp;
  for (int i = 0; i < 250; ++i) {  // 5 s
    t.now += 20ms;
    const auto sent = t.send(1, source.sequenceNumber++, eventStart, 101);
    EXPECT_EQ(sent->timestamp, 10'160u);
    EXPECT_FALSE(sent->marker);
  }
  t.now += 20ms;
  const auto audio = t.send(1, source.sequenceNumber, eventStart + 251 * 160);
  EXPECT_EQ(audio->timestamp, 10'160u + 251 * 160);
  EXPECT_FALSE(audio->marker);
}

TEST(Rewriter, StragglersOfTheSourceBeforeAreDropped) {
  Fixture t;
  Source first{1, 100, 0}, second{2, 100, 0};
  t.next(first);
  t.next(second);
  EXPECT_FALSE(t.next(first));
  EXPECT_EQ(t.next(second)->sequenceNumber, 502);
  t.now += kStragglerTime;
  EXPECT_EQ(t.next(first)->sequenceNumber, 503) << "later it is a switch back";
}

TEST(Rewriter, WhatPrecedesTheFirstPacketOfASourceIsDropped) {
  Fixture t;
  Source first{1, 100, 0};
  t.next(first);
  t.send(2, 200, 5000);
  EXPECT_FALSE(t.send(2, 199, 4840)) << "its number was used by the source before";
  EXPECT_TRUE(t.send(2, 201, 5160));
}

TEST(Rewriter, AJumpOfTheSourcesNumbersLeavesNoGap) {
  Fixture t;
  Source source{1, 100, 0};
  const auto before = t.next(source);
  source.sequenceNumber = 30'000;
  const auto after = t.next(source);
  EXPECT_EQ(after->sequenceNumber, before->sequenceNumber + 1);
  EXPECT_EQ(after->timestamp, before->timestamp + 160);
  EXPECT_TRUE(after->marker);
}

TEST(Rewriter, AJumpOfTheSourcesClockPassesAsTheTimeThatItTook) {
  Fixture t;
  Source source{1, 100, 0};
  const auto before = t.next(source);
  source.timestamp += 1'000'000;
  const auto after = t.next(source);
  EXPECT_EQ(after->sequenceNumber, before->sequenceNumber + 1);
  EXPECT_EQ(after->timestamp, before->timestamp + 160);
}

TEST(Rewriter, ABurstAfterAStallStaysAsItWas) {
  Fixture t;
  Source source{1, 100, 0};
  const auto before = t.next(source);
  t.now += 1500ms;
  for (int i = 1; i <= 75; ++i) {
    const auto sent = t.send(1, source.sequenceNumber, source.timestamp);
    source.skip(1);
    EXPECT_EQ(sent->timestamp, before->timestamp + 160u * static_cast<std::uint32_t>(i));
    EXPECT_FALSE(sent->marker);
  }
}

TEST(Rewriter, ASwitchThatSignallingAnnouncedHappensWithTheNextPacket) {
  Fixture t;
  Source source{1, 100, 0};
  t.next(source);
  t.rewriter.expectSwitch();
  source.skip(5);
  const auto sent = t.next(source);
  EXPECT_EQ(sent->sequenceNumber, 501);
  EXPECT_TRUE(sent->marker);
  EXPECT_FALSE(t.next(source)->marker);
}

TEST(Rewriter, LeavesTheMarkerOfVideoAlone) {
  Fixture t;
  Rewriter::Config config = kConfig;
  config.markSwitches = false;
  t.rewriter = Rewriter(config);
  EXPECT_FALSE(t.send(1, 1, 1)->marker);
}

TEST(Rewriter, AnotherClockRateCountsTimeInItsOwnUnits) {
  Fixture t;
  Source source{1, 100, 0};
  const auto before = t.next(source);
  t.rewriter.setClockRate(48'000);
  t.now += 20ms;
  EXPECT_EQ(t.send(1, 101, 5)->timestamp, before->timestamp + 960);
}

TEST(Rewriter, AnInsertedPacketTakesTheNextNumberAndTheSourceFollowsIt) {
  Fixture t;
  using As = Fixture::As;
  for (std::uint16_t i = 0; i < 200; ++i) t.send(1, i, i * 160u);  // settled
  const auto inserted = t.send(1, 201, 201 * 160, 8, As::AnAddition);
  ASSERT_TRUE(inserted);
  EXPECT_EQ(inserted->sequenceNumber, 701);
  const auto own = t.send(1, 201, 201 * 160);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->sequenceNumber, 702);
  EXPECT_EQ(own->timestamp, inserted->timestamp);
  EXPECT_FALSE(own->marker);
  EXPECT_FALSE(t.send(1, 200, 200 * 160)) << "its number has been used";
  EXPECT_EQ(t.send(1, 202, 202 * 160)->sequenceNumber, 703);
  EXPECT_FALSE(t.send(1, 202, 202 * 160, 8, As::AnAddition)) << "sent already";
  EXPECT_FALSE(t.send(1, 201, 201 * 160, 8, As::AnAddition));
  EXPECT_EQ(t.send(1, 203, 203 * 160)->sequenceNumber, 704);
}

TEST(Rewriter, AStreamMayStartWithAnInsertedPacket) {
  Fixture t;
  EXPECT_EQ(t.send(1, 0, 0, 8, Fixture::As::AnAddition)->sequenceNumber, 500);
  EXPECT_EQ(t.send(1, 0, 0)->sequenceNumber, 501);
  EXPECT_EQ(t.send(2, 77, 0, 8, Fixture::As::AnAddition)->sequenceNumber, 502) << "another source";
  EXPECT_EQ(t.send(2, 77, 0)->sequenceNumber, 503);
}

TEST(Rewriter, FindsTheSourcesNumberOfASentPacket) {
  Fixture t;
  EXPECT_FALSE(t.rewriter.sourceSequenceNumber(500));
  t.send(1, 65'534, 0);
  t.send(1, 65'535, 160);
  t.send(1, 0, 320);
  EXPECT_EQ(t.rewriter.sourceSequenceNumber(500), 65'534);
  EXPECT_EQ(t.rewriter.sourceSequenceNumber(502), 0);
  EXPECT_FALSE(t.rewriter.sourceSequenceNumber(503)) << "not sent yet";
  EXPECT_FALSE(t.rewriter.sourceSequenceNumber(499)) << "not this source's";
  EXPECT_EQ(t.rewriter.sourceSsrc(), 1u);
}

TEST(Rewriter, ARestoredStreamGoesOn) {
  Fixture t;
  Source source{1, 100, 0};
  Header last;
  for (int i = 0; i < 10; ++i) last = *t.next(source);
  t.rewriter = Rewriter(t.rewriter.state(), t.now);
  const auto sent = t.next(source);
  EXPECT_EQ(sent->sequenceNumber, last.sequenceNumber + 1);
  EXPECT_EQ(sent->timestamp, last.timestamp + 160);
}

// Whatever strangers send: no number leaves twice with different content, and none goes back far.
TEST(Rewriter, NeverUsesANumberForTwoDifferentPackets) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    test::SeededRandom random{seed};
    Fixture t;
    std::map<std::int64_t, std::tuple<std::uint32_t, std::uint16_t, std::uint32_t, Fixture::As>> used;
    std::int64_t newest = kConfig.firstSequenceNumber;
    std::vector<Source> sources{{1, 100, 0}, {2, 40'000, 9}, {3, 65'500, 0xfffffff0}};
    std::size_t active = 0;
    for (int step = 0; step < 20'000; ++step) {
      t.now += std::chrono::milliseconds(random.below(40));
      if (random.below(300) == 0) active = random.below(sources.size());
      if (random.below(400) == 0) t.now += 10s;
      Source& source = sources[active];
      if (random.below(500) == 0)
        source.sequenceNumber = static_cast<std::uint16_t>(source.sequenceNumber + 5'000 + random.below(50'000));
      if (random.below(500) == 0) source.timestamp = random.next<std::uint32_t>();
      source.skip(1 + static_cast<int>(random.below(3)));
      Source copy = source;
      if (random.below(4) == 0) copy.skip(-static_cast<int>(random.below(6)));
      const auto as = random.below(20) == 0 ? Fixture::As::AnAddition : Fixture::As::TheSources;
      const auto sent = t.send(copy.ssrc, copy.sequenceNumber, copy.timestamp, 8, as);
      if (!sent) continue;
      const auto origin = std::tuple(copy.ssrc, copy.sequenceNumber, copy.timestamp, as);
      const std::int64_t index =
          newest + static_cast<std::int16_t>(sent->sequenceNumber - static_cast<std::uint16_t>(newest));
      ASSERT_GE(index, newest - kSequenceMisorderMax);
      newest = std::max(newest, index);
      const auto [found, fresh] = used.emplace(index, origin);
      ASSERT_TRUE(fresh || found->second == origin) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace crosspoint::rtp
