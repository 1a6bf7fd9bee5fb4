#include "peer/peer.h"

#include <algorithm>
#include <deque>

#include "core/ice/agent.h"
#include "core/rtp/classify.h"
#include "core/stun/demultiplex.h"
#include "peer/demultiplexer.h"
#include "peer/security.h"

namespace crosspoint::peer {
namespace {

// Control datagrams and events that the owner has not taken yet; further datagrams are dropped, as the network might.
constexpr std::size_t kOutputsMax = 256;

// Addresses of the far end from which media and handshakes are taken, the oldest makes room.
constexpr std::size_t kValidatedMax = 16;

using Path = ice::SelectedPair;

ice::Agent::Config agentConfig(const Config& config, Random& random) {
  ice::Agent::Config result;
  result.role = config.iceRole == Role::Controlling ? ice::Role::Controlling : ice::Role::Controlled;
  result.local = config.local;
  result.tieBreaker = random.next<std::uint64_t>();
  result.transactionPrefix = transactionPrefix(config.local.ufrag);
  for (const auto& socket : config.sockets) result.sockets.push_back({socket.id, socket.address});
  result.stunServers = config.stunServers;
  return result;
}

}  // namespace

class Peer::Impl {
 public:
  Impl(const Config& config, Random& random, TimePoint now)
      : agent_(agentConfig(config, random), random, now), security_(config.context, config.dtls) {
    settle(now);
  }

  void setRemote(TimePoint now, const RemoteParameters& remote) {
    if (closed_) return;
    if (remote.iceLite) agent_.setRemoteLite(now);
    const bool renewed = remoteIce_ && *remoteIce_ != remote.ice && remoteFingerprints_ != remote.fingerprints;
    if (renewed) formerPaths_ = validated_;
    remoteIce_ = remote.ice;
    remoteFingerprints_ = remote.fingerprints;
    agent_.setRemoteCredentials(now, remote.ice);
    security_.setRemote(now, remote.fingerprints, remote.setup);
    settle(now);
  }
  void addRemoteCandidate(TimePoint now, const Candidate& candidate) {
    if (closed_) return;
    agent_.addRemoteCandidate(now, candidate);
    settle(now);
  }
  void endOfRemoteCandidates(TimePoint now) {
    if (closed_) return;
    agent_.endOfRemoteCandidates(now);
    settle(now);
  }
  void localDescriptionSent(TimePoint now) {
    if (closed_) return;
    agent_.localDescriptionSent(now);
    settle(now);
  }
  void restartIce(TimePoint now, const IceCredentials& local) {
    if (closed_) return;
    agent_.restart(now, local);
    ++counters_.iceRestarts;
    settle(now);
  }
  void setSdesKeys(TimePoint now, const SrtpKey& local, const SrtpKey& remote) {
    if (closed_) return;
    security_.setSdesKeys(local, remote);
    settle(now);
  }
  void close(TimePoint now) {
    if (closed_) return;
    security_.close(now);
    settle(now);
    closed_ = true;
    enter(State::Closed, Reason::ClosedByUs);
  }

  Received handleDatagram(TimePoint now, Datagram& datagram) {
    if (closed_) return Received::Dropped;
    switch (rtp::classify(datagram.bytes())) {
      case rtp::PacketClass::Rtp:
        return unprotect(now, datagram, false);
      case rtp::PacketClass::Rtcp:
        return unprotect(now, datagram, true);
      case rtp::PacketClass::Stun:
        return handleStun(now, datagram);
      case rtp::PacketClass::Dtls:
        return handleDtls(now, datagram);
      case rtp::PacketClass::Unknown:
        break;
    }
    ++counters_.droppedUnknownKind;
    return Received::Dropped;
  }

  bool protectRtp(Datagram& datagram) {
    if (!protect(datagram, false)) return false;
    ++counters_.rtpSent;
    counters_.rtpBytesSent += datagram.size;
    return true;
  }
  bool protectRtcp(Datagram& datagram) {
    if (!protect(datagram, true)) return false;
    ++counters_.rtcpSent;
    return true;
  }

  void handleTimeout(TimePoint now) {
    if (closed_) return;
    agent_.handleTimeout(now);
    security_.handleTimeout(now);
    settle(now);
  }
  std::optional<TimePoint> nextTimeout() const {
    if (closed_) return std::nullopt;
    return earlier(agent_.nextTimeout(), security_.nextTimeout());
  }
  std::optional<Output> pollOutput() {
    if (outputs_.empty()) return std::nullopt;
    auto output = std::move(outputs_.front());
    outputs_.pop_front();
    return output;
  }

  State state() const { return state_; }
  Reason reason() const { return reason_; }
  const ice::Agent& agent() const { return agent_; }
  const Security& security() const { return security_; }
  bool canSend() const { return !closed_ && pathUsable() && security_.keyed(); }
  Counters counters() const {
    auto result = counters_;
    result.dtlsHandshakes = security_.handshakes();
    return result;
  }

