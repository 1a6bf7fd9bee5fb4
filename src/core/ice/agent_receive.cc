// The part of ice::Agent that reads what arrives: connectivity checks of the peer, and answers to ours.
#include <algorithm>
#include <utility>

#include "core/ice/agent.h"
#include "core/ice/candidate.h"
#include "core/ice/messages.h"

namespace crosspoint::ice {
namespace {

// How old an answer to our own check may be for the peer's nomination to count at once (RFC 7675 §4.2: consent must be
// live).
constexpr Duration kAnswerFreshFor = std::chrono::seconds(5);

}  // namespace

bool Agent::handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes datagram) {
  const auto message = stun::MessageView::parse(datagram);
  const auto used = std::ranges::find(config_.sockets, socket, &LocalSocket::socket);
  if (!message || used == config_.sockets.end()) {
    ++counters_.malformed;
    return false;
  }
  const auto local = static_cast<std::uint8_t>(used - config_.sockets.begin());
  bool ours = false;
  switch (message->messageClass()) {
    case stun::Class::Request:
      ours = handleRequest(now, local, remote, *message);
      break;
    case stun::Class::Indication:  // RFC 8445 §11 keepalives of older peers ask for nothing
      return validated_.contains({socket, remote});
    case stun::Class::Success:
    case stun::Class::Error:
      ours = handleResponse(now, local, remote, *message);
      break;
  }
  if (ours) settle(now);
  return ours;
}

SelectedPair Agent::pathOf(const Pair& pair) const { return {config_.sockets[pair.local].socket, pair.remote}; }

// --- requests (RFC 8445 §7.3) ---

Agent::Addressee Agent::addresseeOf(std::string_view username) const {
  using enum Addressee::Kind;
  const auto colon = username.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view first = username.substr(0, colon), second = username.substr(colon + 1);
  if (first == config_.local.ufrag && (!remote_ || second == remote_->ufrag)) return {Newest, config_.local.password};
  if (route_ && first == route_->local.ufrag && second == route_->remote.ufrag) return {Older, route_->local.password};
  if (retiring_ && first == retiring_->local.ufrag) return {Older, retiring_->local.password};
  if (first == config_.local.ufrag) return {WrongRemote, config_.local.password};
  return {};
}

bool Agent::handleRequest(TimePoint now, std::uint8_t local, const SocketAddress& remote,
                          const stun::MessageView& request) {
  const SelectedPair from{config_.sockets[local].socket, remote};
  if (!request.username() || !request.hasIntegrity()) {  // RFC 8489 §9.1.3; nothing is said to strangers
    if (!validated_.contains(from)) return false;
    refuse(from, request, stun::ErrorCode::BadRequest, std::nullopt);
    return true;
  }
  const Addressee addressee = addresseeOf(*request.username());
  if (addressee.kind == Addressee::Kind::Stranger) return false;
  if (!request.verifyIntegrity(asBytes(addressee.password))) {
    ++counters_.wrongIntegrity;
    refuse(from, request, stun::ErrorCode::Unauthenticated, std::nullopt);
    return true;
  }
  if (failed_) return true;
  if (addressee.kind == Addressee::Kind::WrongRemote) {
    ++counters_.wrongRemoteUfrag;
  } else if (request.method() != stun::Method::Binding) {
    refuse(from, request, stun::ErrorCode::BadRequest, addressee.password);
  } else if (!request.unknownRequired().empty()) {
    refuse(from, request, stun::ErrorCode::UnknownAttribute, addressee.password);
  } else if (addressee.kind == Addressee::Kind::Newest) {
    handleAuthenticRequest(now, local, remote, request);
  } else if (SendDatagram* send = sends_.add(from.socket, remote)) {
    writeSuccess(send->message, request.transactionId(), remote, addressee.password);
  }
  if (route_ && route_->pair == from) route_->heardAt = now;
  return true;
}

