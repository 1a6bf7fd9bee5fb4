#include "io/loop/clock.h"

#include <time.h>

namespace crosspoint::loop {
namespace {

Duration read(clockid_t clock) {
  timespec value{};
  ::clock_gettime(clock, &value);
  return std::chrono::seconds(value.tv_sec) + Duration(value.tv_nsec);
}

}  // namespace

TimePoint monotonicNow() { return TimePoint(read(CLOCK_MONOTONIC)); }

WallTime wallNow() { return WallTime(read(CLOCK_REALTIME)); }

WallClockAnchor takeWallClockAnchor() { return {.monotonic = monotonicNow(), .wall = wallNow()}; }

}  // namespace crosspoint::loop
