// The client's side of one STUN request over UDP: when to send it again and when to give up (RFC 8489 §6.2.1).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "core/stun/types.h"

namespace crosspoint::stun {

//     Sending ── sendsMax requests sent, then lastWait × rto ──> TimedOut
//        └────── cancel() ──> Waiting ── at the time it would have timed out ──> TimedOut
//
// It keeps no bytes: its owner writes the same message at each Output::Send. An answer ends it: the owner drops the
// object.
class ClientTransaction {
 public:
  struct Config {
    Duration rto = std::chrono::milliseconds(500);  // RFC 8489 §6.2.1; doubles with each request
    Duration intervalMax = Duration::max();         // where doubling stops
    std::uint8_t sendsMax = 7;                      // Rc
    std::uint8_t lastWait = 16;                     // Rm, in rto
  };
  enum class Output : std::uint8_t { Send, TimedOut };

  ClientTransaction(const Config& config, const TransactionId& id, TimePoint now);  // the first Send is due at once

  void handleTimeout(TimePoint now);  // harmless early or late; late, missed requests are not made up for
  void cancel();                      // no further Send; a late answer still counts until TimedOut (RFC 8445 §7.3.1.4)
  std::optional<Output> pollOutput();
  std::optional<TimePoint> nextTimeout() const { return finished_ ? std::nullopt : std::optional(nextAt_); }

  const TransactionId& id() const { return id_; }
  bool cancelled() const { return cancelled_; }
  std::uint8_t sends() const { return sends_; }  // requests sent so far

 private:
  Duration nextInterval(Duration interval) const;

  Config config_;
  TransactionId id_;
  TimePoint nextAt_;
  TimePoint endsAt_;
  Duration interval_;
  std::uint8_t sends_ = 1;
  bool cancelled_ = false;
  bool finished_ = false;
  std::optional<Output> output_ = Output::Send;
};

}  // namespace crosspoint::stun
