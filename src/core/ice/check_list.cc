#include "core/ice/check_list.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/ice/candidate.h"
#include "core/ice/limits.h"

namespace crosspoint::ice {
namespace {

// Two foundations that fall together would only change the order of checks.
std::uint64_t foundationOf(const IpAddress& local, std::string_view remote) {
  std::uint64_t hash = 14695981039346656037u;
  for (const std::uint8_t byte : local.bytes()) hash = (hash ^ byte) * 1099511628211u;
  for (const char c : remote) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211u;
  return hash;
}

bool isUnsettled(const Pair& pair) { return pair.state == PairState::Waiting || pair.state == PairState::InProgress; }

}  // namespace

CheckList::CheckList(std::span<const LocalSocket> sockets, Role role)
    : sockets_(sockets.begin(), sockets.end()), role_(role) {}

bool CheckList::addSignalled(const Candidate& candidate) {
  if (std::ranges::find(signalled_, candidate.address) != signalled_.end()) return false;
  if (signalled_.size() == kSignalledCandidatesMax) {
    ++counters_.candidatesRefused;
    return false;
  }
  signalled_.push_back(candidate.address);
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const IpAddress& local = sockets_[i].address.ip;
    if (!canPair(local, candidate.address.ip)) continue;
    const std::uint32_t localPriority = candidatePriority(CandidateType::Host, i);
    const std::uint64_t priority = pairPriority(role_, localPriority, candidate.priority);
    const std::uint64_t foundation = foundationOf(local, candidate.foundation);
    if (const auto known = find(static_cast<std::uint8_t>(i), candidate.address)) {
      Pair& pair = *get(*known);  // RFC 8838 §11.4: what was peer-reflexive gets its own priority
      pair.reflexive = false;
      pair.remotePriority = candidate.priority;
      pair.priority = priority;
      pair.foundation = foundation;
      continue;
    }
    insert({.local = static_cast<std::uint8_t>(i),
            .remote = candidate.address,
            .remotePriority = candidate.priority,
            .priority = priority,
            .foundation = foundation});
  }
  return true;
}

std::optional<PairId> CheckList::addReflexive(std::uint8_t local, const SocketAddress& remote, std::uint32_t priority) {
  makeRoomForReflexive();
  // RFC 8445 §7.3.1.3: a foundation different from all others.
  const std::string unique = "prflx" + std::to_string(lastId_ + 1);
  const std::uint32_t localPriority = candidatePriority(CandidateType::Host, local);
  const bool added = insert({.local = local,
                             .remote = remote,
                             .remotePriority = priority,
                             .priority = pairPriority(role_, localPriority, priority),
                             .foundation = foundationOf(sockets_[local].address.ip, unique),
                             .reflexive = true});
  return added ? std::optional(pairs_.back().id) : std::nullopt;
}

void CheckList::makeRoomForReflexive() {
  if (std::ranges::count_if(pairs_, &Pair::reflexive) < static_cast<std::ptrdiff_t>(kReflexivePairsMax)) return;
  auto mayGo = [this](const Pair& pair) { return pair.reflexive && pair.id != selected_; };
  auto oldest = std::ranges::find_if(
      pairs_, [&](const Pair& pair) { return mayGo(pair) && pair.state != PairState::InProgress; });
  if (oldest == pairs_.end()) oldest = std::ranges::find_if(pairs_, mayGo);
  ++counters_.candidatesRefused;
  erase(static_cast<std::size_t>(oldest - pairs_.begin()));
}

bool CheckList::insert(Pair pair) {
  if (pairs_.size() == kPairsMax) {
    ++counters_.pairsRefused;
    std::optional<std::size_t> worst;
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const bool busy = pairs_[i].state == PairState::InProgress || pairs_[i].state == PairState::Succeeded;
      if (busy || pairs_[i].id == selected_) continue;
      if (!worst || pairs_[i].priority < pairs_[*worst].priority) worst = i;
    }
    if (!worst || pairs_[*worst].priority >= pair.priority) return false;
    erase(*worst);
  }
  pair.id = PairId{++lastId_};
  pair.state = foundationIsBusy(pair.foundation) ? PairState::Frozen : PairState::Waiting;  // RFC 8838 §12
  pairs_.push_back(pair);
  return true;
}

void CheckList::erase(std::size_t index) {
  std::erase(triggered_, pairs_[index].id);
  pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(index));
}

std::optional<PairId> CheckList::find(std::uint8_t local, const SocketAddress& remote) const {
  for (const Pair& pair : pairs_) {
    if (pair.local == local && pair.remote == remote) return pair.id;
  }
  return std::nullopt;
}

