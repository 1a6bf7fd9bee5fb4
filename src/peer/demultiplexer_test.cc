#include "peer/demultiplexer.h"

#include <gtest/gtest.h>

#include <array>

namespace crosspoint::peer {
namespace {

constexpr SocketId kSocket{3};

SocketAddress at(std::uint16_t port) { return {IpAddress::v4(0xc0000201), port}; }

// A datagram whose bytes are chosen by each test.
struct DatagramFixture {
  DatagramFixture(ByteVector content, std::uint16_t port) : bytes(std::move(content)) {
    datagram = {.socket = kSocket,
                .remote = at(port),
                .data = bytes.data(),
                .size = static_cast<std::uint32_t>(bytes.size()),
                .capacity = static_cast<std::uint32_t>(bytes.size())};
  }
  ByteVector bytes;
  Datagram datagram;
};

// A Binding message of the given type with at most a USERNAME.
ByteVector stunMessage(std::uint16_t type, std::uint32_t prefix, std::string_view username) {
  ByteVector bytes(kDatagramBytesMax);
  ByteWriter writer(bytes);
  const std::size_t padded = (username.size() + 3) / 4 * 4;
  writer.write(type);
  writer.write(static_cast<std::uint16_t>(username.empty() ? 0 : 4 + padded));
  writer.write(std::uint32_t{0x2112A442});
  writer.write(prefix);
  writer.fill(8, 0x55);
  if (!username.empty()) {
    writer.write(std::uint16_t{0x0006});
    writer.write(static_cast<std::uint16_t>(username.size()));
    writer.write(asBytes(username));
    writer.fill(padded - username.size(), 0);
  }
  bytes.resize(writer.size());
  return bytes;
}

const ByteVector kMedia{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7};

TEST(Demultiplexer, MediaIsFoundByWhereItComesFrom) {
  Demultiplexer demultiplexer;
  EXPECT_TRUE(demultiplexer.addAddress(kSocket, at(1000), 7));
  EXPECT_TRUE(demultiplexer.addAddress(kSocket, at(1001), 8));
  EXPECT_EQ(demultiplexer.find(DatagramFixture(kMedia, 1000).datagram), 7u);
  EXPECT_EQ(demultiplexer.find(DatagramFixture(kMedia, 1001).datagram), 8u);
  EXPECT_FALSE(demultiplexer.find(DatagramFixture(kMedia, 1002).datagram));
  EXPECT_FALSE(demultiplexer.findAddress(SocketId{4}, at(1000)));
}

TEST(Demultiplexer, ACheckIsFoundByOurUfragWhereverItComesFrom) {
  Demultiplexer demultiplexer;
  demultiplexer.addUfrag("abcd", 7);
  demultiplexer.addUfrag("efgh", 8);
  demultiplexer.addAddress(kSocket, at(1000), 8);
  EXPECT_EQ(demultiplexer.find(DatagramFixture(stunMessage(0x0001, 0, "abcd:theirs"), 1000).datagram), 7u);
  EXPECT_EQ(demultiplexer.find(DatagramFixture(stunMessage(0x0001, 0, "efgh:theirs"), 2000).datagram), 8u);
  EXPECT_FALSE(demultiplexer.find(DatagramFixture(stunMessage(0x0001, 0, "nobody:theirs"), 1000).datagram));
}

TEST(Demultiplexer, AResponseIsFoundByItsTransactionIdAndElseByWhereItComesFrom) {
  Demultiplexer demultiplexer;
  demultiplexer.addUfrag("abcd", 7);
  demultiplexer.addAddress(kSocket, at(1000), 8);
  EXPECT_EQ(demultiplexer.find(DatagramFixture(stunMessage(0x0101, transactionPrefix("abcd"), ""), 1000).datagram), 7u);
  EXPECT_EQ(demultiplexer.find(DatagramFixture(stunMessage(0x0101, 1, ""), 1000).datagram), 8u);
  EXPECT_FALSE(demultiplexer.find(DatagramFixture(stunMessage(0x0101, 1, ""), 1001).datagram));
}

TEST(Demultiplexer, AResponseIsStillFoundAfterManyIceRestarts) {
  Demultiplexer demultiplexer;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(demultiplexer.addUfrag("ufrag" + std::to_string(i), 7));
  EXPECT_EQ(demultiplexer.ufrags(), 2u);
  EXPECT_FALSE(demultiplexer.findUfrag("ufrag7"));
  EXPECT_EQ(demultiplexer.findUfrag("ufrag8"), 7u);
  EXPECT_EQ(demultiplexer.find(DatagramFixture(stunMessage(0x0101, transactionPrefix("ufrag0"), ""), 1).datagram), 7u);
}

TEST(Demultiplexer, AUfragBelongsToOnePeer) {
  Demultiplexer demultiplexer;
  EXPECT_TRUE(demultiplexer.addUfrag("abcd", 7));
  EXPECT_TRUE(demultiplexer.addUfrag("abcd", 7));
  EXPECT_FALSE(demultiplexer.addUfrag("abcd", 8));
  EXPECT_EQ(demultiplexer.findUfrag("abcd"), 7u);
}

TEST(Demultiplexer, AnAddressMovesToThePeerThatWasValidatedThereLast) {
  Demultiplexer demultiplexer;
  demultiplexer.addAddress(kSocket, at(1000), 7);
  demultiplexer.addAddress(kSocket, at(1000), 8);
  EXPECT_EQ(demultiplexer.findAddress(kSocket, at(1000)), 8u);
  demultiplexer.remove(7);
  EXPECT_EQ(demultiplexer.findAddress(kSocket, at(1000)), 8u);
  demultiplexer.remove(8);
  EXPECT_FALSE(demultiplexer.findAddress(kSocket, at(1000)));
}

TEST(Demultiplexer, NothingIsLeftOfAPeerThatHasGone) {
  Demultiplexer demultiplexer;
  demultiplexer.addUfrag("abcd", 7);
  demultiplexer.addAddress(kSocket, at(1000), 7);
  demultiplexer.remove(7);
  demultiplexer.remove(7);
  EXPECT_EQ(demultiplexer.addresses(), 0u);
  EXPECT_EQ(demultiplexer.ufrags(), 0u);
  EXPECT_FALSE(demultiplexer.find(DatagramFixture(stunMessage(0x0101, transactionPrefix("abcd"), ""), 1).datagram));
  EXPECT_TRUE(demultiplexer.addUfrag("abcd", 8));
}

TEST(Demultiplexer, EveryTableIsBounded) {
  Demultiplexer demultiplexer({.addressesMax = 5, .addressesPerPeerMax = 3, .ufragsPerPeerMax = 2, .peersMax = 3});
  for (std::uint16_t port = 1; port <= 4; ++port) EXPECT_TRUE(demultiplexer.addAddress(kSocket, at(port), 1));
  EXPECT_EQ(demultiplexer.addresses(), 3u);
  EXPECT_FALSE(demultiplexer.findAddress(kSocket, at(1)));
  EXPECT_TRUE(demultiplexer.addAddress(kSocket, at(5), 2));
  EXPECT_TRUE(demultiplexer.addAddress(kSocket, at(6), 2));
  EXPECT_FALSE(demultiplexer.addAddress(kSocket, at(7), 2));
  EXPECT_TRUE(demultiplexer.addUfrag("abcd", 3));
  EXPECT_FALSE(demultiplexer.addUfrag("efgh", 4));
}

}  // namespace
}  // namespace crosspoint::peer
