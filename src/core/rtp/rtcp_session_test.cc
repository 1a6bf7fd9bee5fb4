// Reports at intervals, feedback at once, in virtual time.
#include "core/rtp/rtcp_session.h"

#include <gtest/gtest.h>

#include "core/rtp/ntp.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::rtp {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(5000)};
constexpr std::uint32_t kOurs = 0x1000;
constexpr std::uint32_t kTheirs = 0x2000;

RtcpSession::Config makeConfig(std::uint32_t ssrc) {
  return {.cname = "name", .ssrc = ssrc, .clock = {.monotonic = kStart, .wall = WallTime{1'700'000'000s}}};
}

struct Fixture {
  explicit Fixture(RtcpSession::Config config = makeConfig(kOurs)) : rtcp(std::move(config), random, kStart) {}

  template <typename T>
  std::vector<T> take() {
    std::vector<T> taken;
    while (auto output = rtcp.pollOutput()) {
      if (auto* wanted = std::get_if<T>(&*output)) taken.push_back(std::move(*wanted));
    }
    return taken;
  }
  std::vector<RtcpSession::SendRtcp> reports() { return take<RtcpSession::SendRtcp>(); }
  ByteVector packet(std::uint32_t ssrc, std::uint16_t sequenceNumber) const {
    ByteVector bytes(kFixedHeaderBytes + 160);
    ByteWriter writer(bytes);
    writeHeader(writer, {.sequenceNumber = sequenceNumber, .timestamp = sequenceNumber * 160u, .ssrc = ssrc});
    return bytes;
  }
  void sent(std::uint32_t ssrc, std::uint16_t n) {
    const ByteVector bytes = packet(ssrc, n);
    rtcp.handlePacketSent(now, *PacketView::parse(bytes));
  }
  void received(std::uint32_t ssrc, std::uint16_t n) {
    const ByteVector bytes = packet(ssrc, n);
    rtcp.handlePacketReceived(now, *PacketView::parse(bytes), 8000);
  }
  void runToReport() {
    now = *rtcp.nextTimeout();
    rtcp.handleTimeout(now);
  }

  test::SeededRandom random{1};
  TimePoint now = kStart;
  RtcpSession rtcp;
};

template <typename T>
std::optional<T> find(Bytes bytes) {
  auto compound = CompoundView::parse(bytes);
  EXPECT_TRUE(compound);
  while (compound) {
    auto packet = compound->next();
    if (!packet) break;
    if (auto* wanted = std::get_if<T>(&*packet)) return *wanted;
  }
  return std::nullopt;
}

TEST(RtcpSession, ReportsAtIntervalsBetweenHalfAndOneAndAHalf) {
  Fixture t;
  EXPECT_GE(*t.rtcp.nextTimeout(), kStart + 1250ms);
  EXPECT_LT(*t.rtcp.nextTimeout(), kStart + 3750ms);
  for (int i = 0; i < 100; ++i) {
    t.rtcp.handleTimeout(*t.rtcp.nextTimeout() - 1ns);
    EXPECT_TRUE(t.reports().empty());
    t.runToReport();
    EXPECT_EQ(t.reports().size(), 1u);
    EXPECT_GE(*t.rtcp.nextTimeout() - t.now, 2500ms);
    EXPECT_LT(*t.rtcp.nextTimeout() - t.now, 7500ms);
  }
}

TEST(RtcpSession, SaysReceiverReportUntilSomethingIsSent) {
  Fixture t;
  t.rtcp.addSender(kOurs, 8000);
  t.received(kTheirs, 1);
  t.runToReport();
  const ByteVector first = t.reports().at(0).bytes;
  const auto receiver = find<ReceiverReportView>(first);
  ASSERT_TRUE(receiver);
  EXPECT_EQ(receiver->ssrc, kOurs);
  ASSERT_EQ(receiver->blocks.size(), 1u);
  EXPECT_EQ(receiver->blocks[0].ssrc, kTheirs);
  EXPECT_EQ(find<SourceDescriptionView>(first)->next()->text, "name");

  t.sent(kOurs, 5);
  t.runToReport();
  const ByteVector second = t.reports().at(0).bytes;
  const auto sender = find<SenderReportView>(second);
  ASSERT_TRUE(sender);
  EXPECT_EQ(sender->info.packetCount, 1u);
  EXPECT_EQ(sender->info.ntp, toNtp(makeConfig(0).clock.at(t.now)));
}

TEST(RtcpSession, EachSendingStreamHasItsReportAndTheFirstCarriesTheBlocks) {
  Fixture t;
  t.rtcp.addSender(kOurs, 8000);
  t.rtcp.addSender(kOurs + 1, 90'000);
  t.sent(kOurs, 1);
  t.sent(kOurs + 1, 1);
  t.received(kTheirs, 1);
  t.runToReport();
  const ByteVector bytes = t.reports().at(0).bytes;
  auto compound = CompoundView::parse(bytes);
  const auto first = std::get<SenderReportView>(*compound->next());
  const auto second = std::get<SenderReportView>(*compound->next());
  EXPECT_EQ(first.ssrc, kOurs);
  EXPECT_EQ(first.blocks.size(), 1u);
  EXPECT_EQ(second.ssrc, kOurs + 1);
  EXPECT_EQ(second.blocks.size(), 0u);
}

TEST(RtcpSession, AStreamThatFellSilentIsReportedNoLonger) {
  Fixture t;
  t.rtcp.addSender(kOurs, 8000);
  t.sent(kOurs, 1);
  t.received(kTheirs, 1);
  t.now += 1h;
  t.rtcp.handleTimeout(t.now);
  const ByteVector bytes = t.reports().at(0).bytes;
  EXPECT_FALSE(find<SenderReportView>(bytes));
  EXPECT_EQ(find<ReceiverReportView>(bytes)->blocks.size(), 0u);
}

TEST(RtcpSession, TwoSessionsMeasureTheRoundTripBetweenThem) {
  Fixture a(makeConfig(kOurs)), b(makeConfig(kTheirs));
  a.rtcp.addSender(kOurs, 8000);
  a.sent(kOurs, 1);
  b.received(kOurs, 1);
  a.runToReport();
  const TimePoint reported = a.now;
  b.rtcp.handleRtcp(reported + 50ms, a.reports().at(0).bytes);
  b.now = std::max(reported + 1s, *b.rtcp.nextTimeout());
  b.received(kOurs, 2);
  b.rtcp.handleTimeout(b.now);
  EXPECT_TRUE(a.rtcp.handleRtcp(b.now + 30ms, b.reports().at(0).bytes));
  ASSERT_TRUE(a.rtcp.sender(kOurs)->roundTrip());
  EXPECT_NEAR(std::chrono::duration<double>(*a.rtcp.sender(kOurs)->roundTrip()).count(), 0.080, 0.0001);
}

TEST(RtcpSession, SaysWhatTheFarEndAsksFor) {
  Fixture t;
  t.rtcp.addSender(kOurs, 90'000);
  std::array<std::uint8_t, 500> buffer;
  CompoundWriter writer(buffer);
  writer.pictureLoss(kTheirs, kOurs);
  writer.pictureLoss(kTheirs, 999);
  writer.fullIntraRequest(kTheirs, kOurs, 4);
  writer.fullIntraRequest(kTheirs, kOurs, 4);
  const std::uint16_t lost[] = {5, 6, 900};
  writer.nack(kTheirs, kOurs, lost);
  ASSERT_TRUE(t.rtcp.handleRtcp(t.now, writer.written()));
  int keyFrames = 0;
  std::vector<std::uint16_t> asked;
  while (auto output = t.rtcp.pollOutput()) {
    if (std::holds_alternative<RtcpSession::KeyFrameRequested>(*output)) ++keyFrames;
    if (auto* request = std::get_if<RtcpSession::PacketsRequested>(&*output)) asked = request->sequenceNumbers;
  }
  EXPECT_EQ(keyFrames, 2) << "one PLI and one FIR; not the stranger's stream, not the repetition";
  EXPECT_EQ(asked, (std::vector<std::uint16_t>{5, 6, 900}));
}

TEST(RtcpSession, SaysWhichSourceLeft) {
  Fixture t;
  t.received(kTheirs, 1);
  std::array<std::uint8_t, 100> buffer;
  CompoundWriter writer(buffer);
  const std::uint32_t leaving[] = {kTheirs, 12345};
  writer.bye(leaving);
  t.rtcp.handleRtcp(t.now, writer.written());
  const auto left = t.take<RtcpSession::SourceLeft>();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].ssrc, kTheirs);
}

TEST(RtcpSession, AsksForAKeyFrameAtOnceButNotTwiceInARow) {
  for (bool reducedSize : {false, true}) {
    auto config = makeConfig(kOurs);
    config.reducedSize = reducedSize;
    Fixture t(config);
    t.rtcp.requestKeyFrame(t.now, kTheirs);
    t.rtcp.requestKeyFrame(t.now + 100ms, kTheirs);
    const auto sent = t.reports();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(find<PictureLossIndication>(sent[0].bytes)->media, kTheirs);
    EXPECT_EQ(find<ReceiverReportView>(sent[0].bytes).has_value(), !reducedSize);
    t.rtcp.requestKeyFrame(t.now + 250ms, kTheirs);
    EXPECT_EQ(t.reports().size(), 1u);
  }
}

TEST(RtcpSession, AsksForPackets) {
  Fixture t;
  const std::uint16_t lost[] = {7, 9};
  t.rtcp.requestPackets(t.now, kTheirs, lost);
  const auto sent = t.reports();
  ASSERT_EQ(sent.size(), 1u);
  auto nack = find<NackView>(sent[0].bytes);
  EXPECT_EQ(nack->next(), 7);
  EXPECT_EQ(nack->next(), 9);
}

TEST(RtcpSession, SaysByeAndThenNothing) {
  Fixture t;
  t.rtcp.addSender(kOurs, 8000);
  t.rtcp.close(t.now, "ended");
  const auto sent = t.reports();
  ASSERT_EQ(sent.size(), 1u);
  const auto bye = find<ByeView>(sent[0].bytes);
  EXPECT_EQ(bye->ssrcs[0], kOurs);
  EXPECT_EQ(bye->reason, "ended");
  EXPECT_FALSE(t.rtcp.nextTimeout());
  t.rtcp.handleTimeout(t.now + 1h);
  t.rtcp.requestKeyFrame(t.now, kTheirs);
  t.rtcp.close(t.now);
  EXPECT_TRUE(t.reports().empty());
}

TEST(RtcpSession, BoundsItsSourcesAndDropsTheOneSilentLongest) {
  Fixture t;
  for (std::uint32_t ssrc = 0; ssrc < RtcpSession::kSourcesMax + 5; ++ssrc) {
    t.now += 1ms;
    t.received(ssrc, 1);
  }
  EXPECT_EQ(t.rtcp.sources().size(), RtcpSession::kSourcesMax);
  EXPECT_FALSE(t.rtcp.source(0));
  EXPECT_TRUE(t.rtcp.source(5));
  EXPECT_TRUE(t.rtcp.source(RtcpSession::kSourcesMax + 4));
}

TEST(RtcpSession, WithEverythingAtItsLimitTheReportStillFits) {
  auto config = makeConfig(kOurs);
  config.cname = std::string(RtcpSession::kCnameBytesMax, 'c');
  Fixture t(config);
  for (std::uint32_t i = 0; i < RtcpSession::kSendersMax; ++i) {
    EXPECT_TRUE(t.rtcp.addSender(kOurs + i, 8000));
    t.sent(kOurs + i, 1);
  }
  EXPECT_FALSE(t.rtcp.addSender(1, 8000));
  for (std::uint32_t i = 0; i < RtcpSession::kSourcesMax; ++i) t.received(kTheirs + i, 1);
  std::vector<std::uint16_t> lost;
  for (std::uint16_t i = 0; i < 40; ++i) lost.push_back(static_cast<std::uint16_t>(i * 100));
  t.rtcp.requestPackets(t.now, kTheirs, lost);
  const auto sent = t.reports();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_LE(sent[0].bytes.size(), kRtcpBytesMax);
  EXPECT_TRUE(find<NackView>(sent[0].bytes));
  EXPECT_TRUE(find<SourceDescriptionView>(sent[0].bytes));
}

TEST(RtcpSession, CountsWhatIsMalformedAndGoesOn) {
  Fixture t;
  EXPECT_FALSE(t.rtcp.handleRtcp(t.now, ByteVector{0x80, 200, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(t.rtcp.malformed(), 1u);
}

TEST(RtcpSession, AFloodOfRequestsFillsNoMoreThanItsQueue) {
  Fixture t;
  t.rtcp.addSender(kOurs, 90'000);
  std::array<std::uint8_t, 100> buffer;
  CompoundWriter writer(buffer);
  writer.pictureLoss(kTheirs, kOurs);
  for (int i = 0; i < 1000; ++i) t.rtcp.handleRtcp(t.now, writer.written());
  EXPECT_EQ(t.take<RtcpSession::KeyFrameRequested>().size(), RtcpSession::kOutputsMax);
}

}  // namespace
}  // namespace crosspoint::rtp