void Agent::handleAuthenticRequest(TimePoint now, std::uint8_t local, const SocketAddress& remote,
                                   const stun::MessageView& request) {
  const SelectedPair from{config_.sockets[local].socket, remote};
  if (losesRoleConflict(request)) return refuse(from, request, stun::ErrorCode::RoleConflict, config_.local.password);
  if (SendDatagram* send = sends_.add(from.socket, remote)) {
    writeSuccess(send->message, request.transactionId(), remote, config_.local.password);
  }
  validated_.add(from, generation_, selectedPair());
  if (!std::exchange(peerKnowsUs_, true)) startPatience(now);
  learnFrom(now, local, remote, request);
}

// RFC 8445 §7.3.1.1. True if the sender is told to change its role; otherwise we may have changed ours.
bool Agent::losesRoleConflict(const stun::MessageView& request) {
  const bool controlling = config_.role == Role::Controlling;
  const auto theirs = controlling ? request.iceControlling() : request.iceControlled();
  if (!theirs) return false;
  ++counters_.roleConflicts;
  const bool largerIsOurs = config_.tieBreaker >= *theirs;
  if (largerIsOurs == controlling) return true;
  switchRole();
  return false;
}

void Agent::switchRole() {
  config_.role = config_.role == Role::Controlling ? Role::Controlled : Role::Controlling;
  pairs_.setRole(config_.role);
  nominating_.reset();
  nominateAt_.reset();
}

// RFC 8445 §7.3.1.3 to §7.3.1.5: a peer-reflexive candidate, a triggered check, a nomination.
void Agent::learnFrom(TimePoint now, std::uint8_t local, const SocketAddress& remote,
                      const stun::MessageView& request) {
  auto id = pairs_.find(local, remote);
  if (!id) {
    const std::uint32_t fallback = candidatePriority(CandidateType::PeerReflexive, 0);
    id = pairs_.addReflexive(local, remote, request.priority().value_or(fallback));
  }
  if (!id) return;
  if (pairs_.get(*id)->state != PairState::Succeeded) {
    checks_.cancel(*id);
    pairs_.trigger(*id);
  }
  if (config_.role == Role::Controlled && request.useCandidate()) followNomination(now, *id);
}

void Agent::followNomination(TimePoint now, PairId id) {
  Pair& pair = *pairs_.get(id);
  if (!mayReplaceRoute(now, pair)) return;
  if (pair.state == PairState::Succeeded && now - pair.answeredAt <= kAnswerFreshFor) return select(now, id);
  pair.nominateOnSuccess = true;
  if (pair.state != PairState::Succeeded) return;
  pair.state = PairState::Waiting;
  pairs_.trigger(id);
}

// An aggressive peer (RFC 5245 §8.1.1.2) nominates many pairs, of which the best counts; a peer that has moved
// nominates a worse one, and is silent on the one before.
bool Agent::mayReplaceRoute(TimePoint now, const Pair& pair) const {
  if (!route_ || route_->generation != generation_) return true;
  if (route_->pair == pathOf(pair)) return false;
  return pair.priority > route_->priority || now - route_->heardAt > config_.timers.switchAfterSilence;
}

void Agent::refuse(const SelectedPair& to, const stun::MessageView& request, stun::ErrorCode code,
                   std::optional<std::string_view> password) {
  if (SendDatagram* send = sends_.add(to.socket, to.remote)) writeError(send->message, request, code, password);
}

// --- responses (RFC 8445 §7.2.5) ---

bool Agent::handleResponse(TimePoint now, std::uint8_t local, const SocketAddress& remote,
                           const stun::MessageView& response) {
  const SelectedPair from{config_.sockets[local].socket, remote};
  const stun::TransactionId id = response.transactionId();
  if (gatherer_.handleResponse(from.socket, remote, response)) return true;
  if (const Check* check = checks_.find(id); check != nullptr && remote_) {
    if (response.verifyIntegrity(asBytes(remote_->password))) {
      handleCheckResponse(now, *check, from, response);
    } else {
      ++counters_.wrongIntegrity;
    }
    return true;
  }
  if (route_ && route_->consent.isOurs(id)) {
    handleConsentResponse(now, from, response);
    return true;
  }
  ++counters_.unknownTransactions;
  return loadBigEndian<std::uint32_t>(id.data()) == config_.transactionPrefix;
}

