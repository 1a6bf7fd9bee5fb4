// The statistics object that a page asks for with GET-STATS (guide, onStatsFromServer).
#pragma once
#include <string>

#include "base/time.h"

namespace crosspoint::bridge {

class Call;

// The JSON object of `PUT-STATS`. `rx` is what came from the page; times in ms; jitter in RTP timestamp units.
std::string statisticsJson(TimePoint now, const WallClockAnchor& clock, const Call& call);

}  // namespace crosspoint::bridge
