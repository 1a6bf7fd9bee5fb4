#include "io/sip/server/pending_calls.h"

#include <algorithm>

namespace crosspoint::sip {
namespace {

constexpr std::size_t kCallsMax = 1'000;  // of all sources: a forged one is as good as another

}  // namespace

bool PendingCalls::add(TimePoint now, const IpAddress& source, const std::string& callId) {
  forgetOld(now);
  if (calls_.contains(callId)) return true;
  const auto same =
      std::count_if(calls_.begin(), calls_.end(), [&](const auto& call) { return call.second.source == source; });
  if (static_cast<std::size_t>(same) >= kPerSourceMax || calls_.size() >= kCallsMax) return false;
  calls_.emplace(callId, Call{source, now + kLifetime});
  return true;
}

void PendingCalls::confirm(const std::string& callId) { calls_.erase(callId); }

void PendingCalls::forgetOld(TimePoint now) {
  std::erase_if(calls_, [&](const auto& call) { return call.second.expires <= now; });
}

}  // namespace crosspoint::sip
