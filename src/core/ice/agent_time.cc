// The part of ice::Agent that decides what is due: new checks, nomination, consent, and giving up.
#include <algorithm>

#include "core/ice/agent.h"
#include "core/ice/candidate.h"
#include "core/ice/messages.h"

namespace crosspoint::ice {

void Agent::handleTimeout(TimePoint now) {
  gatherer_.handleTimeout(now);
  checks_.handleTimeout(now);
  if (route_) route_->consent.handleTimeout(now);
  settle(now);
}

// After every input: brings what the parts have to say to an end, so that the state is whole when the caller looks.
void Agent::settle(TimePoint now) {
  do {
    considerNomination(now);
    startNext(now);
  } while (drainChecks());
  drainGatherer();
  drainConsent(now);
  judge(now);
  updateDeadline(now);
}

// RFC 8445 §14.3, and the same rule for STUN servers.
stun::ClientTransaction::Config Agent::transactionConfig(std::size_t competing) const {
  stun::ClientTransaction::Config config = config_.timers.transaction;
  config.rto = std::max<Duration>(config.rto, config_.timers.pacing * static_cast<std::int64_t>(competing));
  return config;
}

// RFC 8445 §6.1.4.2: one new transaction per Ta.
void Agent::startNext(TimePoint now) {
  if (failed_ || now < nextStartAt_) return;
  if (gatherer_.hasNext()) {
    stun::ClientTransaction::Config config = config_.timers.gathering;
    config.rto = transactionConfig(gatherer_.requests()).rto;
    gatherer_.startNext(now, config, *random_);
  } else {
    if (!remote_ || !checks_.hasRoom()) return;
    const auto next = pairs_.takeNext(!completed_);
    if (!next) return;
    startCheck(now, *next);
  }
  nextStartAt_ = now + config_.timers.pacing;
}

void Agent::startCheck(TimePoint now, PairId id) {
  checks_.start({.transaction = stun::ClientTransaction(transactionConfig(pairs_.unsettled()),
                                                        makeTransactionId(config_.transactionPrefix, *random_), now),
                 .pair = id,
                 .role = config_.role,
                 .tieBreaker = config_.tieBreaker,
                 .useCandidate = nominating_ == id});
}

// RFC 8445 §8.1.1, regular nomination: the best valid pair, as soon as no better one can come or it has waited long
// enough.
void Agent::considerNomination(TimePoint now) {
  if (config_.role != Role::Controlling || completed_ || nominating_ || failed_ || !remote_) return;
  const auto best = pairs_.bestSucceeded();
  if (!best) {
    nominateAt_.reset();
    return;
  }
  if (pairs_.hasUnsettledAbove(pairs_.get(*best)->priority)) {
    if (!nominateAt_) nominateAt_ = now + config_.timers.nominationDelay;
    if (now < *nominateAt_) return;
  }
  nominating_ = best;
  pairs_.setSelected(*best);
  pairs_.trigger(*best);
}

// True if a check has ended, which may make another thing due.
bool Agent::drainChecks() {
  bool ended = false;
  while (const auto event = checks_.pollOutput()) {
    const Check& check = event->check;
    const Pair* pair = pairs_.get(check.pair);
    if (pair == nullptr || !remote_) {
      checks_.erase(check.transaction.id());
      ended = true;
      continue;
    }
    if (event->kind == stun::ClientTransaction::Output::Send) {
      if (SendDatagram* send = sends_.add(pathOf(*pair).socket, pair->remote)) {
        writeCheck(send->message, check.transaction.id(), config_.local, *remote_,
                   {.priority = candidatePriority(CandidateType::PeerReflexive, pair->local),
                    .role = check.role,
                    .tieBreaker = check.tieBreaker,
                    .useCandidate = check.useCandidate});
      }
      continue;
    }
    if (check.transaction.cancelled()) continue;
    ended = true;
    if (nominating_ == check.pair) nominating_.reset();
    if (check.useCandidate || pair->state == PairState::InProgress) pairs_.failed(check.pair);
  }
  return ended;
}

void Agent::drainGatherer() {
  while (const auto request = gatherer_.pollOutput()) {
    if (SendDatagram* send = sends_.add(request->socket, request->server)) {
      writeGatherRequest(send->message, request->id);
    }
  }
}

void Agent::drainConsent(TimePoint now) {
  if (!route_) return;
  if (const auto id = route_->consent.pollOutput()) {
    if (SendDatagram* send = sends_.add(route_->pair.socket, route_->pair.remote)) {
      writeCheck(send->message, *id, route_->local, route_->remote,
                 {.priority = candidatePriority(CandidateType::PeerReflexive, 0),
                  .role = config_.role,
                  .tieBreaker = config_.tieBreaker,
                  .useCandidate = false});
    }
  }
  if (route_->consent.state() == Consent::State::Expired) loseRoute(now);
}

// RFC 7675 §5.1: nothing more is sent there. Only the pairs of a newer generation may still replace it.
void Agent::loseRoute(TimePoint now) {
  const bool restarting = route_->generation != generation_;
  const IceCredentials old = route_->local;
  route_.reset();
  pairTold_.reset();
  if (!restarting) return fail();
  retireUfrag(old.ufrag);
  validated_.retireBefore(generation_);
  patienceUntil_ = now + config_.timers.patience;
}

void Agent::fail() {
  failed_ = true;
  patienceUntil_.reset();
  nominateAt_.reset();
  nominating_.reset();
  checks_.clear();
}

void Agent::judge(TimePoint now) {
  if (retiring_ && now >= retiring_->until) {
    retireUfrag(retiring_->local.ufrag);
    retiring_.reset();
    validated_.retireBefore(generation_);
  }
  if (!patienceUntil_ || now < *patienceUntil_) return;
  const bool hoping = remote_ && (!checks_.empty() || nominating_ || pairs_.hasNext(!completed_));
  if (!hoping) fail();
}

void Agent::updateDeadline(TimePoint now) {
  std::optional<TimePoint> next = earlier(gatherer_.nextTimeout(), checks_.nextTimeout());
  const bool checksWait = remote_ && checks_.hasRoom() && pairs_.hasNext(!completed_);
  if (!failed_ && (gatherer_.hasNext() || checksWait)) next = earlier(next, nextStartAt_);
  if (route_) next = earlier(next, route_->consent.nextTimeout());
  if (nominateAt_ && now < *nominateAt_) next = earlier(next, nominateAt_);
  if (retiring_) next = earlier(next, retiring_->until);
  if (patienceUntil_ && now < *patienceUntil_) next = earlier(next, patienceUntil_);
  deadline_ = next;
}

}  // namespace crosspoint::ice
