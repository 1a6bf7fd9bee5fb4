// RTCP is read as it was written, and refused when any of it is wrong.
#include "core/rtp/rtcp.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace crosspoint::rtp {
namespace {

struct Fixture {
  ByteVector bytes() const { return ByteVector(writer.written().begin(), writer.written().end()); }
  std::array<std::uint8_t, 1500> buffer{};
  CompoundWriter writer{buffer};
};

const ReportBlock kBlock{.ssrc = 7,
                         .fractionLost = 12,
                         .cumulativeLost = -3,
                         .extendedHighestSequence = 0x00012345,
                         .jitter = 55,
                         .lastSenderReport = 0xaabbccdd,
                         .delaySinceLastReport = 65536};
const SenderInfo kInfo{.ntp = 0x0102030405060708, .rtpTimestamp = 9, .packetCount = 10, .octetCount = 11};

TEST(Rtcp, ASenderReportWithDescriptionComesBack) {
  Fixture t;
  const ReportBlock blocks[] = {kBlock, {.ssrc = 8, .cumulativeLost = 0x7fffff}};
  t.writer.senderReport(1, kInfo, blocks);
  t.writer.cname(1, "abcd");
  EXPECT_FALSE(t.writer.failed());
  EXPECT_EQ(t.writer.size() % 4, 0u);
  const ByteVector bytes = t.bytes();
  auto compound = CompoundView::parse(bytes);
  ASSERT_TRUE(compound);
  EXPECT_EQ(compound->firstSsrc(), 1u);
  const auto report = std::get<SenderReportView>(*compound->next());
  EXPECT_EQ(report.ssrc, 1u);
  EXPECT_EQ(report.info, kInfo);
  ASSERT_EQ(report.blocks.size(), 2u);
  EXPECT_EQ(report.blocks[0], kBlock);
  EXPECT_EQ(report.blocks[1].cumulativeLost, 0x7fffff);
  auto description = std::get<SourceDescriptionView>(*compound->next());
  const auto cname = description.next();
  ASSERT_TRUE(cname);
  EXPECT_EQ(cname->ssrc, 1u);
  EXPECT_EQ(cname->text, "abcd");
  EXPECT_FALSE(description.next());
  EXPECT_FALSE(compound->next());
}

TEST(Rtcp, TheWireFormIsThatOfTheRfc) {
  Fixture t;
  t.writer.receiverReport(0x01020304, {});
  t.writer.pictureLoss(0x01020304, 0x05060708);
  const ByteVector expected{0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 206, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(t.bytes(), expected);
}

TEST(Rtcp, ADescriptionEndsWithAtLeastOneZeroByte) {
  for (const char* text : {"", "a", "ab", "abc", "abcd", "abcde"}) {
    Fixture t;
    t.writer.cname(5, text);
    const ByteVector bytes = t.bytes();
    auto compound = CompoundView::parse(bytes);
    ASSERT_TRUE(compound) << text;
    EXPECT_EQ(bytes.back(), 0) << text;
    EXPECT_EQ(std::get<SourceDescriptionView>(*compound->next()).next()->text, text);
  }
}

TEST(Rtcp, ByeNamesItsSourcesAndItsReason) {
  Fixture t;
  const std::uint32_t ssrcs[] = {3, 4};
  t.writer.bye(ssrcs, "gone");
  t.writer.bye(ssrcs);
  const ByteVector bytes = t.bytes();
  auto compound = CompoundView::parse(bytes);
  ASSERT_TRUE(compound);
  const auto bye = std::get<ByeView>(*compound->next());
  ASSERT_EQ(bye.ssrcs.size(), 2u);
  EXPECT_EQ(bye.ssrcs[1], 4u);
  EXPECT_EQ(bye.reason, "gone");
  EXPECT_EQ(std::get<ByeView>(*compound->next()).reason, "");
}

TEST(Rtcp, FeedbackComesBack) {
  Fixture t;
  t.writer.pictureLoss(1, 2);
  t.writer.fullIntraRequest(1, 3, 200);
  const std::uint16_t lost[] = {65'530, 65'535, 10, 11, 12, 5000};
  t.writer.nack(1, 2, lost);
  const ByteVector bytes = t.bytes();
  auto compound = CompoundView::parse(bytes);
  ASSERT_TRUE(compound);
  EXPECT_EQ(std::get<PictureLossIndication>(*compound->next()).media, 2u);
  const auto full = std::get<FullIntraRequestView>(*compound->next());
  ASSERT_EQ(full.size(), 1u);
  EXPECT_EQ(full[0].ssrc, 3u);
  EXPECT_EQ(full[0].sequence, 200);
  auto nack = std::get<NackView>(*compound->next());
  EXPECT_EQ(nack.media, 2u);
  std::vector<std::uint16_t> numbers;
  while (auto number = nack.next()) numbers.push_back(*number);
  EXPECT_EQ(numbers, std::vector<std::uint16_t>(std::begin(lost), std::end(lost)));
}

TEST(Rtcp, WhatIsNotKnownIsKept) {
  const ByteVector remb{0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 2, 3, 4, 0, 0, 0, 9};
  const ByteVector extended{0x80, 207, 0, 1, 0, 0, 0, 1};
  Fixture t;
  t.writer.copy(remb);
  t.writer.copy(extended);
  const ByteVector bytes = t.bytes();
  auto compound = CompoundView::parse(bytes);
  ASSERT_TRUE(compound);
  const auto first = std::get<UnknownView>(*compound->next());
  EXPECT_EQ(first.type, 206);
  EXPECT_EQ(first.count, 15);
  EXPECT_EQ(ByteVector(first.bytes.begin(), first.bytes.end()), remb);
  EXPECT_EQ(std::get<UnknownView>(*compound->next()).type, 207);
}

TEST(Rtcp, PaddingOfTheLastPacketIsTakenOff) {
  const ByteVector bytes{0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4};
  auto compound = CompoundView::parse(bytes);
  ASSERT_TRUE(compound);
  EXPECT_EQ(std::get<ReceiverReportView>(*compound->next()).ssrc, 1u);
}

TEST(Rtcp, RefusesACompoundOfWhichAnyPartIsWrong) {
  const ByteVector good{0x80, 201, 0, 1, 0, 0, 0, 1};
  const auto withTail = [&](ByteVector tail) {
    ByteVector bytes = good;
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    return CompoundView::parse(bytes).has_value();
  };
  EXPECT_TRUE(withTail({}));
  EXPECT_FALSE(CompoundView::parse({}));
  EXPECT_FALSE(withTail({0x80, 201, 0})) << "cut off";
  EXPECT_FALSE(withTail({0x40, 201, 0, 0})) << "version 1";
  EXPECT_FALSE(withTail({0x80, 201, 0, 5, 0, 0, 0, 1})) << "longer than the datagram";
  EXPECT_FALSE(withTail({0x81, 201, 0, 1, 0, 0, 0, 1})) << "a report block that is not there";
  EXPECT_FALSE(withTail({0x80, 200, 0, 1, 0, 0, 0, 1})) << "no sender information";
  EXPECT_FALSE(withTail({0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, 'a', 'b'})) << "an item over the end";
  EXPECT_FALSE(withTail({0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 'a', 'b'})) << "no end of items";
  EXPECT_FALSE(withTail({0x82, 203, 0, 1, 0, 0, 0, 1})) << "a source that is not there";
  EXPECT_FALSE(withTail({0x81, 203, 0, 2, 0, 0, 0, 1, 9, 'a', 'b', 'c'})) << "a reason over the end";
  EXPECT_FALSE(withTail({0x81, 206, 0, 1, 0, 0, 0, 1})) << "feedback without a media source";
  EXPECT_FALSE(withTail({0x84, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1})) << "half an entry";
  EXPECT_FALSE(withTail({0xa0, 201, 0, 1, 0, 0, 0, 0})) << "padding of 0";
  EXPECT_FALSE(withTail({0xa0, 201, 0, 1, 0, 0, 0, 8})) << "more padding than body";
  EXPECT_FALSE(withTail({0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 1}))
      << "padding not at the end";
}

TEST(Rtcp, WhatDoesNotFitIsLeftOutWhole) {
  std::array<std::uint8_t, 12> small{};
  CompoundWriter writer(small);
  writer.receiverReport(1, {});
  writer.pictureLoss(1, 2);
  EXPECT_TRUE(writer.failed());
  EXPECT_EQ(writer.size(), 8u);
  EXPECT_TRUE(CompoundView::parse(writer.written()));
}

TEST(Rtcp, RandomBytesAreReadWithinTheirBounds) {
  test::SeededRandom random{1};
  int parsed = 0;
  for (int i = 0; i < 100'000; ++i) {
    ByteVector bytes(4 * (1 + random.below(12)));
    random.fill(bytes);
    bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x07));
    bytes[1] = static_cast<std::uint8_t>(200 + random.below(8));
    storeBigEndian(bytes.data() + 2, static_cast<std::uint16_t>(bytes.size() / 4 - 1));
    auto compound = CompoundView::parse(bytes);
    if (!compound) continue;
    ++parsed;
    while (auto packet = compound->next()) {
      if (auto* description = std::get_if<SourceDescriptionView>(&*packet)) {
        while (description->next()) {
        }
      }
      if (auto* nack = std::get_if<NackView>(&*packet)) {
        while (nack->next()) {
        }
      }
    }
  }
  EXPECT_GT(parsed, 1000);
}

}  // namespace
}  // namespace crosspoint::rtp