 private:
  // ---- the packet path ----

  Received unprotect(TimePoint now, Datagram& datagram, bool rtcp) {
    if (!validated(datagram.socket, datagram.remote)) {
      ++counters_.droppedNotValidated;
      return Received::Dropped;
    }
    auto* context = security_.receiving();
    if (!context) {
      ++counters_.droppedWithoutKeys;
      return Received::Dropped;
    }
    const auto size = rtcp ? context->unprotectRtcp(datagram.bytes()) : context->unprotect(datagram.bytes());
    if (!size) return drop(size.error());
    agent_.handleMedia(now, {datagram.socket, datagram.remote});
    if (rtcp) {
      ++counters_.rtcpReceived;
    } else {
      ++counters_.rtpReceived;
      counters_.rtpBytesReceived += datagram.size;
    }
    datagram.size = static_cast<std::uint32_t>(*size);
    return rtcp ? Received::Rtcp : Received::Rtp;
  }

  Received drop(srtp::Error error) {
    if (error == srtp::Error::Authentication) {
      ++counters_.droppedNotAuthentic;
    } else if (error == srtp::Error::Replayed) {
      ++counters_.droppedReplayed;
    } else {
      ++counters_.droppedMalformed;
    }
    return Received::Dropped;
  }

  bool protect(Datagram& datagram, bool rtcp) {
    auto* context = canSend() ? security_.sending() : nullptr;
    if (!context) {
      ++counters_.notSent;
      return false;
    }
    const MutableBytes buffer(datagram.data, datagram.capacity);
    const auto size = rtcp ? context->protectRtcp(buffer, datagram.size) : context->protect(buffer, datagram.size);
    if (!size) {
      ++counters_.notSent;
      return false;
    }
    datagram.size = static_cast<std::uint32_t>(*size);
    datagram.socket = path_->socket;
    datagram.remote = path_->remote;
    return true;
  }

  // ---- control ----

  Received handleStun(TimePoint now, const Datagram& datagram) {
    if (!stun::looksLikeStun(datagram.bytes())) {
      ++counters_.droppedUnknownKind;
      return Received::Dropped;
    }
    ++counters_.controlReceived;
    agent_.handleDatagram(now, datagram.socket, datagram.remote, datagram.bytes());
    settle(now);
    return Received::Control;
  }

  // What still arrives from a peer connection that the far end has renewed would fail the handshake of the new one.
  Received handleDtls(TimePoint now, const Datagram& datagram) {
    const bool former = std::ranges::find(formerPaths_, Path{datagram.socket, datagram.remote}) != formerPaths_.end();
    if (former || !validated(datagram.socket, datagram.remote)) {
      ++counters_.droppedNotValidated;
      return Received::Dropped;
    }
    ++counters_.controlReceived;
    // A handshake may begin on a valid pair before one is selected (RFC 8445 §12.1): it is answered where it came from.
    dtlsPath_ = Path{datagram.socket, datagram.remote};
    security_.handleDatagram(now, datagram.bytes());
    settle(now);
    return Received::Control;
  }

  // After every input: takes what the parts have to say, and draws the one state from theirs.
  void settle(TimePoint now) {
    if (closed_) return;
    while (auto output = agent_.pollOutput()) take(now, std::move(*output));
    sendHandshake();
    followState();
  }

  void take(TimePoint now, ice::Output&& output) {
    if (auto* send = std::get_if<ice::SendDatagram>(&output)) {
      const auto bytes = send->bytes();
      sendControl(send->socket, send->remote, ByteVector(bytes.begin(), bytes.end()));
    } else if (auto* found = std::get_if<ice::CandidateFound>(&output)) {
      push(CandidateFound{std::move(found->candidate)});
    } else if (std::holds_alternative<ice::GatheringDone>(output)) {
      push(GatheringDone{});
    } else if (auto* proven = std::get_if<ice::PairValidated>(&output)) {
      addValidated({proven->socket, proven->remote});
    } else if (auto* retired = std::get_if<ice::PairRetired>(&output)) {
      std::erase(validated_, Path{retired->socket, retired->remote});
      if (dtlsPath_ == Path{retired->socket, retired->remote}) dtlsPath_.reset();
    } else if (auto* selected = std::get_if<ice::SelectedPairChanged>(&output)) {
      path_ = selected->pair;
      push(SelectedPairChanged{path_->socket, path_->remote});
      security_.pathIsReady(now);
    }
  }

  void addValidated(const Path& path) {
    std::erase(formerPaths_, path);  // proven anew
    if (std::ranges::find(validated_, path) == validated_.end()) {
      if (validated_.size() == kValidatedMax) validated_.erase(validated_.begin());
      validated_.push_back(path);
    }
    push(AddressValidated{path.socket, path.remote});
  }

