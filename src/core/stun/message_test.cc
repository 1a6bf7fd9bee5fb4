// STUN messages: the samples of RFC 5769, and messages that are broken.
#include <gtest/gtest.h>

#include "core/stun/demultiplex.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "crypto/hash.h"

namespace crosspoint::stun {
namespace {

const std::string kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 §2.1 to §2.3.
const std::string kRequest =
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151"
    "263b36"
    "000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
const std::string kResponseV4 =
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd"
    "9e90c3"
    "8c7489f92af9ba53f06be7d780280004c07d4c96";
const std::string kResponseV6 =
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5be"
    "d2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

TEST(MessageView, TheSampleRequestOfRfc5769IsReadWhole) {
  const auto bytes = *crypto::fromHex(kRequest);
  const auto message = MessageView::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is(Class::Request, Method::Binding));
  EXPECT_EQ(message->software(), "STUN test client");
  EXPECT_EQ(message->username(), "evtj:h6vY");
  EXPECT_EQ(message->priority(), 0x6e0001ffu);
  EXPECT_EQ(message->iceControlled(), 0x932ff9b151263b36u);
  EXPECT_TRUE(message->hasFingerprint());
  EXPECT_TRUE(message->verifyIntegrity(asBytes(kPassword)));
  EXPECT_FALSE(message->verifyIntegrity(asBytes("VOkJxbRl1RmTxUk/WvJxBu")));
  EXPECT_EQ(localUfragOf(bytes), "evtj");
}

TEST(MessageView, TheSampleResponsesOfRfc5769GiveTheirAddresses) {
  for (const auto& [hex, address] : {std::pair{kResponseV4, "192.0.2.1:32853"},
                                     std::pair{kResponseV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"}}) {
    const auto bytes = *crypto::fromHex(hex);
    const auto message = MessageView::parse(bytes);
    ASSERT_TRUE(message) << address;
    EXPECT_TRUE(message->is(Class::Success, Method::Binding));
    EXPECT_EQ(message->xorMappedAddress(), SocketAddress::parse(address));
    EXPECT_TRUE(message->verifyIntegrity(asBytes(kPassword)));
    EXPECT_FALSE(localUfragOf(bytes));
  }
}

TEST(MessageView, EveryChangedByteOfASignedMessageIsNoticed) {
  const auto good = *crypto::fromHex(kRequest);
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bytes = good;
    bytes[i] ^= 0x10;
    const auto message = MessageView::parse(bytes);
    const bool fingerprintGone =
        i >= good.size() - 8 && i < good.size() - 6;  // its type has become another optional one
    EXPECT_EQ(message.has_value(), fingerprintGone) << i;
  }
}

TEST(MessageView, EveryCutMessageIsNothing) {
  const auto good = *crypto::fromHex(kRequest);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(MessageView::parse(Bytes(good).first(size))) << size;
}

TEST(MessageWriter, WhatIsWrittenIsRead) {
  MessageBuffer buffer;
  const TransactionId id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (const char* address : {"192.0.2.7:1", "[2001:db8::7]:65535"}) {
    MessageWriter writer(buffer.data, Class::Error, Method::Binding, id);
    writer.addXorMappedAddress(*SocketAddress::parse(address));
    writer.addError(ErrorCode::RoleConflict, "Role Conflict");
    writer.addUsername("ours", "theirs");
    writer.addFlag(AttributeType::UseCandidate);
    writer.addNumber(AttributeType::IceControlling, std::uint64_t{77});
    writer.addMessageIntegrity(asBytes("secret"));
    writer.addFingerprint();
    const auto message = MessageView::parse(writer.finish());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->transactionId(), id);
    EXPECT_EQ(message->xorMappedAddress()->toString(), address);
    EXPECT_EQ(message->errorCode(), 487);
    EXPECT_EQ(message->errorReason(), "Role Conflict");
    EXPECT_EQ(message->username(), "ours:theirs");
    EXPECT_TRUE(message->useCandidate());
    EXPECT_EQ(message->iceControlling(), 77u);
    EXPECT_TRUE(message->verifyIntegrity(asBytes("secret")));
  }
}

TEST(MessageWriter, WhatDoesNotFitGivesNothing) {
  std::array<std::uint8_t, 40> small;
  MessageWriter writer(small, Class::Request, Method::Binding, {});
  writer.addUsername("a-long-user-fragment", "another-long-one");
  writer.addMessageIntegrity(asBytes("secret"));
  writer.addFingerprint();
  EXPECT_TRUE(writer.finish().empty());
}

TEST(MessageView, AnUnknownRequiredAttributeIsNamed) {
  MessageBuffer buffer;
  MessageWriter writer(buffer.data, Class::Request, Method::Binding, {});
  writer.addNumber(static_cast<AttributeType>(0x7777), std::uint32_t{1});
  writer.addNumber(static_cast<AttributeType>(0x8777), std::uint32_t{1});
  const auto message = MessageView::parse(writer.finish());
  ASSERT_TRUE(message);
  ASSERT_EQ(message->unknownRequired().size(), 1u);
  EXPECT_EQ(message->unknownRequired()[0], 0x7777);
}

}  // namespace
}  // namespace crosspoint::stun
