// CRC-32 of FINGERPRINT (RFC 8489 §14.7).
#pragma once
#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace crosspoint::stun {

// ITU-T V.42 over `bytes`, exclusive-or 0x5354554e.
inline std::uint32_t fingerprintOf(Bytes bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xEDB88320u : 0u);
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) crc = kTable[(crc ^ byte) & 0xff] ^ (crc >> 8);
  return ~crc ^ 0x5354554e;
}

}  // namespace crosspoint::stun
