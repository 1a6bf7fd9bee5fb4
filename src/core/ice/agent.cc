#include "core/ice/agent.h"

#include <algorithm>

#include "core/stun/message_writer.h"

namespace crosspoint::ice {
namespace {

constexpr std::size_t kValidatedMax = 16;  // addresses; the oldest makes room

std::uint32_t typePreference(CandidateType type) {  // RFC 8445 §5.1.2.2
  switch (type) {
    case CandidateType::Host:
      return 126;
    case CandidateType::PeerReflexive:
      return 110;
    case CandidateType::ServerReflexive:
      return 100;
    case CandidateType::Relayed:
      return 0;
  }
  return 0;
}

std::uint32_t priorityOf(CandidateType type, std::size_t socket) {  // RFC 8445 §5.1.2.1, component 1
  return typePreference(type) << 24 | static_cast<std::uint32_t>(65535 - socket) << 8 | 255;
}

}  // namespace

Agent::Agent(const Config& config, Random& random, TimePoint now) : config_(config), random_(random) {
  if (config_.sockets.size() > kSocketsMax) config_.sockets.resize(kSocketsMax);
  if (config_.stunServers.size() > kStunServersMax) config_.stunServers.resize(kStunServersMax);
  if (config_.tieBreaker == 0) config_.tieBreaker = random_.next<std::uint64_t>();
  for (std::size_t i = 0; i < config_.sockets.size(); ++i) {
    Candidate candidate{.foundation = std::to_string(i + 1),
                        .priority = hostPriority(i),
                        .address = config_.sockets[i].address,
                        .type = CandidateType::Host};
    localCandidates_.push_back(candidate);
    push(CandidateFound{candidate});
    for (const auto& server : config_.stunServers) {
      if (server.ip.isV4() == config_.sockets[i].address.ip.isV4()) gathers_.push_back({.socket = i, .server = server});
    }
  }
  for (auto& gather : gathers_) {
    gather.transaction = newTransaction();
    sendGather(now, gather);
  }
  gathered_ = gathers_.empty();
  if (gathered_) push(GatheringDone{});
}

void Agent::push(Output output) {
  if (outputs_.size() >= kOutputsMax && std::holds_alternative<SendDatagram>(output)) {
    ++counters_.limitsReached;
    return;
  }
  outputs_.push_back(std::move(output));
}

std::optional<Output> Agent::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output next = std::move(outputs_.front());
  outputs_.pop_front();
  return next;
}

void Agent::setState(State state) {
  if (state_ == state) return;
  state_ = state;
  push(StateChanged{state});
}

stun::TransactionId Agent::newTransaction() {
  stun::TransactionId id;
  random_.fill(id);
  return id;
}

std::uint32_t Agent::hostPriority(std::size_t socket) const { return priorityOf(CandidateType::Host, socket); }

std::uint64_t Agent::pairPriority(std::uint32_t local, std::uint32_t remote) const {  // RFC 8445 §6.1.2.3
  const std::uint64_t g = config_.role == Role::Controlling ? local : remote;
  const std::uint64_t d = config_.role == Role::Controlling ? remote : local;
  return (std::min(g, d) << 32) + 2 * std::max(g, d) + (g > d ? 1 : 0);
}

std::optional<std::size_t> Agent::socketIndex(SocketId socket) const {
  for (std::size_t i = 0; i < config_.sockets.size(); ++i) {
    if (config_.sockets[i].socket == socket) return i;
  }
  return std::nullopt;
}

// ---- parameters ----

void Agent::setRemoteCredentials(TimePoint now, const IceCredentials& remote) {
  if (remote_ == remote) return;
  const bool restarted = remote_.has_value();
  remote_ = remote;
  if (restarted) {
    pairs_.clear();
    remoteCandidates_.clear();
  }
  settled_ = false;
  firstValidAt_.reset();
  checkingSince_ = nextCheckAt_ = now;
  if (!selected_ || state_ == State::Failed) setState(State::Checking);
}

void Agent::addRemoteCandidate(TimePoint now, const Candidate& candidate) {
  if (candidate.transport != CandidateTransport::Udp || candidate.component != 1 || !candidate.hostName.empty() ||
      candidate.address.port == 0 || candidate.address.ip.isUnspecified()) {
    return;
  }
  for (const auto& known : remoteCandidates_) {
    if (known.address == candidate.address) return;
  }
  if (remoteCandidates_.size() >= kRemoteCandidatesMax) {
    ++counters_.limitsReached;
    return;
  }
  remoteCandidates_.push_back(candidate);
  pairUp(candidate);
  nextCheckAt_ = std::max(nextCheckAt_, now);
}

