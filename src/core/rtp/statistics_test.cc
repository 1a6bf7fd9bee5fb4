// Loss, jitter and round trips as RFC 3550 counts them.
#include "core/rtp/statistics.h"

#include <gtest/gtest.h>

#include "core/rtp/ntp.h"

namespace crosspoint::rtp {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(5000)};

struct Receiving {
  bool receive(std::uint16_t sequenceNumber, Duration late = Duration::zero()) {
    const int distance = static_cast<std::int16_t>(static_cast<std::uint16_t>(sequenceNumber - 100));
    return stream.handlePacket(kStart + distance * 20ms + late, sequenceNumber,
                               static_cast<std::uint32_t>(distance) * 160u, 160);
  }
  ReceiveStatistics stream{7, 8000};
};

TEST(ReceiveStatistics, CountsNothingLostInAnEvenStream) {
  Receiving t;
  for (std::uint16_t i = 100; i < 200; ++i) EXPECT_TRUE(t.receive(i));
  EXPECT_EQ(t.stream.packets(), 100u);
  EXPECT_EQ(t.stream.payloadBytes(), 16'000u);
  EXPECT_EQ(t.stream.cumulativeLost(), 0);
  EXPECT_EQ(t.stream.jitter(), 0u);
  const ReportBlock block = t.stream.makeReport(kStart + 2s);
  EXPECT_EQ(block.ssrc, 7u);
  EXPECT_EQ(block.fractionLost, 0);
  EXPECT_EQ(block.extendedHighestSequence, 199u);
  EXPECT_EQ(block.lastSenderReport, 0u);
}

TEST(ReceiveStatistics, TheFractionIsOfTheIntervalAndTheSumOfAll) {
  Receiving t;
  for (std::uint16_t i = 100; i < 200; ++i) {
    if (i % 4 != 1) t.receive(i);
  }
  EXPECT_EQ(t.stream.makeReport(kStart).fractionLost, 64);
  for (std::uint16_t i = 200; i < 300; ++i) t.receive(i);
  const ReportBlock second = t.stream.makeReport(kStart);
  EXPECT_EQ(second.fractionLost, 0);
  EXPECT_EQ(second.cumulativeLost, 25);
  EXPECT_EQ(t.stream.makeReport(kStart).fractionLost, 0) << "nothing expected, nothing lost";
}

TEST(ReceiveStatistics, DuplicatesMakeTheSumNegativeAndLatePacketsRepairIt) {
  Receiving t;
  for (std::uint16_t i : {100, 101, 101, 101}) t.receive(i);
  EXPECT_EQ(t.stream.cumulativeLost(), -2);
  EXPECT_EQ(t.stream.makeReport(kStart).cumulativeLost, -2);
  t.receive(104);
  EXPECT_EQ(t.stream.cumulativeLost(), 0);
  t.receive(103);
  EXPECT_EQ(t.stream.cumulativeLost(), -1);
}

TEST(ReceiveStatistics, TheHighestNumberIsExtendedAtEachWrap) {
  ReceiveStatistics stream(1, 8000);
  std::uint32_t number = 65'000;
  for (int i = 0; i < 140'000; ++i, ++number) {
    stream.handlePacket(kStart + i * 20ms, static_cast<std::uint16_t>(number), number * 160, 1);
  }
  EXPECT_EQ(stream.extendedHighestSequence(), 65'000u + 139'999u);
  EXPECT_EQ(stream.cumulativeLost(), 0);
}

TEST(ReceiveStatistics, AJumpIsBelievedAtItsSecondPacket) {
  Receiving t;
  for (std::uint16_t i = 100; i < 110; ++i) t.receive(i);
  EXPECT_FALSE(t.receive(30'000));
  EXPECT_TRUE(t.receive(110)) << "one wild packet changes nothing";
  EXPECT_FALSE(t.receive(40'000));
  EXPECT_TRUE(t.receive(40'001));
  EXPECT_TRUE(t.receive(40'002));
  EXPECT_EQ(t.stream.cumulativeLost(), 0);
  EXPECT_EQ(t.stream.extendedHighestSequence(), 40'002u);
}

TEST(ReceiveStatistics, JitterFollowsTheFormulaOfAppendixA8) {
  Receiving t;
  t.receive(100);
  t.receive(101, 10ms);  // 80 units later than the one before
  EXPECT_EQ(t.stream.jitter(), 80u / 16);
  double expected = 80.0 / 16;
  for (std::uint16_t i = 102; i < 400; ++i) {
    t.receive(i, i % 2 == 0 ? 0ms : 10ms);
    expected += (80 - expected) / 16;
  }
  EXPECT_NEAR(t.stream.jitter(), expected, 1.5);
  EXPECT_NEAR(std::chrono::duration<double>(t.stream.jitterTime()).count(), 0.010, 0.0005);
  const auto highest = t.stream.jitterMax();
  for (std::uint16_t i = 400; i < 800; ++i) t.receive(i);
  EXPECT_LT(t.stream.jitter(), 3u);
  EXPECT_EQ(t.stream.jitterMax(), highest);
}

TEST(ReceiveStatistics, PacketsOfOneFrameAreOneSample) {
  ReceiveStatistics stream(1, 90'000);
  std::uint16_t number = 0;
  for (int frame = 0; frame < 50; ++frame) {
    for (int part = 0; part < 10; ++part) {
      const TimePoint at = kStart + frame * 100ms + part * 5ms;
      stream.handlePacket(at, number++, static_cast<std::uint32_t>(frame) * 9000, 1000);
    }
  }
  EXPECT_EQ(stream.jitter(), 0u);
}

TEST(ReceiveStatistics, TellsWhenTheLastSenderReportCame) {
  Receiving t;
  t.receive(100);
  t.stream.handleSenderReport(kStart + 1s, {.ntp = 0x1111222233334444});
  const ReportBlock block = t.stream.makeReport(kStart + 1500ms);
  EXPECT_EQ(block.lastSenderReport, 0x22223333u);
  EXPECT_EQ(block.delaySinceLastReport, 32'768u);
}

TEST(SendStatistics, ItsClockRunsOnBetweenPackets) {
  SendStatistics stream(1, 8000);
  stream.handlePacket(kStart, 1000, 160);
  stream.handlePacket(kStart + 20ms, 1160, 160);
  const SenderInfo info = stream.makeSenderInfo(kStart + 1020ms, 77);
  EXPECT_EQ(info.ntp, 77u);
  EXPECT_EQ(info.rtpTimestamp, 1160u + 8000);
  EXPECT_EQ(info.packetCount, 2u);
  EXPECT_EQ(info.octetCount, 320u);
}

TEST(SendStatistics, TheRoundTripIsTheTimeLessTheFarEndsDelay) {
  SendStatistics stream(1, 8000);
  const WallTime sentAt{1'700'000'000s};
  const std::uint32_t sent = compactNtp(toNtp(sentAt));
  const ReportBlock report{.ssrc = 1, .lastSenderReport = sent, .delaySinceLastReport = toCompactInterval(2s)};
  stream.handleReport(report, toNtp(sentAt + 2s + 125ms));
  ASSERT_TRUE(stream.roundTrip());
  EXPECT_NEAR(std::chrono::duration<double>(*stream.roundTrip()).count(), 0.125, 0.0001);
  stream.handleReport(report, toNtp(sentAt + 2s + 25ms));
  EXPECT_NEAR(std::chrono::duration<double>(*stream.roundTrip()).count(), 0.025, 0.0001);
  EXPECT_NEAR(std::chrono::duration<double>(*stream.roundTripMax()).count(), 0.125, 0.0001);
}

TEST(SendStatistics, AReportWithoutOrBeforeASenderReportGivesNoRoundTrip) {
  SendStatistics stream(1, 8000);
  stream.handleReport({.ssrc = 1, .fractionLost = 9}, toNtp(WallTime{1s}));
  EXPECT_FALSE(stream.roundTrip());
  EXPECT_EQ(stream.lastReport()->fractionLost, 9);
  const std::uint64_t now = toNtp(WallTime{1'700'000'000s});
  stream.handleReport({.ssrc = 1, .lastSenderReport = compactNtp(now) + 65536}, now);
  EXPECT_FALSE(stream.roundTrip()) << "it would be negative";
}

TEST(Ntp, CountsFrom1900) {
  EXPECT_EQ(toNtp(WallTime{0s}) >> 32, 2'208'988'800u);
  EXPECT_EQ(toNtp(WallTime{500ms}) & 0xffffffff, 0x80000000u);
  EXPECT_EQ(fromCompactInterval(toCompactInterval(1500ms)), 1500ms);
}

}  // namespace
}  // namespace crosspoint::rtp
