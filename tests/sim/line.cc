#include "tests/sim/line.h"

#include <utility>

namespace crosspoint::sim {
namespace {

constexpr Duration kPollingTimeout = std::chrono::seconds(10);  // then the page aborts its poll and polls again
constexpr Duration kRetry = std::chrono::seconds(3);
constexpr Duration kSocketOpensWithin = std::chrono::seconds(8);
constexpr Duration kConfirmedWithin = std::chrono::seconds(10);
constexpr Duration kSilenceMax = std::chrono::seconds(10);
constexpr Duration kTroubleMax = std::chrono::seconds(30);  // a socket that was cut is given up within this
constexpr Duration kProbeAnsweredWithin = std::chrono::seconds(180);
constexpr std::size_t kHadMax = 300;
constexpr const char* kFeatures = "ack,progress,provisional,websocket";
constexpr const char* kProbe = "nonsense";

// What the gateway puts in the place of a message that the page has left behind.
bool isEmptied(const std::string& body) { return body == R"(SDP {"messageType":"OK"})"; }

}  // namespace

// ---- signing in and out ----

void Line::signIn() {
  end();
  lastSequence_ = lastPosted_ = confirmed_ = 0;
  had_.clear();
  requestSignIn({});
}

void Line::requestSignIn(const std::string& resume) {
  resuming_ = !resume.empty();
  signInRequest_ = web_.next();
  web_.send(
      *this,
      bridge::SignIn{.request = *signInRequest_, .id = user_, .features = counts() ? kFeatures : "", .resume = resume});
}

void Line::handleWelcome(const bridge::PageReply& reply) {
  signInRequest_.reset();
  if (reply.status != 200) return gone();
  const std::string ssid = reply.body.substr(3, reply.body.find('\n') - 3);
  if (resuming_ && ssid == ssid_) {
    const auto taken = std::stoull(reply.body.substr(reply.body.find("taken=") + 6));
    if (taken < confirmed_) owner_.complain("the gateway has forgotten what it had taken");
    if (taken > lastPosted_) owner_.complain("the gateway has taken more than was sent");
    ++counters_.resumed;
    owner_.note("resumed");
    return begin();
  }
  if (resuming_) {
    end();
    lastSequence_ = lastPosted_ = confirmed_ = 0;
    had_.clear();
    owner_.handleOut();
  }
  ssid_ = ssid;
  in_ = true;
  owner_.handleSignedIn();
  begin();
}

void Line::begin() {
  away_ = false;
  settled();
  poll();
  if (kind_ == Kind::Sockets) openSocket();
  pump();
}

// Everything of this session is void.
void Line::end() {
  ++epoch_;
  stopPoll();
  closeSocket();
  if (signInRequest_) web_.close(*signInRequest_);
  signInRequest_.reset();
  in_ = away_ = false;
  outbox_.clear();
  carrier_.reset();
  posts_.clear();
  probes_.clear();
  forgiven_ = 0;
}

void Line::vanish() { end(); }

void Line::gone() {
  end();
  owner_.handleOut();
}

void Line::signOut() {
  web_.send(*this, bridge::SignOut{.request = web_.next(), .ssid = ssid_});
  end();
}

void Line::lose() {
  if (!in_ || !counts() || away_) return;
  ++epoch_;
  away_ = true;
  stopPoll();
  closeSocket();
  carrier_.reset();
  after(std::chrono::milliseconds(random_.below(15'000)), [this] { requestSignIn(ssid_); });
}

// ---- down ----

void Line::poll() {
  if (!in_) return;
  pollRequest_ = web_.next();
  bridge::Wait wait{.request = *pollRequest_, .ssid = ssid_, .acknowledged = {}, .features = {}};
  if (counts()) wait.acknowledged = lastSequence_, wait.features = kFeatures;
  web_.send(*this, std::move(wait));
  after(kPollingTimeout, [this, request = *pollRequest_] {
    if (pollRequest_ != request) return;
    stopPoll();
    poll();
  });
}

void Line::pollSoon(Duration pause) {
  after(pause, [this] {
    if (!pollRequest_ && !socketOpen_) poll();
  });
}

void Line::stopPoll() {
  if (pollRequest_) web_.close(*pollRequest_);
  pollRequest_.reset();
}

void Line::cut() {
  if (socket_) {
    settled(kTroubleMax);
    return web_.cut(*socket_);
  }
  if (!pollRequest_) return;
  stopPoll();
  pollSoon(std::chrono::milliseconds(random_.below(3000)));
}

void Line::change() {
  if (!in_ || kind_ != Kind::Sockets || away_) return;
  ++counters_.switches;
  if (socket_) {
    closeSocket();
    if (!pollRequest_) poll();
    openSocketSoon();
    pump();
  } else {
    openSocket();
  }
}

void Line::take(const std::optional<std::uint64_t>& sequence, const std::string& body, const std::string& peer,
                bool socket) {
  if (body.empty()) return;
  if (counts()) {
    if (!sequence) return owner_.complain("a message without a number: " + body.substr(0, 40));
    if (*sequence > lastSequence_ + 1) owner_.complain("a message was lost before " + body.substr(0, 40));
    if (*sequence <= lastSequence_) {
      ++counters_.repeated;
      const auto before = had_.find(*sequence);
      if (before != had_.end() && before->second != body && !isEmptied(body) && !isEmptied(before->second))
        owner_.complain("another message under the same number: " + body.substr(0, 40));
      return;
    }
    lastSequence_ = *sequence;
    had_[*sequence] = body;
    if (had_.size() > kHadMax) had_.erase(had_.begin());
  }
  ++(socket ? counters_.bySocket : counters_.byPoll);
  if (!isProbeReply(body)) owner_.handleMessage(body, peer);
}

void Line::handleReply(const bridge::PageReply& reply) {
  if (reply.request == signInRequest_) {
    handleWelcome(reply);
  } else if (reply.request == pollRequest_) {
    pollRequest_.reset();
    if (reply.status != 200) return gone();
    const auto epoch = epoch_;
    take(reply.sequence, reply.body, reply.peer, false);
    if (epoch == epoch_ && !socketOpen_ && !pollRequest_) poll();
  } else if (reply.request == carrier_) {
    if (reply.status == 200)
      confirm();
    else
      pumpSoon();
  } else if (posts_.erase(reply.request) == 0 && !counts() && reply.sequence) {
    owner_.handleMissed();  // it gave that poll up when the reply had left already
  }
}

void Line::handleLost(bridge::RequestId request) {
  if (request == signInRequest_) {
    signInRequest_.reset();
    if (!resuming_) return gone();
    after(kRetry, [this] { requestSignIn(ssid_); });
  } else if (request == pollRequest_) {
    pollRequest_.reset();
    settled(kRetry);
    pollSoon(kRetry);
  } else if (request == carrier_) {
    pumpSoon();
  } else if (const auto post = posts_.find(request); post != posts_.end()) {
    const Message message = std::move(post->second);
    posts_.erase(post);
    settled(kRetry);
    if (!message.body.starts_with("RSMP") || message.void_) return;
    after(kRetry, [this, message, calls = callsEnded_] {
      if (calls != callsEnded_) owner_.handleMissed();  // the gateway may say once more that the call has ended
      postOne(message);
    });
  }
}

// ---- the socket ----

void Line::openSocket() {
  if (!in_ || socket_) return;
  socket_ = web_.next();
  socketOpen_ = probing_ = false;
  web_.send(*this, bridge::SocketOpen{
                       .socket = *socket_, .ssid = ssid_, .acknowledged = lastSequence_, .features = kFeatures});
  after(kSocketOpensWithin, [this, socket = *socket_] {
    if (socket_ == socket && !socketOpen_) loseSocket();
  });
}

void Line::openSocketSoon() {
  after(std::chrono::milliseconds(1000 + random_.below(20'000)), [this] { openSocket(); });
}

void Line::closeSocket() {
  if (!socket_) return;
  web_.close(*socket_);
  if (carrier_ == socket_) carrier_.reset();
  socket_.reset();
  socketOpen_ = false;
}

// It is of no use any more: what it carried goes another way, and the hanging GET is there again.
void Line::loseSocket() {
  closeSocket();
  settled();
  if (!pollRequest_) poll();
  openSocketSoon();
  pump();
}

void Line::handleSocketOpen(bridge::RequestId socket) {
  if (socket_ != socket) return;
  owner_.note("the socket is open");
  socketOpen_ = true;
  stopPoll();
  listenToSilence();
  pump();
}

void Line::handleFrame(const bridge::PageReply& frame) {
  if (socket_ != frame.request) return;
  ++heardOnSocket_;
  listenToSilence();
  if (frame.taken) {
    if (*frame.taken > lastPosted_) owner_.complain("the gateway confirms what was never sent");
    if (*frame.taken == 0) probing_ = false;
    if (carrier_ == socket_ && *frame.taken == outbox_.front().number) confirm();
  }
  if (!frame.sequence) return;
  const auto epoch = epoch_;
  take(frame.sequence, frame.body, frame.peer, true);
  if (epoch == epoch_ && socket_ == frame.request)
    web_.send(*this, bridge::SocketMessage{.socket = *socket_, .acknowledged = lastSequence_});
}

void Line::handleSocketClosed(bridge::RequestId socket, std::uint16_t code) {
  if (socket_ != socket) return;
  owner_.note("the socket was closed with " + std::to_string(code));
  if (code == bridge::kCloseSignedOut || code == bridge::kCloseNoSession || code == bridge::kCloseElsewhere)
    return gone();
  loseSocket();
}

// A connection that died without a word is noticed by asking.
void Line::listenToSilence() {
  after(kSilenceMax, [this, socket = socket_, heard = heardOnSocket_] {
    if (socket_ != socket || heard != heardOnSocket_) return;
    probing_ = true;
    web_.send(*this, bridge::SocketMessage{.socket = *socket_, .number = 0});
    after(kConfirmedWithin, [this, socket] {
      if (socket_ == socket && probing_) loseSocket();
    });
  });
}

// ---- up ----

void Line::post(const std::string& to, std::string body) {
  owner_.note("to " + to + ": " + body.substr(0, 60));
  if (!in_) return;
  if (!counts()) return postOne({.to = to, .body = std::move(body)});
  outbox_.push_back({++lastPosted_, to, std::move(body)});
  if (outbox_.size() == 1) pump();
}

void Line::postOne(const Message& message) {
  const auto request = web_.next();
  ++counters_.posted;
  posts_[request] = message;
  web_.send(*this, bridge::PageMessage{.request = request, .ssid = ssid_, .to = message.to, .body = message.body});
}

void Line::pump() {
  if (outbox_.empty() || carrier_ || !in_ || away_) return;
  const Message& message = outbox_.front();
  if (socketOpen_ && message.body != "BYE") {  // pages hang up when they are closed: only a request survives that
    ++counters_.sent;
    carrier_ = socket_;
    bridge::SocketMessage frame{.socket = *socket_, .number = message.number, .to = message.to, .body = message.body};
    if (random_.below(2) == 0) frame.acknowledged = lastSequence_;
    web_.send(*this, std::move(frame));
    after(kConfirmedWithin, [this, socket = *socket_, number = message.number] {
      if (socket_ == socket && carrier_ == socket && outbox_.front().number == number) loseSocket();
    });
    return;
  }
  ++counters_.posted;
  carrier_ = web_.next();
  web_.send(*this,
            bridge::PageMessage{
                .request = *carrier_, .ssid = ssid_, .to = message.to, .body = message.body, .number = message.number});
}

void Line::pumpSoon() {
  after(kRetry, [this, failed = carrier_] {
    if (carrier_ != failed) return;
    if (outbox_.front().void_) return next();
    carrier_.reset();
    pump();
  });
}

void Line::stopRetrying() {
  ++callsEnded_;
  for (auto& [request, message] : posts_) message.void_ = true;
  for (Message& message : outbox_) message.void_ |= message.body.starts_with("RSMP");
}

void Line::confirm() {
  confirmed_ = outbox_.front().number;
  if (outbox_.front().body.starts_with("RSMP")) settled();
  next();
}

void Line::next() {
  carrier_.reset();
  outbox_.pop_front();
  pump();
}

// ---- probes ----

void Line::probe() {
  if (!in_ || !counts()) return;
  ++counters_.probes;
  post("gateway", kProbe);
  probes_[lastPosted_] = clock_.now();
  after(kProbeAnsweredWithin, [this] { checkProbes(); });
}

void Line::forgiveProbes() {
  forgiven_ += probes_.size();
  probes_.clear();
}

bool Line::isProbeReply(const std::string& body) {
  if (!body.starts_with("SDP ") || body.find(R"("sipStatus":400)") == std::string::npos) return false;
  if (!probes_.empty())
    probes_.erase(probes_.begin());
  else if (forgiven_ > 0)
    --forgiven_;
  else
    owner_.complain("a message was taken twice");
  return true;
}

void Line::checkProbes() {
  if (!probes_.empty() && clock_.now() - probes_.begin()->second >= kProbeAnsweredWithin)
    owner_.complain("a message of the page was lost");
}

}  // namespace crosspoint::sim