void Agent::restart(TimePoint now, const IceCredentials& local) {
  config_.local = local;
  pairs_.clear();
  remoteCandidates_.clear();
  remote_.reset();
  settled_ = false;
  firstValidAt_.reset();
  checkingSince_ = now;
  if (state_ == State::Failed || !selected_) setState(State::Checking);
}

// ---- pairs ----

Agent::Pair* Agent::findPair(std::size_t socket, const SocketAddress& remote) {
  for (auto& pair : pairs_) {
    if (pair.socket == socket && pair.remote.address == remote) return &pair;
  }
  return nullptr;
}

Agent::Pair* Agent::makePair(std::size_t socket, const Candidate& remote) {
  if (pairs_.size() >= kPairsMax) {
    ++counters_.limitsReached;
    return nullptr;
  }
  pairs_.push_back(
      {.socket = socket, .remote = remote, .priority = pairPriority(hostPriority(socket), remote.priority)});
  return &pairs_.back();
}

void Agent::pairUp(const Candidate& remote) {
  for (std::size_t i = 0; i < config_.sockets.size(); ++i) {
    if (config_.sockets[i].address.ip.isV4() != remote.address.ip.isV4()) continue;
    if (findPair(i, remote.address) == nullptr) makePair(i, remote);
  }
}

stun::MessageBuffer Agent::makeCheck(const stun::TransactionId& id, std::uint32_t priority, bool useCandidate) const {
  stun::MessageBuffer buffer;
  stun::MessageWriter writer(buffer.data, stun::Class::Request, stun::Method::Binding, id);
  writer.addUsername(remote_->ufrag, config_.local.ufrag);
  writer.addNumber(stun::AttributeType::Priority, priority);
  writer.addNumber(
      config_.role == Role::Controlling ? stun::AttributeType::IceControlling : stun::AttributeType::IceControlled,
      config_.tieBreaker);
  if (useCandidate) writer.addFlag(stun::AttributeType::UseCandidate);
  writer.addMessageIntegrity(asBytes(remote_->password));
  writer.addFingerprint();
  buffer.size = static_cast<std::uint16_t>(writer.finish().size());
  return buffer;
}

void Agent::sendCheck(TimePoint now, Pair& pair) {
  if (pair.state != PairState::InProgress) {
    pair.state = PairState::InProgress;
    pair.transaction = newTransaction();
    pair.sends = 0;
    pair.checkNominates = pair.useCandidate;
  }
  pair.triggered = false;
  pair.sentAt = now;
  pair.resendAt = now + config_.retransmitAfter * (1 << std::min(pair.sends, 4u));
  ++pair.sends;
  ++counters_.checksSent;
  push(SendDatagram{
      config_.sockets[pair.socket].socket, pair.remote.address,
      makeCheck(pair.transaction, priorityOf(CandidateType::PeerReflexive, pair.socket), pair.checkNominates)});
}

void Agent::sendGather(TimePoint now, Gather& gather) {
  if (gather.sends == config_.sendsMax) {
    gather.done = true;
    return;
  }
  SendDatagram send{config_.sockets[gather.socket].socket, gather.server, {}};
  stun::MessageWriter writer(send.message.data, stun::Class::Request, stun::Method::Binding, gather.transaction);
  writer.addFingerprint();
  send.message.size = static_cast<std::uint16_t>(writer.finish().size());
  gather.resendAt = now + config_.retransmitAfter * (1 << std::min(gather.sends, 4u));
  ++gather.sends;
  push(std::move(send));
}

// ---- datagrams ----

bool Agent::handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes bytes) {
  const auto message = stun::MessageView::parse(bytes);
  const auto index = socketIndex(socket);
  if (!message || !index || message->method() != stun::Method::Binding) {
    ++counters_.malformed;
    return false;
  }
  if (message->messageClass() == stun::Class::Request) {
    handleRequest(now, *index, remote, *message);
  } else if (message->messageClass() != stun::Class::Indication) {
    handleResponse(now, *index, remote, *message);
  }
  return true;
}

