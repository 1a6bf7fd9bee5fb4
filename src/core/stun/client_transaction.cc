#include "core/stun/client_transaction.h"

#include <algorithm>
#include <utility>

namespace crosspoint::stun {

ClientTransaction::ClientTransaction(const Config& config, const TransactionId& id, TimePoint now)
    : config_(config), id_(id), interval_(config.rto) {
  endsAt_ = now + config.rto * config.lastWait;
  Duration interval = config.rto;
  for (int i = 1; i < config.sendsMax; ++i) {
    endsAt_ += interval;
    interval = nextInterval(interval);
  }
  nextAt_ = config.sendsMax > 1 ? now + interval_ : endsAt_;
}

Duration ClientTransaction::nextInterval(Duration interval) const {
  return std::max(config_.rto, std::min(2 * interval, config_.intervalMax));
}

void ClientTransaction::handleTimeout(TimePoint now) {
  if (finished_ || now < nextAt_) return;
  if (now >= endsAt_) {
    finished_ = true;
    output_ = Output::TimedOut;
    return;
  }
  ++sends_;
  output_ = Output::Send;
  interval_ = nextInterval(interval_);
  nextAt_ = sends_ < config_.sendsMax ? std::min(now + interval_, endsAt_) : endsAt_;
}

void ClientTransaction::cancel() {
  cancelled_ = true;
  nextAt_ = endsAt_;
  if (output_ == Output::Send) output_.reset();
}

std::optional<ClientTransaction::Output> ClientTransaction::pollOutput() {
  return std::exchange(output_, std::nullopt);
}

}  // namespace crosspoint::stun
