// Which outgoing payload type each incoming one becomes.
#pragma once
#include <array>
#include <cstdint>
#include <optional>

namespace crosspoint::rtp {

// A plain table, so that a packet costs one load. An incoming type that was never set is not forwarded.
class PayloadTypeMap {
 public:
  PayloadTypeMap() { table_.fill(kNone); }
  void set(std::uint8_t from, std::uint8_t to) { table_[from & 0x7f] = to & 0x7f; }
  std::optional<std::uint8_t> find(std::uint8_t from) const {
    const std::uint8_t to = table_[from & 0x7f];
    if (to == kNone) return std::nullopt;
    return to;
  }

 private:
  static constexpr std::uint8_t kNone = 0xff;
  std::array<std::uint8_t, 128> table_;
};

}  // namespace crosspoint::rtp
