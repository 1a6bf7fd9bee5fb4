// The only place where the program reads its clocks. Everything below io/ is told the time.
#pragma once
#include "base/time.h"

namespace crosspoint::loop {

// CLOCK_MONOTONIC. Any thread.
TimePoint monotonicNow();

// CLOCK_REALTIME. Any thread.
WallTime wallNow();

// Both clocks at one moment: taken once at start and handed to whoever must write down wall-clock times.
WallClockAnchor takeWallClockAnchor();

}  // namespace crosspoint::loop