void Agent::refuse(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request,
                   stun::ErrorCode code, std::string_view reason) {
  SendDatagram send{config_.sockets[socket].socket, remote, {}};
  stun::MessageWriter writer(send.message.data, stun::Class::Error, stun::Method::Binding, request.transactionId());
  writer.addError(code, reason);
  if (code == stun::ErrorCode::UnknownAttribute) writer.addUnknownAttributes(request.unknownRequired());
  if (code != stun::ErrorCode::Unauthenticated) writer.addMessageIntegrity(asBytes(config_.local.password));
  writer.addFingerprint();
  send.message.size = static_cast<std::uint16_t>(writer.finish().size());
  push(std::move(send));
}

void Agent::respond(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request) {
  SendDatagram send{config_.sockets[socket].socket, remote, {}};
  stun::MessageWriter writer(send.message.data, stun::Class::Success, stun::Method::Binding, request.transactionId());
  writer.addXorMappedAddress(remote);
  writer.addMessageIntegrity(asBytes(config_.local.password));
  writer.addFingerprint();
  send.message.size = static_cast<std::uint16_t>(writer.finish().size());
  push(std::move(send));
}

void Agent::switchRole() {
  config_.role = config_.role == Role::Controlling ? Role::Controlled : Role::Controlling;
  for (auto& pair : pairs_) {
    pair.priority = pairPriority(hostPriority(pair.socket), pair.remote.priority);
    pair.useCandidate = false;
  }
}

// RFC 8445 §7.3.1.1. True: the request was refused with 487.
bool Agent::resolveConflict(TimePoint, std::size_t socket, const SocketAddress& remote,
                            const stun::MessageView& message) {
  const bool controlling = config_.role == Role::Controlling;
  const auto theirs = controlling ? message.iceControlling() : message.iceControlled();
  if (!theirs) return false;
  ++counters_.roleConflicts;
  const bool weWin = config_.tieBreaker >= *theirs;
  if (weWin == controlling) {
    refuse(socket, remote, message, stun::ErrorCode::RoleConflict, "Role Conflict");
    return true;
  }
  switchRole();
  return false;
}

void Agent::handleRequest(TimePoint now, std::size_t socket, const SocketAddress& remote,
                          const stun::MessageView& message) {
  ++counters_.requestsReceived;
  const auto username = message.username();
  if (!username || !message.hasIntegrity() || !username->starts_with(config_.local.ufrag + ":") ||
      !message.verifyIntegrity(asBytes(config_.local.password))) {
    ++counters_.notAuthentic;
    refuse(socket, remote, message,
           username && message.hasIntegrity() ? stun::ErrorCode::Unauthenticated : stun::ErrorCode::BadRequest,
           "Unauthenticated");
    return;
  }
  if (!message.unknownRequired().empty()) {
    refuse(socket, remote, message, stun::ErrorCode::UnknownAttribute, "Unknown Attribute");
    return;
  }
  if (resolveConflict(now, socket, remote, message)) return;
  respond(socket, remote, message);
  validated(socket, remote);
  if (!remote_ || !username->ends_with(":" + remote_->ufrag)) return;

  Pair* pair = findPair(socket, remote);
  if (pair == nullptr) {  // RFC 8445 §7.3.1.3: a peer-reflexive candidate
    pair = makePair(socket, {.foundation = "prflx",
                             .priority = message.priority().value_or(priorityOf(CandidateType::PeerReflexive, 0)),
                             .address = remote,
                             .type = CandidateType::PeerReflexive});
    if (pair == nullptr) return;
  }
  const bool nominates = message.useCandidate() && config_.role == Role::Controlled;
  if (nominates) pair->nominated = true;
  if (pair->state == PairState::Succeeded) {
    if (nominates && (!settled_ || pair->priority >= selectedPriority_)) select(now, *pair);
  } else if (pair->state != PairState::InProgress) {  // RFC 8445 §7.3.1.4: a triggered check
    pair->state = PairState::Waiting;
    pair->triggered = true;
    nextCheckAt_ = std::min(nextCheckAt_, now);
    runChecks(now);
  }
}

