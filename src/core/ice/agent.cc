#include "core/ice/agent.h"

#include <deque>

#include <algorithm>

#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"

namespace crosspoint::ice {

class Agent::Impl {
 public:
  Impl(Config config, Random& random, TimePoint now);
  void setRemoteCredentials(TimePoint now, const IceCredentials& remote);
  // Names (mDNS), TCP and components other than 1 are ignored.
  void addRemoteCandidate(TimePoint now, const Candidate& candidate);
  // RFC 8445 §9: new credentials of ours; pairs are formed anew when the far end's new ones come.
  void restart(TimePoint now, const IceCredentials& local);

  // True if it was STUN for this agent, whatever came of it.
  bool handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes bytes);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();

  State state() const { return state_; }
  const std::optional<IceCredentials>& remoteCredentials() const { return remote_; }
  void becomeControlling() {
    if (config_.role == Role::Controlled) switchRole();
  }
  Role role() const { return config_.role; }
  bool gathered() const { return gathered_; }
  const IceCredentials& localCredentials() const { return config_.local; }
  const std::vector<Candidate>& localCandidates() const { return localCandidates_; }
  const std::optional<SelectedPair>& selected() const { return selected_; }
  std::optional<Duration> roundTripTime() const { return roundTrip_; }
  // Whether anything but STUN is believed from there. One comparison for the address used last.
  bool isValidated(SocketId socket, const SocketAddress& remote) const;
  const Counters& counters() const { return counters_; }

 private:
  enum class PairState : std::uint8_t { Waiting, InProgress, Succeeded, Failed };
  struct Pair {
    std::size_t socket = 0;  // index in config_.sockets
    Candidate remote;
    std::uint64_t priority = 0;
    PairState state = PairState::Waiting;
    bool triggered = false;     // to be checked before others
    bool useCandidate = false;  // the next check nominates
    bool nominated = false;     // the far end's USE-CANDIDATE was seen, or ours was answered
    stun::TransactionId transaction{};
    TimePoint sentAt{}, resendAt{};
    unsigned sends = 0;
    bool checkNominates = false;  // what the open transaction carried
  };
  struct Gather {  // one Binding request to one STUN server
    std::size_t socket = 0;
    SocketAddress server;
    stun::TransactionId transaction{};
    TimePoint resendAt{};
    unsigned sends = 0;
    bool done = false;
  };
  struct Consent {
    TimePoint lastAnswer{}, nextCheck{};
    std::array<stun::TransactionId, 8> sent{};
    std::array<TimePoint, 8> sentAt{};
    std::size_t next = 0;
  };

  void handleRequest(TimePoint now, std::size_t socket, const SocketAddress& remote, const stun::MessageView& message);
  void handleResponse(TimePoint now, std::size_t socket, const SocketAddress& remote, const stun::MessageView& message);
  bool handleGathered(const stun::MessageView& message);
  bool handleConsent(TimePoint now, const SocketAddress& remote, const stun::MessageView& message);
  bool resolveConflict(TimePoint now, std::size_t socket, const SocketAddress& remote,
                       const stun::MessageView& message);
  void respond(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request);
  void refuse(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request, stun::ErrorCode code,
              std::string_view reason);
  void switchRole();
  Pair* findPair(std::size_t socket, const SocketAddress& remote);
  Pair* makePair(std::size_t socket, const Candidate& remote);
  void pairUp(const Candidate& remote);
  void sendCheck(TimePoint now, Pair& pair);
  void sendGather(TimePoint now, Gather& gather);
  void runChecks(TimePoint now);
  void nominate(TimePoint now);
  void select(TimePoint now, const Pair& pair);
  void runConsent(TimePoint now);
  void validated(std::size_t socket, const SocketAddress& remote);
  void setState(State state);
  std::uint64_t pairPriority(std::uint32_t local, std::uint32_t remote) const;
  std::uint32_t hostPriority(std::size_t socket) const;
  stun::TransactionId newTransaction();
  stun::MessageBuffer makeCheck(const stun::TransactionId& id, std::uint32_t priority, bool useCandidate) const;
  std::optional<std::size_t> socketIndex(SocketId socket) const;
  void push(Output output);

  Config config_;
  Random& random_;
  State state_ = State::New;
  std::optional<IceCredentials> remote_;
  std::vector<Candidate> localCandidates_;
  std::vector<Candidate> remoteCandidates_;
  std::vector<Pair> pairs_;
  std::vector<Gather> gathers_;
  bool gathered_ = false;
  std::optional<SelectedPair> selected_;
  std::uint64_t selectedPriority_ = 0;
  bool settled_ = false;  // a pair of the present credentials is selected
  std::optional<TimePoint> firstValidAt_;
  TimePoint nextCheckAt_{}, checkingSince_{};
  Consent consent_;
  std::optional<Duration> roundTrip_;
  struct Address {
    SocketId socket;
    SocketAddress remote;
  };
  std::vector<Address> validated_;
  std::deque<Output> outputs_;
  Counters counters_;
};


