// Packet views, header extensions, changes in place and demultiplexing.
#include "core/rtp/packet.h"

#include <gtest/gtest.h>

#include "core/rtp/classify.h"
#include "core/rtp/payload_types.h"

namespace crosspoint::rtp {
namespace {

ByteVector concat(std::initializer_list<ByteVector> parts) {
  ByteVector all;
  for (const ByteVector& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

const ByteVector kFixed{0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef};

ByteVector withFlags(std::uint8_t first) {
  ByteVector header = kFixed;
  header[0] = first;
  return header;
}

TEST(PacketView, ReadsTheFixedHeader) {
  const ByteVector bytes = concat({kFixed, {1, 2, 3}});
  const auto packet = PacketView::parse(bytes);
  ASSERT_TRUE(packet);
  EXPECT_TRUE(packet->marker());
  EXPECT_EQ(packet->payloadType(), 8);
  EXPECT_EQ(packet->sequenceNumber(), 0x1234);
  EXPECT_EQ(packet->timestamp(), 160u);
  EXPECT_EQ(packet->ssrc(), 0xdeadbeef);
  EXPECT_EQ(packet->payload().size(), 3u);
  EXPECT_EQ(packet->csrcCount(), 0u);
  EXPECT_FALSE(packet->hasExtension());
  EXPECT_FALSE(packet->extensions().next());
}

TEST(PacketView, ReadsSourcesExtensionAndPadding) {
  const ByteVector bytes = concat(
      {withFlags(0xb2), {0, 0, 0, 1, 0, 0, 0, 2}, {0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0}, {7, 7, 7, 7}, {0, 0, 3}});
  const auto packet = PacketView::parse(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->csrcCount(), 2u);
  EXPECT_EQ(packet->csrc(1), 2u);
  EXPECT_EQ(packet->header().size(), 12u + 8 + 8);
  EXPECT_EQ(packet->paddingBytes(), 3u);
  EXPECT_EQ(packet->payload().size(), 4u);
  EXPECT_EQ(packet->extension(1)->front(), 0x55);
  EXPECT_FALSE(packet->extension(2));
}

TEST(PacketView, RefusesWhatIsNotOnePacket) {
  EXPECT_FALSE(PacketView::parse({}));
  EXPECT_FALSE(PacketView::parse(Bytes(kFixed).first(11)));
  EXPECT_FALSE(PacketView::parse(withFlags(0x40))) << "version 1";
  EXPECT_FALSE(PacketView::parse(withFlags(0x81))) << "a source that is not there";
  EXPECT_FALSE(PacketView::parse(withFlags(0x90))) << "an extension that is not there";
  EXPECT_FALSE(PacketView::parse(concat({withFlags(0x90), {0xbe, 0xde, 0, 2, 0, 0, 0, 0}})))
      << "an extension cut short";
  EXPECT_FALSE(PacketView::parse(concat({withFlags(0xa0), {0}}))) << "padding of 0";
  EXPECT_FALSE(PacketView::parse(concat({withFlags(0xa0), {1, 4}}))) << "more padding than payload";
  EXPECT_TRUE(PacketView::parse(concat({withFlags(0xa0), {1, 2}}))) << "padding only";
}

std::vector<std::pair<int, std::size_t>> elements(std::uint16_t profile, ByteVector body) {
  std::vector<std::pair<int, std::size_t>> found;
  ExtensionReader reader(profile, body);
  while (auto element = reader.next()) found.emplace_back(element->id, element->data.size());
  return found;
}

TEST(ExtensionReader, ReadsBothForms) {
  using List = std::vector<std::pair<int, std::size_t>>;
  EXPECT_EQ(elements(0xbede, {0x10, 1, 0x22, 1, 2, 3, 0, 0}), (List{{1, 1}, {2, 3}}));
  EXPECT_EQ(elements(0xbede, {0, 0, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0}), (List{{3, 16}}));
  EXPECT_EQ(elements(0x1000, {1, 0, 20, 2, 8, 8, 0, 0}), (List{{1, 0}, {20, 2}}));
  EXPECT_EQ(elements(0x100f, {1, 1, 9, 0}), (List{{1, 1}})) << "the last four bits are the application's";
  EXPECT_EQ(elements(0x1234, {1, 1, 9, 0}), List{}) << "another profile";
}

TEST(ExtensionReader, EndsAtTheStopAndAtWhatIsCutOff) {
  using List = std::vector<std::pair<int, std::size_t>>;
  EXPECT_EQ(elements(0xbede, {0x10, 1, 0xf0, 0, 0x20, 1, 0, 0}), (List{{1, 1}}));
  EXPECT_EQ(elements(0xbede, {0x10, 1, 0x23, 1}), (List{{1, 1}}));
  EXPECT_EQ(elements(0xbede, {0x03, 1, 2, 3}), List{}) << "id 0 with a length";
  EXPECT_EQ(elements(0x1000, {1, 1, 9, 5}), (List{{1, 1}}));
  EXPECT_EQ(elements(0x1000, {5, 200, 9, 5}), List{});
}

TEST(Packet, IsChangedInPlace) {
  ByteVector bytes = concat({kFixed, {1, 2, 3}});
  setPayloadType(bytes, 96);
  setSequenceNumber(bytes, 0xffff);
  setTimestamp(bytes, 0x01020304);
  setSsrc(bytes, 5);
  EXPECT_TRUE(PacketView::parse(bytes)->marker()) << "the marker is left alone";
  setMarker(bytes, false);
  const auto packet = PacketView::parse(bytes);
  EXPECT_FALSE(packet->marker());
  EXPECT_EQ(packet->payloadType(), 96);
  EXPECT_EQ(packet->sequenceNumber(), 0xffff);
  EXPECT_EQ(packet->timestamp(), 0x01020304u);
  EXPECT_EQ(packet->ssrc(), 5u);
  EXPECT_EQ(ByteVector(packet->payload().begin(), packet->payload().end()), (ByteVector{1, 2, 3}));
}

TEST(Packet, LosesItsExtensionWhileThePayloadStays) {
  ByteVector bytes =
      concat({withFlags(0x91), {0, 0, 0, 9}, {0xbe, 0xde, 0, 2, 0x10, 0x55, 0, 0, 0, 0, 0, 0}, {1, 2, 3}});
  const std::uint8_t* payload = bytes.data() + bytes.size() - 3;
  const MutableBytes rest = withoutExtension(bytes);
  const auto packet = PacketView::parse(rest);
  ASSERT_TRUE(packet);
  EXPECT_EQ(rest.size(), 12u + 4 + 3);
  EXPECT_FALSE(packet->hasExtension());
  EXPECT_EQ(packet->csrc(0), 9u);
  EXPECT_EQ(packet->ssrc(), 0xdeadbeef);
  EXPECT_EQ(packet->sequenceNumber(), 0x1234);
  EXPECT_EQ(packet->payload().data(), payload);
  EXPECT_EQ(withoutExtension(rest).data(), rest.data());
}

TEST(Packet, IsWritten) {
  ByteVector bytes(12);
  ByteWriter writer(bytes);
  writeHeader(writer,
              {.marker = true, .payloadType = 8, .sequenceNumber = 0x1234, .timestamp = 160, .ssrc = 0xdeadbeef});
  EXPECT_EQ(bytes, kFixed);
}

TEST(Classify, TellsProtocolsApartByTheirFirstBytes) {
  const auto of = [](int first, int second) {
    return classify(ByteVector{static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second), 0});
  };
  EXPECT_EQ(of(0, 1), PacketClass::Stun);
  EXPECT_EQ(of(3, 1), PacketClass::Stun);
  EXPECT_EQ(of(4, 1), PacketClass::Unknown);
  EXPECT_EQ(of(16, 1), PacketClass::Unknown);
  EXPECT_EQ(of(20, 254), PacketClass::Dtls);
  EXPECT_EQ(of(63, 254), PacketClass::Dtls);
  EXPECT_EQ(of(64, 0), PacketClass::Unknown);
  EXPECT_EQ(of(128, 0), PacketClass::Rtp);
  EXPECT_EQ(of(191, 127), PacketClass::Rtp);
  EXPECT_EQ(of(192, 0), PacketClass::Unknown);
  EXPECT_EQ(of(128, 191), PacketClass::Rtp) << "payload type 63 with marker";
  EXPECT_EQ(of(128, 192), PacketClass::Rtcp);
  EXPECT_EQ(of(128, 200), PacketClass::Rtcp);
  EXPECT_EQ(of(129, 223), PacketClass::Rtcp);
  EXPECT_EQ(of(128, 224), PacketClass::Rtp) << "payload type 96 with marker";
  EXPECT_EQ(classify({}), PacketClass::Unknown);
  EXPECT_EQ(classify(ByteVector{128}), PacketClass::Unknown);
}

TEST(PayloadTypeMap, ForwardsOnlyWhatWasSet) {
  PayloadTypeMap map;
  map.set(111, 96);
  map.set(0, 0);
  EXPECT_EQ(map.find(111), 96);
  EXPECT_EQ(map.find(0), 0);
  EXPECT_FALSE(map.find(8));
}

}  // namespace
}  // namespace crosspoint::rtp