void Agent::handleConsentResponse(TimePoint now, const SelectedPair& from, const stun::MessageView& response) {
  if (!response.verifyIntegrity(asBytes(route_->remote.password))) {
    ++counters_.wrongIntegrity;
  } else if (from != route_->pair) {  // RFC 7675 §5.1: from the address that was asked
    ++counters_.unknownTransactions;
  } else if (response.messageClass() == stun::Class::Success) {
    route_->consent.handleAnswer(now, response.transactionId());
    route_->heardAt = now;
  } else if (response.errorCode() == static_cast<std::uint16_t>(stun::ErrorCode::RoleConflict)) {
    handleRoleConflict(config_.role);
  }
}

// RFC 8445 §7.2.5.1; §16.1: the tie-breaker changes with each 487.
void Agent::handleRoleConflict(Role roleOfCheck) {
  ++counters_.roleConflicts;
  if (roleOfCheck == config_.role) switchRole();
  config_.tieBreaker = random_->next<std::uint64_t>();
}

void Agent::handleCheckResponse(TimePoint now, Check check, const SelectedPair& from,
                                const stun::MessageView& response) {
  checks_.erase(check.transaction.id());
  const Pair* pair = pairs_.get(check.pair);
  if (pair == nullptr) return;
  if (response.errorCode() == static_cast<std::uint16_t>(stun::ErrorCode::RoleConflict)) {
    handleRoleConflict(check.role);
    if (pair->state != PairState::Succeeded) pairs_.trigger(check.pair);
    return;
  }
  // RFC 8445 §7.2.5.2.1: the answer comes from where the request went.
  if (response.messageClass() != stun::Class::Success || pathOf(*pair) != from) {
    if (check.transaction.cancelled()) return;
    if (nominating_ == check.pair) nominating_.reset();
    pairs_.failed(check.pair);
    return;
  }
  if (pair->state != PairState::Succeeded) checks_.cancel(check.pair);
  const bool nominated = config_.role == Role::Controlling ? check.useCandidate : pair->nominateOnSuccess;
  pairs_.succeeded(check.pair, now);
  validated_.add(from, generation_, selectedPair());
  if (nominated && (config_.role == Role::Controlling || mayReplaceRoute(now, *pair))) select(now, check.pair);
}

void Agent::select(TimePoint now, PairId id) {
  const Pair& pair = *pairs_.get(id);
  const Consent::Config consent{.checkInterval = config_.timers.consentInterval,
                                .staleAfter = config_.timers.disconnectedAfter,
                                .lifetime = config_.timers.consentLifetime};
  if (route_ && route_->generation != generation_) {
    if (retiring_) retireUfrag(retiring_->local.ufrag);
    retiring_ = Retiring{route_->local, now + config_.timers.overlap};
  }
  route_.emplace(Route{.local = config_.local,
                       .remote = *remote_,
                       .pair = pathOf(pair),
                       .priority = pair.priority,
                       .generation = generation_,
                       .heardAt = now,
                       .consent = Consent(consent, *random_, config_.transactionPrefix, pair.answeredAt, now)});
  completed_ = true;
  nominating_.reset();
  nominateAt_.reset();
  patienceUntil_.reset();
  pairs_.setSelected(id);
  // RFC 8445 §8.1.2: other checks end, but for pairs that the peer has nominated as well.
  pairs_.stopOthers();
  checks_.eraseIf([this](const Check& check) {
    const Pair* other = pairs_.get(check.pair);
    return other == nullptr || other->state != PairState::InProgress;
  });
}

}  // namespace crosspoint::ice