void Agent::handleResponse(TimePoint now, std::size_t socket, const SocketAddress& remote,
                           const stun::MessageView& message) {
  ++counters_.responsesReceived;
  if (handleGathered(message) || !remote_) return;
  if (!message.verifyIntegrity(asBytes(remote_->password))) {
    ++counters_.notAuthentic;
    return;
  }
  if (handleConsent(now, remote, message)) return;
  const auto id = message.transactionId();
  const auto pair = std::ranges::find_if(
      pairs_, [&](const Pair& p) { return p.state == PairState::InProgress && p.transaction == id; });
  if (pair == pairs_.end()) return;
  if (message.messageClass() == stun::Class::Error) {
    if (message.errorCode() == static_cast<std::uint16_t>(stun::ErrorCode::RoleConflict)) {  // RFC 8445 §7.2.5.1
      ++counters_.roleConflicts;
      switchRole();
      pair->state = PairState::Waiting;
      pair->triggered = true;
      nextCheckAt_ = now;
    } else {
      pair->state = PairState::Failed;
    }
    return;
  }
  if (pair->socket != socket || pair->remote.address != remote) {  // RFC 8445 §7.2.5.2.1
    pair->state = PairState::Failed;
    return;
  }
  pair->state = PairState::Succeeded;
  roundTrip_ = now - pair->sentAt;
  validated(socket, remote);
  if (!firstValidAt_) firstValidAt_ = now;
  if (config_.role == Role::Controlling ? pair->checkNominates : pair->nominated) {
    pair->nominated = true;
    select(now, *pair);
  }
  nominate(now);
}

bool Agent::handleGathered(const stun::MessageView& message) {
  const auto id = message.transactionId();
  const auto gather = std::ranges::find_if(gathers_, [&](const Gather& g) { return !g.done && g.transaction == id; });
  if (gather == gathers_.end()) return false;
  gather->done = true;
  const auto mapped = message.xorMappedAddress();
  const SocketAddress base = config_.sockets[gather->socket].address;
  const bool fresh =
      mapped && std::ranges::none_of(localCandidates_, [&](const Candidate& c) { return c.address == *mapped; });
  if (message.messageClass() == stun::Class::Success && fresh) {  // RFC 8445 §5.1.3: redundant ones are left out
    Candidate candidate{.foundation = "s" + std::to_string(gather->socket + 1),
                        .priority = priorityOf(CandidateType::ServerReflexive, gather->socket),
                        .address = *mapped,
                        .type = CandidateType::ServerReflexive,
                        .related = base};
    localCandidates_.push_back(candidate);
    push(CandidateFound{candidate});
  }
  if (!gathered_ && std::ranges::all_of(gathers_, &Gather::done)) {
    gathered_ = true;
    push(GatheringDone{});
  }
  return true;
}

void Agent::validated(std::size_t socket, const SocketAddress& remote) {
  const SocketId id = config_.sockets[socket].socket;
  if (isValidated(id, remote)) return;
  if (validated_.size() == kValidatedMax) {
    const auto unused =
        std::ranges::find_if(validated_, [&](const Address& a) { return !selected_ || a.remote != selected_->remote; });
    validated_.erase(unused);
  }
  validated_.push_back({id, remote});
  push(PairValidated{id, remote});
}

bool Agent::isValidated(SocketId socket, const SocketAddress& remote) const {
  return std::ranges::any_of(validated_, [&](const Address& a) { return a.socket == socket && a.remote == remote; });
}

// ---- nomination, selection ----

// RFC 8445 §8.1.1, regular nomination: the best valid pair, when no better one can still come or its time is up.
void Agent::nominate(TimePoint now) {
  if (config_.role != Role::Controlling || settled_ || !firstValidAt_) return;
  Pair* best = nullptr;
  bool better = false;
  for (auto& pair : pairs_) {
    if (pair.useCandidate) return;  // on its way
    if (pair.state == PairState::Succeeded && (best == nullptr || pair.priority > best->priority)) best = &pair;
  }
  if (best == nullptr) return;
  for (const auto& pair : pairs_) {
    better |=
        pair.priority > best->priority && (pair.state == PairState::Waiting || pair.state == PairState::InProgress);
  }
  if (better && now < *firstValidAt_ + config_.nominateAfter) return;
  best->useCandidate = true;
  best->state = PairState::Waiting;
  sendCheck(now, *best);
}

void Agent::select(TimePoint now, const Pair& pair) {
  const Selected next{config_.sockets[pair.socket].socket, pair.remote.address};
  const bool changed = !selected_ || selected_->socket != next.socket || selected_->remote != next.remote;
  settled_ = true;
  selected_ = next;
  selectedPriority_ = pair.priority;
  consent_.lastAnswer = now;
  if (changed || state_ != State::Connected) {
    consent_.nextCheck = now + config_.consentInterval;
  }
  if (changed) push(SelectedPairChanged{next.socket, next.remote});
  setState(State::Connected);
}

// ---- consent (RFC 7675) ----

