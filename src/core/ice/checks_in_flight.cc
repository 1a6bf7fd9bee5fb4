#include "core/ice/checks_in_flight.h"

#include <algorithm>

#include "base/check.h"
#include "core/ice/limits.h"

namespace crosspoint::ice {
namespace {

bool isCancelled(const Check& check) { return check.transaction.cancelled(); }

}  // namespace

bool ChecksInFlight::hasRoom() const {
  return checks_.size() < kChecksInFlightMax || std::ranges::any_of(checks_, isCancelled);
}

void ChecksInFlight::start(Check check) {
  if (checks_.size() == kChecksInFlightMax) {
    const auto oldest = std::ranges::find_if(checks_, isCancelled);
    CROSSPOINT_CHECK(oldest != checks_.end());
    checks_.erase(oldest);
    ++forgotten_;
  }
  checks_.push_back(std::move(check));
}

const Check* ChecksInFlight::find(const stun::TransactionId& id) const {
  const auto found = std::ranges::find(checks_, id, [](const Check& check) { return check.transaction.id(); });
  return found == checks_.end() ? nullptr : &*found;
}

void ChecksInFlight::erase(const stun::TransactionId& id) {
  std::erase_if(checks_, [&id](const Check& check) { return check.transaction.id() == id; });
}

void ChecksInFlight::cancel(PairId pair) {
  for (Check& check : checks_) {
    if (check.pair == pair) check.transaction.cancel();
  }
}

void ChecksInFlight::handleTimeout(TimePoint now) {
  for (Check& check : checks_) check.transaction.handleTimeout(now);
}

std::optional<ChecksInFlight::Event> ChecksInFlight::pollOutput() {
  for (auto check = checks_.begin(); check != checks_.end(); ++check) {
    const auto output = check->transaction.pollOutput();
    if (!output) continue;
    Event event{*output, *check};
    if (event.kind == stun::ClientTransaction::Output::TimedOut) checks_.erase(check);
    return event;
  }
  return std::nullopt;
}

std::optional<TimePoint> ChecksInFlight::nextTimeout() const {
  std::optional<TimePoint> next;
  for (const Check& check : checks_) next = earlier(next, check.transaction.nextTimeout());
  return next;
}

}  // namespace crosspoint::ice
