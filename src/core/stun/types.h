// Numbers and small values of STUN (RFC 8489) and of what ICE adds to it (RFC 8445 §16).
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace crosspoint::stun {

inline constexpr std::uint32_t kMagicCookie = 0x2112A442;  // RFC 8489 §5
inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::size_t kUsernameBytesMax = 513;  // RFC 8445 §5.3: two ufrags of 256 and a colon
inline constexpr std::size_t kReasonBytesMax = 763;    // RFC 8489 §14.8
inline constexpr std::size_t kSoftwareBytesMax = 763;  // RFC 8489 §14.14

// What this program writes never exceeds this: the largest connectivity check (two ufrags of 256 bytes) has 596 bytes.
inline constexpr std::size_t kMessageBytesMax = 640;

// How many unknown comprehension-required attributes of one message are remembered, so that they can be named in a 420.
inline constexpr std::size_t kUnknownAttributesMax = 8;

enum class Class : std::uint8_t { Request = 0, Indication = 1, Success = 2, Error = 3 };

enum class Method : std::uint16_t { Binding = 0x001 };

enum class AttributeType : std::uint16_t {
  MappedAddress = 0x0001,
  Username = 0x0006,
  MessageIntegrity = 0x0008,
  ErrorCode = 0x0009,
  UnknownAttributes = 0x000A,
  Realm = 0x0014,
  Nonce = 0x0015,
  MessageIntegritySha256 = 0x001C,
  PasswordAlgorithm = 0x001D,
  UserHash = 0x001E,
  XorMappedAddress = 0x0020,
  Priority = 0x0024,
  UseCandidate = 0x0025,
  Software = 0x8022,
  Fingerprint = 0x8028,
  IceControlled = 0x8029,
  IceControlling = 0x802A,
};

// RFC 8489 §14.8, RFC 8445 §16.2.
enum class ErrorCode : std::uint16_t {
  BadRequest = 400,
  Unauthenticated = 401,
  UnknownAttribute = 420,
  RoleConflict = 487,
  ServerError = 500,
};

using TransactionId = std::array<std::uint8_t, 12>;

// A message that was built, kept without the heap.
struct MessageBuffer {
  std::array<std::uint8_t, kMessageBytesMax> data;
  std::uint16_t size = 0;

  Bytes bytes() const { return Bytes(data).first(size); }
};

}  // namespace crosspoint::stun
