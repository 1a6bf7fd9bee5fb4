// NTP timestamps as RTCP carries them (RFC 3550 §4): seconds since 1900 in 32.32 fixed point, or the middle 32 bits of
// that.
#pragma once
#include <cstdint>

#include "base/time.h"

namespace crosspoint::rtp {

inline constexpr std::uint64_t kNtpSecondsAtUnixEpoch = 2'208'988'800;

inline std::uint64_t toNtp(WallTime wall) {
  const auto sinceEpoch = wall.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(sinceEpoch);
  const auto fraction = static_cast<std::uint64_t>((sinceEpoch - seconds).count());
  return (static_cast<std::uint64_t>(seconds.count()) + kNtpSecondsAtUnixEpoch) << 32 |
         (fraction << 32) / 1'000'000'000;
}
constexpr std::uint32_t compactNtp(std::uint64_t ntp) { return static_cast<std::uint32_t>(ntp >> 16); }
// The unit of DLSR and of round-trip times (1/65536 s).
inline std::uint32_t toCompactInterval(Duration interval) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(interval.count()) * 65536 / 1'000'000'000);
}
inline Duration fromCompactInterval(std::uint32_t units) {
  return Duration(static_cast<std::int64_t>(std::uint64_t{units} * 1'000'000'000 / 65536));
}

}  // namespace crosspoint::rtp
