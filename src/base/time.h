// Time as everything below io/ is told it. Nothing here can read a clock.
#pragma once
#include <chrono>
#include <optional>

namespace crosspoint {

using namespace std::chrono_literals;

using Duration = std::chrono::nanoseconds;

// A monotonic scale without a clock of its own: io/loop fills it from CLOCK_MONOTONIC, tests from a counter.
struct MonotonicScale {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicScale>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicScale::time_point;

// Wall-clock time; only for what leaves the program: NTP stamps, records, statistics.
using WallTime = std::chrono::sys_time<Duration>;

// What ties the two scales together, taken once at start.
struct WallClockAnchor {
  TimePoint monotonic{};
  WallTime wall{};
  WallTime at(TimePoint now) const { return wall + (now - monotonic); }
};

// The earlier of two deadlines, where nothing means never.
inline std::optional<TimePoint> earlier(std::optional<TimePoint> a, std::optional<TimePoint> b) {
  if (!a) return b;
  if (!b) return a;
  return *a < *b ? a : b;
}

}  // namespace crosspoint