const Pair* CheckList::get(PairId id) const {
  const auto found = std::ranges::find(pairs_, id, &Pair::id);
  return found == pairs_.end() ? nullptr : &*found;
}

Pair* CheckList::get(PairId id) { return const_cast<Pair*>(std::as_const(*this).get(id)); }

void CheckList::setRole(Role role) {
  role_ = role;
  for (Pair& pair : pairs_) {
    pair.priority = pairPriority(role, candidatePriority(CandidateType::Host, pair.local), pair.remotePriority);
    pair.nominateOnSuccess = false;
  }
}

void CheckList::trigger(PairId id) {
  Pair* pair = get(id);
  if (pair == nullptr) return;
  if (pair->state != PairState::Succeeded) pair->state = PairState::Waiting;
  if (std::ranges::find(triggered_, id) == triggered_.end()) triggered_.push_back(id);
}

bool CheckList::foundationIsBusy(std::uint64_t foundation) const {
  return std::ranges::any_of(
      pairs_, [foundation](const Pair& pair) { return pair.foundation == foundation && isUnsettled(pair); });
}

// RFC 8445 §6.1.4.2: with no pair Waiting, each foundation that is not being checked gives one of its frozen pairs.
const Pair* CheckList::bestToThaw() const {
  const Pair* best = nullptr;
  for (const Pair& pair : pairs_) {
    if (pair.state != PairState::Frozen || foundationIsBusy(pair.foundation)) continue;
    if (best == nullptr || pair.priority > best->priority) best = &pair;
  }
  return best;
}

std::optional<PairId> CheckList::takeNext(bool ordinary) {
  if (!triggered_.empty()) {
    const PairId id = triggered_.front();
    triggered_.erase(triggered_.begin());
    Pair* pair = get(id);
    if (pair->state != PairState::Succeeded) pair->state = PairState::InProgress;
    return id;
  }
  if (!ordinary) return std::nullopt;
  const Pair* best = nullptr;
  for (const Pair& pair : pairs_) {
    if (pair.state == PairState::Waiting && (best == nullptr || pair.priority > best->priority)) best = &pair;
  }
  if (best == nullptr) best = bestToThaw();
  if (best == nullptr) return std::nullopt;
  get(best->id)->state = PairState::InProgress;
  return best->id;
}

bool CheckList::hasNext(bool ordinary) const {
  if (!triggered_.empty()) return true;
  if (!ordinary) return false;
  return std::ranges::find(pairs_, PairState::Waiting, &Pair::state) != pairs_.end() || bestToThaw() != nullptr;
}

void CheckList::succeeded(PairId id, TimePoint now) {
  Pair* proven = get(id);
  if (proven == nullptr) return;
  // Only the first success makes its triggered check needless: a later one may be to nominate it.
  if (proven->state != PairState::Succeeded) std::erase(triggered_, id);
  proven->state = PairState::Succeeded;
  proven->answeredAt = now;
  for (Pair& pair : pairs_) {  // RFC 8445 §7.2.5.3.3
    if (pair.state == PairState::Frozen && pair.foundation == proven->foundation) pair.state = PairState::Waiting;
  }
}

void CheckList::failed(PairId id) {
  if (Pair* pair = get(id)) {
    pair->state = PairState::Failed;
    pair->nominateOnSuccess = false;
  }
}

void CheckList::retryFailed() {
  for (Pair& pair : pairs_) {
    if (pair.state == PairState::Failed) pair.state = PairState::Waiting;
  }
}

void CheckList::checkAgain() {
  triggered_.clear();
  selected_.reset();
  for (Pair& pair : pairs_) {
    pair.state = PairState::Waiting;
    pair.nominateOnSuccess = false;
  }
}

void CheckList::stopOthers() {
  for (Pair& pair : pairs_) {
    if (pair.state == PairState::InProgress && !pair.nominateOnSuccess) pair.state = PairState::Frozen;
  }
}

std::optional<PairId> CheckList::bestSucceeded() const {
  const Pair* best = nullptr;
  for (const Pair& pair : pairs_) {
    if (pair.state == PairState::Succeeded && (best == nullptr || pair.priority > best->priority)) best = &pair;
  }
  return best == nullptr ? std::nullopt : std::optional(best->id);
}

bool CheckList::hasUnsettledAbove(std::uint64_t priority) const {
  return std::ranges::any_of(pairs_, [priority](const Pair& pair) {
    return pair.priority > priority && (isUnsettled(pair) || pair.state == PairState::Frozen);
  });
}

std::size_t CheckList::unsettled() const {
  return static_cast<std::size_t>(std::ranges::count_if(pairs_, isUnsettled));
}

}  // namespace crosspoint::ice