  // The selected pair's is the usual case.
  bool validated(SocketId socket, const SocketAddress& remote) const {
    if (path_ && path_->remote == remote && path_->socket == socket) return true;
    return std::ranges::find(validated_, Path{socket, remote}) != validated_.end();
  }

  void sendHandshake() {
    while (auto bytes = security_.pollOutput()) {
      if (const auto& path = path_ ? path_ : dtlsPath_) sendControl(path->socket, path->remote, std::move(*bytes));
    }
  }

  void sendControl(SocketId socket, const SocketAddress& remote, ByteVector&& bytes) {
    if (outputs_.size() >= kOutputsMax) return;
    ++counters_.controlSent;
    outputs_.push_back(SendDatagram{socket, remote, std::move(bytes)});
  }

  void push(Output&& output) {
    if (outputs_.size() < kOutputsMax) outputs_.push_back(std::move(output));
  }

  // ---- state ----

  bool pathUsable() const { return path_.has_value() && agent_.state() != ice::State::Failed; }

  void followState() {
    if (security_.state() == Security::State::Ended) return enter(State::Failed, security_.reason());
    switch (agent_.state()) {
      case ice::State::New:
        return enter(State::New, Reason::None);
      case ice::State::Failed:
        return enter(State::Failed, Reason::IceFailed);
      case ice::State::Disconnected:
        return enter(State::Disconnected, Reason::None);
      case ice::State::Checking:
      case ice::State::Connected:
        // During an ICE restart media goes on over the old pair.
        return enter(canSend() ? State::Connected : State::Connecting, Reason::None);
    }
  }

  void enter(State state, Reason reason) {
    if (state == state_) return;
    state_ = state;
    reason_ = reason;
    outputs_.push_back(StateChanged{state, reason});
  }

  ice::Agent agent_;
  Security security_;
  std::vector<Path> validated_;
  std::vector<Path> formerPaths_;  // proven before the far end renewed its peer connection, and not since
  std::optional<IceCredentials> remoteIce_;
  std::vector<Fingerprint> remoteFingerprints_;
  std::optional<Path> path_;      // the selected pair
  std::optional<Path> dtlsPath_;  // where the far end's last DTLS datagram came from
  State state_ = State::New;
  Reason reason_ = Reason::None;
  bool closed_ = false;
  Counters counters_;
  std::deque<Output> outputs_;
};

Peer::Peer(const Config& config, Random& random, TimePoint now) : impl_(std::make_unique<Impl>(config, random, now)) {}
Peer::~Peer() = default;

void Peer::setRemote(TimePoint now, const RemoteParameters& remote) { impl_->setRemote(now, remote); }
void Peer::addRemoteCandidate(TimePoint now, const Candidate& candidate) { impl_->addRemoteCandidate(now, candidate); }
void Peer::endOfRemoteCandidates(TimePoint now) { impl_->endOfRemoteCandidates(now); }
void Peer::localDescriptionSent(TimePoint now) { impl_->localDescriptionSent(now); }
void Peer::restartIce(TimePoint now, const IceCredentials& newLocal) { impl_->restartIce(now, newLocal); }
void Peer::setSdesKeys(TimePoint now, const SrtpKey& local, const SrtpKey& remote) {
  impl_->setSdesKeys(now, local, remote);
}
void Peer::close(TimePoint now) { impl_->close(now); }
Received Peer::handleDatagram(TimePoint now, Datagram& datagram) { return impl_->handleDatagram(now, datagram); }
bool Peer::protectRtp(Datagram& datagram) { return impl_->protectRtp(datagram); }
bool Peer::protectRtcp(Datagram& datagram) { return impl_->protectRtcp(datagram); }
void Peer::handleTimeout(TimePoint now) { impl_->handleTimeout(now); }
std::optional<TimePoint> Peer::nextTimeout() const { return impl_->nextTimeout(); }
std::optional<Output> Peer::pollOutput() { return impl_->pollOutput(); }
State Peer::state() const { return impl_->state(); }
Reason Peer::reason() const { return impl_->reason(); }
bool Peer::gathered() const { return impl_->agent().gatheringDone(); }
std::vector<Candidate> Peer::localCandidates() const {
  const auto candidates = impl_->agent().localCandidates();
  return {candidates.begin(), candidates.end()};
}
const IceCredentials& Peer::localCredentials() const { return impl_->agent().localCredentials(); }
DtlsSetup Peer::dtlsSetup() const { return impl_->security().setup(); }
bool Peer::canSend() const { return impl_->canSend(); }
Counters Peer::counters() const { return impl_->counters(); }

const char* toString(State state) {
  static constexpr const char* kNames[] = {"new", "connecting", "connected", "disconnected", "failed", "closed"};
  return kNames[static_cast<std::size_t>(state)];
}

const char* toString(Reason reason) {
  static constexpr const char* kNames[] = {
      "no reason",
      "no path to the far end works",
      "the far end's certificate is not the announced one",
      "the DTLS handshake failed",
      "closed by the far end",
      "closed by us",
  };
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace crosspoint::peer
