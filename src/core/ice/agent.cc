#include "core/ice/agent.h"

#include <utility>

#include "base/check.h"
#include "core/ice/candidate.h"
#include "core/ice/limits.h"

namespace crosspoint::ice {

Agent::Agent(Config config, Random& random, TimePoint now)
    : config_(std::move(config)),
      random_(&random),
      gatherer_(config_.sockets, config_.stunServers, config_.transactionPrefix),
      nextStartAt_(now),
      pairs_(config_.sockets, config_.role) {
  CROSSPOINT_CHECK(config_.sockets.size() <= kLocalSocketsMax && config_.stunServers.size() <= kStunServersMax);
  settle(now);
}

void Agent::setRemoteCredentials(TimePoint now, IceCredentials remote) {
  if (remote_ == remote) return;
  if (remote_) {
    beginGeneration();
    begunByPeer_ = true;
  }
  remote_ = std::move(remote);
  startPatience(now);
  settle(now);
}

void Agent::setRemoteLite(TimePoint now) {
  if (config_.role == Role::Controlled) switchRole();
  settle(now);
}

void Agent::addRemoteCandidate(TimePoint now, const Candidate& candidate) {
  if (!isUsable(candidate)) {
    ++counters_.candidatesIgnored;
    return;
  }
  if (pairs_.addSignalled(candidate) && !endOfCandidates_) startPatience(now);
  settle(now);
}

void Agent::endOfRemoteCandidates(TimePoint now) {
  endOfCandidates_ = true;
  settle(now);
}

void Agent::localDescriptionSent(TimePoint now) {
  peerKnowsUs_ = true;
  pairs_.retryFailed();
  startPatience(now);
  settle(now);
}

void Agent::restart(TimePoint now, IceCredentials local) {
  const IceCredentials old = std::exchange(config_.local, std::move(local));
  if (begunByPeer_ && !completed_) {
    pairs_.checkAgain();
    checks_.clear();
    nominating_.reset();
    nominateAt_.reset();
    begunByPeer_ = false;
  } else {
    beginGeneration();
  }
  peerKnowsUs_ = false;
  patienceUntil_.reset();
  if (!route_ || route_->local != old) retireUfrag(old.ufrag);
  settle(now);
}

// RFC 8445 §9: everything but the sockets, their candidates and the role is found anew. The route stays.
void Agent::beginGeneration() {
  ++generation_;
  remote_.reset();
  endOfCandidates_ = begunByPeer_ = false;
  counters_.candidatesRefused += pairs_.counters().candidatesRefused;
  counters_.pairsRefused += pairs_.counters().pairsRefused;
  pairs_ = CheckList(config_.sockets, config_.role);
  checks_.clear();
  completed_ = failed_ = false;
  nominating_.reset();
  nominateAt_.reset();
  patienceUntil_.reset();
  if (!route_) validated_.retireBefore(generation_);
}

void Agent::retireUfrag(const std::string& ufrag) {
  if (ufrag != config_.local.ufrag) retiredUfrags_.push_back(ufrag);
}

void Agent::startPatience(TimePoint now) {
  if (peerKnowsUs_ && remote_ && !route_ && !failed_) patienceUntil_ = now + config_.timers.patience;
}

std::optional<Output> Agent::pollCandidate() {
  if (candidatesTold_ < gatherer_.candidates().size()) {
    return CandidateFound{gatherer_.candidates()[candidatesTold_++]};
  }
  if (gatheringDoneTold_ || !gatherer_.done()) return std::nullopt;
  gatheringDoneTold_ = true;
  return GatheringDone{};
}

std::optional<Output> Agent::pollOutput() {
  if (auto candidate = pollCandidate()) return candidate;
  if (auto send = sends_.poll()) return Output(std::in_place_type<SendDatagram>, *send);
  if (auto retired = validated_.pollRetired()) return *retired;
  if (auto validated = validated_.pollValidated()) return *validated;
  if (!retiredUfrags_.empty()) {
    UfragRetired retired{std::move(retiredUfrags_.back())};
    retiredUfrags_.pop_back();
    return retired;
  }
  if (route_ && route_->pair != pairTold_) {
    pairTold_ = route_->pair;
    return SelectedPairChanged{*pairTold_};
  }
  if (const State now = state(); now != stateTold_) {
    stateTold_ = now;
    return StateChanged{now};
  }
  return std::nullopt;
}

std::optional<TimePoint> Agent::nextTimeout() const { return deadline_; }

State Agent::state() const {
  if (failed_) return State::Failed;
  if (route_) return route_->consent.state() == Consent::State::Fresh ? State::Connected : State::Disconnected;
  return remote_ || generation_ > 0 ? State::Checking : State::New;
}

Role Agent::role() const { return config_.role; }

std::optional<SelectedPair> Agent::selectedPair() const { return route_ ? std::optional(route_->pair) : std::nullopt; }

std::span<const Candidate> Agent::localCandidates() const { return gatherer_.candidates(); }
bool Agent::gatheringDone() const { return gatherer_.done(); }
const IceCredentials& Agent::localCredentials() const { return config_.local; }
const std::optional<IceCredentials>& Agent::remoteCredentials() const { return remote_; }

Counters Agent::counters() const {
  Counters all = counters_;
  all.candidatesRefused += pairs_.counters().candidatesRefused;
  all.pairsRefused += pairs_.counters().pairsRefused;
  all.checksForgotten = checks_.forgotten();
  all.addressesRefused = validated_.refused();
  all.sendsDropped = sends_.dropped();
  return all;
}

}  // namespace crosspoint::ice