bool Agent::handleConsent(TimePoint now, const SocketAddress& remote, const stun::MessageView& message) {
  const auto id = message.transactionId();
  for (std::size_t i = 0; i < consent_.sent.size(); ++i) {
    if (consent_.sent[i] != id || consent_.sentAt[i] == TimePoint{}) continue;
    if (message.messageClass() != stun::Class::Success || !selected_ || remote != selected_->remote) return true;
    roundTrip_ = now - consent_.sentAt[i];
    consent_.sentAt[i] = {};
    consent_.lastAnswer = now;
    if (state_ == State::Disconnected) setState(State::Connected);
    return true;
  }
  return false;
}

void Agent::runConsent(TimePoint now) {
  if (!selected_ || !remote_ || (state_ != State::Connected && state_ != State::Disconnected)) return;
  if (now >= consent_.lastAnswer + config_.consentLifetime) {
    setState(State::Failed);
    return;
  }
  if (now >= consent_.lastAnswer + config_.disconnectedAfter) setState(State::Disconnected);
  if (now < consent_.nextCheck || !settled_) return;
  const auto id = newTransaction();
  consent_.sent[consent_.next] = id;
  consent_.sentAt[consent_.next] = now;
  consent_.next = (consent_.next + 1) % consent_.sent.size();
  // RFC 7675 §5.1: evenly between 0.8 and 1.2 of the interval.
  consent_.nextCheck = now + config_.consentInterval * 8 / 10 +
                       Duration(static_cast<std::int64_t>(
                           random_.below(static_cast<std::uint64_t>(config_.consentInterval.count()) * 4 / 10)));
  const auto socket = socketIndex(selected_->socket);
  push(SendDatagram{selected_->socket, selected_->remote, makeCheck(id, hostPriority(*socket), false)});
}

// ---- time ----

void Agent::runChecks(TimePoint now) {
  if (!remote_) return;
  for (auto& pair : pairs_) {
    if (pair.state != PairState::InProgress || pair.resendAt > now) continue;
    if (pair.sends >= config_.sendsMax) {
      pair.state = PairState::Failed;
      pair.useCandidate = false;
    } else {
      sendCheck(now, pair);
    }
  }
  if (nextCheckAt_ > now) return;
  Pair* next = nullptr;
  for (auto& pair : pairs_) {
    if (pair.state != PairState::Waiting) continue;
    if (settled_ && !pair.triggered) continue;  // RFC 8445 §8.1.2: no new ordinary checks once a pair is selected
    if (next == nullptr || pair.triggered > next->triggered ||
        (pair.triggered == next->triggered && pair.priority > next->priority)) {
      next = &pair;
    }
  }
  if (next == nullptr) return;
  nextCheckAt_ = now + config_.pacing;
  sendCheck(now, *next);
}

void Agent::handleTimeout(TimePoint now) {
  for (auto& gather : gathers_) {
    if (!gather.done && gather.resendAt <= now) sendGather(now, gather);
  }
  if (!gathered_ && std::ranges::all_of(gathers_, &Gather::done)) {
    gathered_ = true;
    push(GatheringDone{});
  }
  runChecks(now);
  nominate(now);
  runConsent(now);
  if (state_ == State::Checking && !selected_ && now >= checkingSince_ + config_.checkingMax) setState(State::Failed);
}

std::optional<TimePoint> Agent::nextTimeout() const {
  std::optional<TimePoint> next;
  for (const auto& gather : gathers_) {
    if (!gather.done) next = earlier(next, gather.resendAt);
  }
  if (remote_) {
    for (const auto& pair : pairs_) {
      if (pair.state == PairState::InProgress) next = earlier(next, pair.resendAt);
      if (pair.state == PairState::Waiting && (!settled_ || pair.triggered)) next = earlier(next, nextCheckAt_);
    }
    if (config_.role == Role::Controlling && !settled_ && firstValidAt_) {
      const TimePoint due = *firstValidAt_ + config_.nominateAfter;
      const bool waits = std::ranges::none_of(pairs_, &Pair::useCandidate) &&
                         std::ranges::any_of(pairs_, [](const Pair& p) { return p.state == PairState::Succeeded; });
      if (waits) next = earlier(next, due);
    }
  }
  if (selected_ && remote_ && (state_ == State::Connected || state_ == State::Disconnected)) {
    if (settled_) next = earlier(next, consent_.nextCheck);
    next = earlier(next, consent_.lastAnswer + config_.consentLifetime);
    if (state_ == State::Connected) next = earlier(next, consent_.lastAnswer + config_.disconnectedAfter);
  }
  if (state_ == State::Checking && !selected_) next = earlier(next, checkingSince_ + config_.checkingMax);
  return next;
}

}  // namespace crosspoint::ice
