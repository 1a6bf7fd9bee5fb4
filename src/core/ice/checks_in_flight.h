// The connectivity checks that wait for an answer.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "core/ice/check_list.h"
#include "core/ice/types.h"
#include "core/stun/client_transaction.h"

namespace crosspoint::ice {

// What the request said stays with it, so that it is the same each time it is sent.
struct Check {
  stun::ClientTransaction transaction;
  PairId pair{};
  Role role = Role::Controlled;
  std::uint64_t tieBreaker = 0;
  bool useCandidate = false;
};

class ChecksInFlight {
 public:
  struct Event {
    stun::ClientTransaction::Output kind{};
    Check check;
  };

  bool hasRoom() const;  // for one more, if need be in place of a cancelled one
  void start(Check check);
  const Check* find(const stun::TransactionId& id) const;
  void erase(const stun::TransactionId& id);
  // No further request for this pair; a late answer still counts (RFC 8445 §7.3.1.4).
  void cancel(PairId pair);
  template <typename Predicate>
  void eraseIf(Predicate predicate) {
    std::erase_if(checks_, predicate);
  }
  void clear() { checks_.clear(); }
  bool empty() const { return checks_.empty(); }

  void handleTimeout(TimePoint now);
  std::optional<Event> pollOutput();  // a check that has timed out is forgotten here
  std::optional<TimePoint> nextTimeout() const;

  std::uint64_t forgotten() const { return forgotten_; }

 private:
  std::vector<Check> checks_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace crosspoint::ice
