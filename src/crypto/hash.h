// Message digests in one call, hexadecimal text, and comparison in constant time.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace crosspoint::crypto {

// MD5 is here for SIP digest authentication and SHA-1 for STUN, SRTP and WebSocket, which name them; nothing else
// should.
std::array<std::uint8_t, 16> md5(Bytes data);
std::array<std::uint8_t, 20> sha1(Bytes data);
std::array<std::uint8_t, 32> sha256(Bytes data);

// By the name that RFC 8122 §5 gives it, lower case: "sha-1", "sha-224", "sha-256", "sha-384", "sha-512".
// Nothing for any other name; MD5 and MD2 are refused on purpose.
std::optional<ByteVector> digestByName(std::string_view name, Bytes data);

// Lower case, without separators.
std::string toHex(Bytes data);
// Either case, an even number of digits, without separators; nothing for anything else.
std::optional<ByteVector> fromHex(std::string_view text);

// Takes as long for the first differing byte as for the last. Of different sizes: false at once.
bool equalInConstantTime(Bytes a, Bytes b);

}  // namespace crosspoint::crypto