namespace {

// What a far end can make us store. What comes beyond is dropped and counted.
constexpr std::size_t kRemoteCandidatesMax = 64;
constexpr std::size_t kPairsMax = 100;  // RFC 8445 §6.1.2.5
constexpr std::size_t kSocketsMax = 8;
constexpr std::size_t kServersMax = 4;
constexpr std::size_t kOutputsMax = 256;
constexpr unsigned kSendsMax = 7;
constexpr Duration kRetransmitAfter = std::chrono::milliseconds(200);  // doubled with each; browsers do the same
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

Agent::Impl::Impl(Config config, Random& random, TimePoint now) : config_(std::move(config)), random_(random) {
  if (config_.sockets.size() > kSocketsMax) config_.sockets.resize(kSocketsMax);
  if (config_.stunServers.size() > kServersMax) config_.stunServers.resize(kServersMax);
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

void Agent::Impl::push(Output output) {
  if (outputs_.size() >= kOutputsMax && std::holds_alternative<SendDatagram>(output)) {
    ++counters_.pairsRefused;
    return;
  }
  outputs_.push_back(std::move(output));
}

std::optional<Output> Agent::Impl::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output next = std::move(outputs_.front());
  outputs_.pop_front();
  return next;
}

void Agent::Impl::setState(State state) {
  if (state_ == state) return;
  state_ = state;
  push(StateChanged{state});
}

stun::TransactionId Agent::Impl::newTransaction() {
  stun::TransactionId id;
  random_.fill(id);
  storeBigEndian(id.data(), config_.transactionPrefix);
  return id;
}

std::uint32_t Agent::Impl::hostPriority(std::size_t socket) const { return priorityOf(CandidateType::Host, socket); }

std::uint64_t Agent::Impl::pairPriority(std::uint32_t local, std::uint32_t remote) const {  // RFC 8445 §6.1.2.3
  const std::uint64_t g = config_.role == Role::Controlling ? local : remote;
  const std::uint64_t d = config_.role == Role::Controlling ? remote : local;
  return (std::min(g, d) << 32) + 2 * std::max(g, d) + (g > d ? 1 : 0);
}

std::optional<std::size_t> Agent::Impl::socketIndex(SocketId socket) const {
  for (std::size_t i = 0; i < config_.sockets.size(); ++i) {
    if (config_.sockets[i].socket == socket) return i;
  }
  return std::nullopt;
}

// ---- parameters ----

void Agent::Impl::setRemoteCredentials(TimePoint now, const IceCredentials& remote) {
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

void Agent::Impl::addRemoteCandidate(TimePoint now, const Candidate& candidate) {
  if (candidate.transport != CandidateTransport::Udp || candidate.component != 1 || !candidate.hostName.empty() ||
      candidate.address.port == 0 || candidate.address.ip.isUnspecified()) {
    return;
  }
  for (const auto& known : remoteCandidates_) {
    if (known.address == candidate.address) return;
  }
  if (remoteCandidates_.size() >= kRemoteCandidatesMax) {
    ++counters_.pairsRefused;
    return;
  }
  remoteCandidates_.push_back(candidate);
  pairUp(candidate);
  nextCheckAt_ = std::max(nextCheckAt_, now);
}

void Agent::Impl::restart(TimePoint now, const IceCredentials& local) {
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

Agent::Impl::Pair* Agent::Impl::findPair(std::size_t socket, const SocketAddress& remote) {
  for (auto& pair : pairs_) {
    if (pair.socket == socket && pair.remote.address == remote) return &pair;
  }
  return nullptr;
}

Agent::Impl::Pair* Agent::Impl::makePair(std::size_t socket, const Candidate& remote) {
  if (pairs_.size() >= kPairsMax) {
    ++counters_.pairsRefused;
    return nullptr;
  }
  pairs_.push_back(
      {.socket = socket, .remote = remote, .priority = pairPriority(hostPriority(socket), remote.priority)});
  return &pairs_.back();
}

void Agent::Impl::pairUp(const Candidate& remote) {
  for (std::size_t i = 0; i < config_.sockets.size(); ++i) {
    if (config_.sockets[i].address.ip.isV4() != remote.address.ip.isV4()) continue;
    if (findPair(i, remote.address) == nullptr) makePair(i, remote);
  }
}

stun::MessageBuffer Agent::Impl::makeCheck(const stun::TransactionId& id, std::uint32_t priority, bool useCandidate) const {
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

void Agent::Impl::sendCheck(TimePoint now, Pair& pair) {
  if (pair.state != PairState::InProgress) {
    pair.state = PairState::InProgress;
    pair.transaction = newTransaction();
    pair.sends = 0;
    pair.checkNominates = pair.useCandidate;
  }
  pair.triggered = false;
  pair.sentAt = now;
  pair.resendAt = now + kRetransmitAfter * (1 << std::min(pair.sends, 4u));
  ++pair.sends;
    push(SendDatagram{
      config_.sockets[pair.socket].socket, pair.remote.address,
      makeCheck(pair.transaction, priorityOf(CandidateType::PeerReflexive, pair.socket), pair.checkNominates)});
}

void Agent::Impl::sendGather(TimePoint now, Gather& gather) {
  if (gather.sends == kSendsMax) {
    gather.done = true;
    return;
  }
  SendDatagram send{config_.sockets[gather.socket].socket, gather.server, {}};
  stun::MessageWriter writer(send.message.data, stun::Class::Request, stun::Method::Binding, gather.transaction);
  writer.addFingerprint();
  send.message.size = static_cast<std::uint16_t>(writer.finish().size());
  gather.resendAt = now + kRetransmitAfter * (1 << std::min(gather.sends, 4u));
  ++gather.sends;
  push(std::move(send));
}

// ---- datagrams ----

bool Agent::Impl::handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes bytes) {
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

void Agent::Impl::refuse(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request,
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

void Agent::Impl::respond(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request) {
  SendDatagram send{config_.sockets[socket].socket, remote, {}};
  stun::MessageWriter writer(send.message.data, stun::Class::Success, stun::Method::Binding, request.transactionId());
  writer.addXorMappedAddress(remote);
  writer.addMessageIntegrity(asBytes(config_.local.password));
  writer.addFingerprint();
  send.message.size = static_cast<std::uint16_t>(writer.finish().size());
  push(std::move(send));
}

void Agent::Impl::switchRole() {
  config_.role = config_.role == Role::Controlling ? Role::Controlled : Role::Controlling;
  for (auto& pair : pairs_) {
    pair.priority = pairPriority(hostPriority(pair.socket), pair.remote.priority);
    pair.useCandidate = false;
  }
}

// RFC 8445 §7.3.1.1. True: the request was refused with 487.
bool Agent::Impl::resolveConflict(TimePoint, std::size_t socket, const SocketAddress& remote,
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

void Agent::Impl::handleRequest(TimePoint now, std::size_t socket, const SocketAddress& remote,
                          const stun::MessageView& message) {
    const auto username = message.username();
  if (!username || !message.hasIntegrity() || !username->starts_with(config_.local.ufrag + ":") ||
      !message.verifyIntegrity(asBytes(config_.local.password))) {
    ++counters_.wrongIntegrity;
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

void Agent::Impl::handleResponse(TimePoint now, std::size_t socket, const SocketAddress& remote,
                           const stun::MessageView& message) {
    if (handleGathered(message) || !remote_) return;
  if (!message.verifyIntegrity(asBytes(remote_->password))) {
    ++counters_.wrongIntegrity;
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

bool Agent::Impl::handleGathered(const stun::MessageView& message) {
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

void Agent::Impl::validated(std::size_t socket, const SocketAddress& remote) {
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

bool Agent::Impl::isValidated(SocketId socket, const SocketAddress& remote) const {
  return std::ranges::any_of(validated_, [&](const Address& a) { return a.socket == socket && a.remote == remote; });
}

// ---- nomination, selection ----

// RFC 8445 §8.1.1, regular nomination: the best valid pair, when no better one can still come or its time is up.
void Agent::Impl::nominate(TimePoint now) {
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
  if (better && now < *firstValidAt_ + config_.timers.nominationDelay) return;
  best->useCandidate = true;
  best->state = PairState::Waiting;
  sendCheck(now, *best);
}

void Agent::Impl::select(TimePoint now, const Pair& pair) {
  const SelectedPair next{config_.sockets[pair.socket].socket, pair.remote.address};
  const bool changed = !selected_ || selected_->socket != next.socket || selected_->remote != next.remote;
  settled_ = true;
  selected_ = next;
  selectedPriority_ = pair.priority;
  consent_.lastAnswer = now;
  if (changed || state_ != State::Connected) {
    consent_.nextCheck = now + config_.timers.consentInterval;
  }
  if (changed) push(SelectedPairChanged{next});
  setState(State::Connected);
}

// ---- consent (RFC 7675) ----

bool Agent::Impl::handleConsent(TimePoint now, const SocketAddress& remote, const stun::MessageView& message) {
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

void Agent::Impl::runConsent(TimePoint now) {
  if (!selected_ || !remote_ || (state_ != State::Connected && state_ != State::Disconnected)) return;
  if (now >= consent_.lastAnswer + config_.timers.consentLifetime) {
    setState(State::Failed);
    return;
  }
  if (now >= consent_.lastAnswer + config_.timers.disconnectedAfter) setState(State::Disconnected);
  if (now < consent_.nextCheck || !settled_) return;
  const auto id = newTransaction();
  consent_.sent[consent_.next] = id;
  consent_.sentAt[consent_.next] = now;
  consent_.next = (consent_.next + 1) % consent_.sent.size();
  // RFC 7675 §5.1: evenly between 0.8 and 1.2 of the interval.
  consent_.nextCheck = now + config_.timers.consentInterval * 8 / 10 +
                       Duration(static_cast<std::int64_t>(
                           random_.below(static_cast<std::uint64_t>(config_.timers.consentInterval.count()) * 4 / 10)));
  const auto socket = socketIndex(selected_->socket);
  push(SendDatagram{selected_->socket, selected_->remote, makeCheck(id, hostPriority(*socket), false)});
}

// ---- time ----

void Agent::Impl::runChecks(TimePoint now) {
  if (!remote_) return;
  for (auto& pair : pairs_) {
    if (pair.state != PairState::InProgress || pair.resendAt > now) continue;
    if (pair.sends >= kSendsMax) {
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
  nextCheckAt_ = now + config_.timers.pacing;
  sendCheck(now, *next);
}

void Agent::Impl::handleTimeout(TimePoint now) {
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
  if (state_ == State::Checking && !selected_ && now >= checkingSince_ + config_.timers.patience) setState(State::Failed);
}

std::optional<TimePoint> Agent::Impl::nextTimeout() const {
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
      const TimePoint due = *firstValidAt_ + config_.timers.nominationDelay;
      const bool waits = std::ranges::none_of(pairs_, &Pair::useCandidate) &&
                         std::ranges::any_of(pairs_, [](const Pair& p) { return p.state == PairState::Succeeded; });
      if (waits) next = earlier(next, due);
    }
  }
  if (selected_ && remote_ && (state_ == State::Connected || state_ == State::Disconnected)) {
    if (settled_) next = earlier(next, consent_.nextCheck);
    next = earlier(next, consent_.lastAnswer + config_.timers.consentLifetime);
    if (state_ == State::Connected) next = earlier(next, consent_.lastAnswer + config_.timers.disconnectedAfter);
  }
  if (state_ == State::Checking && !selected_) next = earlier(next, checkingSince_ + config_.timers.patience);
  return next;
}

Agent::Agent(Config config, Random& random, TimePoint now) : impl_(std::make_unique<Impl>(std::move(config), random, now)) {}
Agent::~Agent() = default;
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;
void Agent::setRemoteCredentials(TimePoint now, IceCredentials remote) { impl_->setRemoteCredentials(now, remote); }
void Agent::setRemoteLite(TimePoint) { impl_->becomeControlling(); }
void Agent::addRemoteCandidate(TimePoint now, const Candidate& candidate) { impl_->addRemoteCandidate(now, candidate); }
void Agent::endOfRemoteCandidates(TimePoint) {}
void Agent::restart(TimePoint now, IceCredentials local) { impl_->restart(now, local); }
bool Agent::handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes datagram) {
  return impl_->handleDatagram(now, socket, remote, datagram);
}
void Agent::handleTimeout(TimePoint now) { impl_->handleTimeout(now); }
std::optional<Output> Agent::pollOutput() { return impl_->pollOutput(); }
std::optional<TimePoint> Agent::nextTimeout() const { return impl_->nextTimeout(); }
State Agent::state() const { return impl_->state(); }
Role Agent::role() const { return impl_->role(); }
std::optional<SelectedPair> Agent::selectedPair() const {
  return impl_->state() == State::Failed ? std::nullopt : impl_->selected();
}
std::span<const Candidate> Agent::localCandidates() const { return impl_->localCandidates(); }
bool Agent::gatheringDone() const { return impl_->gathered(); }
const IceCredentials& Agent::localCredentials() const { return impl_->localCredentials(); }
const std::optional<IceCredentials>& Agent::remoteCredentials() const { return impl_->remoteCredentials(); }
const Counters& Agent::counters() const { return impl_->counters(); }

}  // namespace crosspoint::ice
