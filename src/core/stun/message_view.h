// One received STUN message (RFC 8489 §5), checked once and then read without failing.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |0 0|     STUN Message Type     |         Message Length        |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |                         Magic Cookie                          |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |                  Transaction ID (96 bits)                     |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "core/stun/types.h"

namespace crosspoint::stun {

// Owns nothing: valid while the parsed bytes are. Of an attribute that comes twice the first counts (RFC 8489 §14);
// what follows MESSAGE-INTEGRITY, except FINGERPRINT, is not read (§14.5).
class MessageView {
 public:
  // Nothing if the bytes are not exactly one well-formed message: a wrong length, cookie or FINGERPRINT, or an
  // attribute known here whose value cannot be right. A stranger chooses the bytes: no exception, no allocation.
  static std::optional<MessageView> parse(Bytes bytes);

  Class messageClass() const { return class_; }
  Method method() const { return method_; }
  bool is(Class wanted, Method method) const { return class_ == wanted && method_ == method; }
  TransactionId transactionId() const;

  // Nothing where the message has no such attribute.
  std::optional<std::string_view> username() const { return username_; }
  std::optional<std::string_view> software() const { return software_; }
  std::optional<std::uint32_t> priority() const { return priority_; }
  std::optional<std::uint64_t> iceControlling() const { return iceControlling_; }
  std::optional<std::uint64_t> iceControlled() const { return iceControlled_; }
  std::optional<SocketAddress> xorMappedAddress() const { return xorMappedAddress_; }
  std::optional<std::uint16_t> errorCode() const { return errorCode_; }  // 300 .. 699
  std::string_view errorReason() const { return errorReason_; }          // empty without ERROR-CODE
  bool useCandidate() const { return useCandidate_; }
  bool hasFingerprint() const { return hasFingerprint_; }  // then it was right
  bool hasIntegrity() const { return integrityOffset_ != 0; }

  // Whether the message has a MESSAGE-INTEGRITY made with `key` (RFC 8489 §14.5; short-term credentials: the password).
  bool verifyIntegrity(Bytes key) const;

  // Types of comprehension-required attributes that this program does not know (at most kUnknownAttributesMax of them).
  std::span<const std::uint16_t> unknownRequired() const {
    return std::span<const std::uint16_t>(unknownRequired_).first(unknownCount_);
  }

 private:
  explicit MessageView(Bytes bytes) : bytes_(bytes) {}
  bool readAttributes();
  bool readAttribute(AttributeType type, Bytes value, std::size_t offset);
  bool readErrorCode(Bytes value);
  bool readXorMappedAddress(Bytes value);
  bool checkFingerprint(Bytes value, std::size_t offset) const;
  bool readUnknown(std::uint16_t type);

  Bytes bytes_;
  Class class_ = Class::Request;
  Method method_ = Method::Binding;
  bool useCandidate_ = false;
  bool hasFingerprint_ = false;
  std::uint8_t unknownCount_ = 0;
  std::uint16_t integrityOffset_ = 0;
  std::array<std::uint16_t, kUnknownAttributesMax> unknownRequired_;
  std::optional<std::string_view> username_, software_;
  std::optional<std::uint32_t> priority_;
  std::optional<std::uint64_t> iceControlling_, iceControlled_;
  std::optional<SocketAddress> xorMappedAddress_;
  std::optional<std::uint16_t> errorCode_;
  std::string_view errorReason_;
};

}  // namespace crosspoint::stun
