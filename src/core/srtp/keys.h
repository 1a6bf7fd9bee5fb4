// From master key to session keys, and from session salt to the start of each packet's key stream: the pure arithmetic
// of RFC 3711 §4.3 and §4.1.1, RFC 7714 §11, §8.1 and §9.1.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "core/params/transport.h"
#include "crypto/cipher.h"

namespace crosspoint::srtp {

enum class Label : std::uint8_t {  // RFC 3711 §4.3.2
  RtpEncryption = 0,
  RtpAuthentication = 1,
  RtpSalt = 2,
  RtcpEncryption = 3,
  RtcpAuthentication = 4,
  RtcpSalt = 5,
};

// AES-CM as the pseudo-random function, with a key derivation rate of 0: x = label << 48 xor master salt, and the key
// is the key stream that starts at x << 16. A 12-byte salt is filled with two zero bytes behind (RFC 7714 §11).
template <std::size_t N>
std::array<std::uint8_t, N> derive(const SrtpKey& key, Label label) {
  crypto::AesCounter::Counter counter{};
  std::memcpy(counter.data(), key.masterSalt.data(), std::min<std::size_t>(key.masterSalt.size(), 14));
  counter[7] ^= static_cast<std::uint8_t>(label);
  std::array<std::uint8_t, N> result{};
  crypto::AesCounter(key.masterKey).apply(counter, result);
  return result;
}

// RFC 3711 §4.1.1: salt << 16 xor SSRC << 64 xor index << 16.
inline crypto::AesCounter::Counter counterFor(const std::array<std::uint8_t, 14>& salt, std::uint32_t ssrc,
                                              std::uint64_t index) {
  std::uint64_t high, low = 0;
  std::memcpy(&high, salt.data(), 8);
  std::memcpy(&low, salt.data() + 8, 6);
  std::array<std::uint8_t, 8> value{};
  storeBigEndian<std::uint32_t>(value.data() + 4, ssrc);
  std::uint64_t mask;
  std::memcpy(&mask, value.data(), 8);
  high ^= mask;
  storeBigEndian<std::uint64_t>(value.data(), index << 16);
  std::memcpy(&mask, value.data(), 8);
  low ^= mask;
  crypto::AesCounter::Counter counter;
  std::memcpy(counter.data(), &high, 8);
  std::memcpy(counter.data() + 8, &low, 8);
  return counter;
}

// RFC 7714 §8.1, §9.1: 00 00 | SSRC | six bytes of index, xor salt. (RTP: rollover counter and sequence number; RTCP:
// 00 00 and the 31-bit index.)
inline crypto::AesGcm::Nonce nonceFor(const std::array<std::uint8_t, 12>& salt, std::uint32_t ssrc,
                                      std::uint64_t index) {
  crypto::AesGcm::Nonce nonce{};
  storeBigEndian<std::uint32_t>(nonce.data() + 2, ssrc);
  storeBigEndian<std::uint16_t>(nonce.data() + 6, static_cast<std::uint16_t>(index >> 32));
  storeBigEndian<std::uint32_t>(nonce.data() + 8, static_cast<std::uint32_t>(index));
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= salt[i];
  return nonce;
}

}  // namespace crosspoint::srtp
