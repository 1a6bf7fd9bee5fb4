#include "core/ice/consent.h"

#include <algorithm>
#include <utility>

#include "core/ice/messages.h"

namespace crosspoint::ice {

Consent::Consent(const Config& config, Random& random, std::uint32_t transactionPrefix, TimePoint answeredAt,
                 TimePoint now)
    : config_(config), random_(&random), transactionPrefix_(transactionPrefix), answeredAt_(answeredAt) {
  scheduleCheck(now);
}

void Consent::scheduleCheck(TimePoint now) {
  const auto tenth = static_cast<std::uint64_t>(config_.checkInterval.count() / 10);
  checkAt_ = now + Duration(static_cast<Duration::rep>(8 * tenth + random_->below(4 * tenth + 1)));
}

bool Consent::isOurs(const stun::TransactionId& id) const {
  return std::ranges::find(outstanding_, std::optional(id)) != outstanding_.end();
}

bool Consent::handleAnswer(TimePoint now, const stun::TransactionId& id) {
  const auto found = std::ranges::find(outstanding_, std::optional(id));
  if (found == outstanding_.end() || state_ == State::Expired) return false;
  found->reset();
  answeredAt_ = now;
  state_ = State::Fresh;
  return true;
}

void Consent::handleTimeout(TimePoint now) {
  if (state_ == State::Expired) return;
  if (now >= answeredAt_ + config_.lifetime) {
    state_ = State::Expired;
    due_.reset();
    return;
  }
  if (now >= answeredAt_ + config_.staleAfter) state_ = State::Stale;
  if (now < checkAt_) return;
  due_ = makeTransactionId(transactionPrefix_, *random_);
  outstanding_[nextSlot_] = due_;
  nextSlot_ = static_cast<std::uint8_t>((nextSlot_ + 1) % outstanding_.size());
  scheduleCheck(now);
}

std::optional<stun::TransactionId> Consent::pollOutput() { return std::exchange(due_, std::nullopt); }

std::optional<TimePoint> Consent::nextTimeout() const {
  if (state_ == State::Expired) return std::nullopt;
  const TimePoint worse = answeredAt_ + (state_ == State::Fresh ? config_.staleAfter : config_.lifetime);
  return std::min({checkAt_, worse, answeredAt_ + config_.lifetime});
}

}  // namespace crosspoint::ice
