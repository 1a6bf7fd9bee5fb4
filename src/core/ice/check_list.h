// The candidate pairs of one generation and the order in which they are checked (RFC 8445 §6.1.2, §6.1.4, RFC 8838
// §12).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "core/ice/types.h"
#include "core/params/transport.h"

namespace crosspoint::ice {

// Names a pair for as long as its check list lives; never used again in it.
enum class PairId : std::uint32_t {};

//     Frozen ──> Waiting ──> InProgress ──> Succeeded
//                   ^            │             │ its nomination was not answered
//                   └─ trigger() └──> Failed <─┘
enum class PairState : std::uint8_t { Frozen, Waiting, InProgress, Succeeded, Failed };

// A local candidate is always a socket: a server-reflexive one is checked from its base (RFC 8445 §6.1.2.4), so two
// candidates of ours with one base make one pair.
struct Pair {
  PairId id{};
  std::uint8_t local = 0;  // index of the socket in the agent's configuration
  SocketAddress remote;
  std::uint32_t remotePriority = 0;
  std::uint64_t priority = 0;
  std::uint64_t foundation = 0;  // of both candidates together
  PairState state = PairState::Frozen;
  bool reflexive = false;          // the remote candidate was learnt from a check of the peer
  bool nominateOnSuccess = false;  // the controlling peer has nominated it before we had checked it
  TimePoint answeredAt{};          // meaningful while Succeeded
};

class CheckList {
 public:
  struct Counters {
    std::uint64_t candidatesRefused = 0;
    std::uint64_t pairsRefused = 0;
  };

  CheckList() = default;
  CheckList(std::span<const LocalSocket> sockets, Role role);

  // A usable candidate of the peer's signalling. True if it was new; a known peer-reflexive one becomes this one.
  bool addSignalled(const Candidate& candidate);
  // A source address that the peer has proven; nothing if there is no room for it.
  std::optional<PairId> addReflexive(std::uint8_t local, const SocketAddress& remote, std::uint32_t priority);

  std::optional<PairId> find(std::uint8_t local, const SocketAddress& remote) const;
  Pair* get(PairId id);              // nullptr if it had to give way
  const Pair* get(PairId id) const;  // the pointer is good until a candidate is added

  void setRole(Role role);                         // computes priorities anew
  void setSelected(PairId id) { selected_ = id; }  // it never has to give way

  // The pair's next check comes before all others, once (RFC 8445 §7.3.1.4).
  void trigger(PairId id);
  // Takes the pair to check now, which is InProgress (or still Succeeded) from then on. Without `ordinary` only
  // triggered ones.
  std::optional<PairId> takeNext(bool ordinary);
  bool hasNext(bool ordinary) const;

  void succeeded(PairId id, TimePoint now);  // and thaws its foundation
  void failed(PairId id);
  void retryFailed();
  void checkAgain();  // all pairs, as if none had been checked
  void stopOthers();  // pairs InProgress, but for those that the peer has nominated, are not checked any more

  std::optional<PairId> bestSucceeded() const;
  bool hasUnsettledAbove(std::uint64_t priority) const;  // a pair that might still succeed and is better
  std::size_t unsettled() const;                         // pairs Waiting or InProgress

  std::size_t size() const { return pairs_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  bool insert(Pair pair);
  void erase(std::size_t index);
  bool foundationIsBusy(std::uint64_t foundation) const;
  void makeRoomForReflexive();
  const Pair* bestToThaw() const;

  std::vector<LocalSocket> sockets_;
  Role role_ = Role::Controlled;
  std::uint32_t lastId_ = 0;
  std::optional<PairId> selected_;
  std::vector<Pair> pairs_;
  std::vector<SocketAddress> signalled_;
  std::vector<PairId> triggered_;
  Counters counters_;
};

}  // namespace crosspoint::ice
