#include "io/sip/server/reflection.h"

#include <gtest/gtest.h>

#include "io/sip/server/melody.h"

namespace crosspoint::sip {
namespace {

ByteVector senderReportWithBlockAndName() {
  ByteVector packet(52 + 12, 0);
  ByteWriter out(packet);
  out.write<std::uint32_t>(0x81c8000c);  // SR, one block, 13 words
  out.write<std::uint32_t>(0x11111111);
  out.fill(20, 0);
  out.write<std::uint32_t>(0x22222222);
  out.fill(20, 0);
  out.write<std::uint32_t>(0x81ca0002);  // SDES, one chunk
  out.write<std::uint32_t>(0x11111111);
  out.write<std::uint32_t>(0x01016100);  // CNAME "a", end
  return packet;
}

std::uint32_t wordAt(const ByteVector& packet, std::size_t at) {
  return loadBigEndian<std::uint32_t>(packet.data() + at);
}

TEST(Reflection, AStreamGetsAnSsrcOfItsOwnAndTheSecondReflectionGivesTheFirstBack) {
  ByteVector packet(172, 7);
  packet[0] = 0x80;
  const ByteVector before = packet;
  ASSERT_TRUE(reflectRtp(packet));
  EXPECT_NE(wordAt(packet, 8), wordAt(before, 8));
  EXPECT_TRUE(std::equal(packet.begin() + 12, packet.end(), before.begin() + 12));
  ASSERT_TRUE(reflectRtp(packet));
  EXPECT_EQ(packet, before);
}

TEST(Reflection, EverySsrcOfACompoundPacketIsExchanged) {
  ByteVector packet = senderReportWithBlockAndName();
  const ByteVector before = packet;
  ASSERT_TRUE(reflectRtcp(packet));
  for (std::size_t at : {4, 28, 56}) EXPECT_NE(wordAt(packet, at), wordAt(before, at)) << at;
  EXPECT_EQ(wordAt(packet, 4), wordAt(packet, 56));
  EXPECT_EQ(wordAt(packet, 60), wordAt(before, 60));
}

TEST(Reflection, ARequestForAKeyFrameComesBackAsOneForTheCallersStream) {
  ByteVector packet(20, 0);
  ByteWriter out(packet);
  out.write<std::uint32_t>(0x84ce0004);  // FIR
  out.write<std::uint32_t>(0x11111111);
  out.write<std::uint32_t>(0);
  out.write<std::uint32_t>(0x22222222);
  out.write<std::uint32_t>(0x05000000);
  ASSERT_TRUE(reflectRtcp(packet));
  EXPECT_NE(wordAt(packet, 12), 0x22222222U);
  EXPECT_EQ(wordAt(packet, 16), 0x05000000U);
}

TEST(Reflection, RefusesWhatIsCutShort) {
  ByteVector packet = senderReportWithBlockAndName();
  for (std::size_t size = 1; size < packet.size(); ++size) {
    ByteVector cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(reflectRtcp(cut), size == 52) << size;  // the sender report alone is whole
  }
  ByteVector many = packet;
  many[0] = 0x9f;  // 31 blocks
  EXPECT_FALSE(reflectRtcp(many));
  ByteVector shortRtp(11, 0x80);
  EXPECT_FALSE(reflectRtp(shortRtp));
}

TEST(Reflection, TellsRtcpFromRtpOnOnePort) {
  EXPECT_TRUE(looksLikeRtcp(senderReportWithBlockAndName()));
  EXPECT_FALSE(looksLikeRtcp(ByteVector{0x80, 0x80 | 111}));
}

// ITU-T G.711, the ends of the scale and values of both signs.
TEST(Melody, EncodesAsG711Says) {
  EXPECT_EQ(encodeMu(0), 0xff);
  EXPECT_EQ(encodeMu(1000), 0xce);
  EXPECT_EQ(encodeMu(-1000), 0x4e);
  EXPECT_EQ(encodeMu(32767), 0x80);
  EXPECT_EQ(encodeA(0), 0xd5);
  EXPECT_EQ(encodeA(1000), 0xfa);
  EXPECT_EQ(encodeA(-1000), 0x7a);
  EXPECT_EQ(encodeA(32767), 0xaa);
}

TEST(Melody, PlaysSomethingOtherThanSilence) {
  Melody melody;
  ByteVector frame(Melody::kFrameSamples);
  melody.next(Melody::Law::Mu, frame);
  melody.next(Melody::Law::Mu, frame);
  EXPECT_GT(std::count_if(frame.begin(), frame.end(), [](auto byte) { return (byte & 0x7f) < 0x60; }), 100);
}

}  // namespace
}  // namespace crosspoint::sip
