// Consent freshness for one selected pair (RFC 7675 §5.1).
#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"
#include "core/ice/limits.h"
#include "core/stun/types.h"

namespace crosspoint::ice {

//     Fresh ── no answer for `staleAfter` ──> Stale ── no answer for `lifetime` ──> Expired (final)
//       ^──────────────── an answer ─────────────┘
//
// Each check is sent once, with a new transaction id, and any of the outstanding ones may be answered.
class Consent {
 public:
  enum class State : std::uint8_t { Fresh, Stale, Expired };
  struct Config {
    Duration checkInterval = std::chrono::seconds(5);        // RFC 7675 §5.1, each then scaled by 0.8 to 1.2
    Duration staleAfter = std::chrono::milliseconds(12500);  // two checks, 6 s apart at most, were not answered
    Duration lifetime = std::chrono::seconds(30);            // RFC 7675 §5.1
  };

  // Fresh since `answeredAt`, when the pair's connectivity check was answered. `Random` must outlive this object.
  // All transaction ids begin with `transactionPrefix`.
  Consent(const Config& config, Random& random, std::uint32_t transactionPrefix, TimePoint answeredAt, TimePoint now);

  // True if it answers one of our checks. Integrity is already verified.
  bool handleAnswer(TimePoint now, const stun::TransactionId& id);
  bool isOurs(const stun::TransactionId& id) const;  // whether a check with this id is outstanding
  void handleTimeout(TimePoint now);                 // harmless early or late
  // The check that is to be sent now.
  std::optional<stun::TransactionId> pollOutput();
  std::optional<TimePoint> nextTimeout() const;
  State state() const { return state_; }

 private:
  void scheduleCheck(TimePoint now);

  Config config_;
  Random* random_;
  std::uint32_t transactionPrefix_;
  TimePoint answeredAt_;
  TimePoint checkAt_;
  State state_ = State::Fresh;
  std::optional<stun::TransactionId> due_;
  std::uint8_t nextSlot_ = 0;  // of `outstanding_`, a ring
  std::array<std::optional<stun::TransactionId>, kConsentChecksInFlightMax> outstanding_;
};

}  // namespace crosspoint::ice
