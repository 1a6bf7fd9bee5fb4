#include "tests/sim/page.h"

#include "core/dtls/context.h"
#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "core/sdp/sdp.h"

namespace crosspoint::sim {
namespace {

constexpr Duration kPollingTimeout = std::chrono::seconds(10);  // then the page aborts its poll and polls again
constexpr Duration kFrame = std::chrono::milliseconds(200);     // sparse audio: enough to check what passes
constexpr SocketId kSocket{1};
constexpr const char* kFeatures = "ack,progress,provisional";

const std::vector<Codec> kCodecs = {
    {.payloadType = 111, .name = "opus", .clockRate = 48000, .channels = 2, .parameters = "minptime=10;useinbandfec=1"},
    {.payloadType = 9, .name = "G722", .clockRate = 8000},
    {.payloadType = 0, .name = "PCMU", .clockRate = 8000},
    {.payloadType = 8, .name = "PCMA", .clockRate = 8000},
    {.payloadType = 126, .name = "telephone-event", .clockRate = 8000},
};

}  // namespace

Page::Page(Clock& clock, Network& network, Random& random, std::vector<const dtls::Context*> certificates,
           std::string user, bool counts, Door door)
    : clock_(clock),
      network_(network),
      random_(random),
      certificates_(std::move(certificates)),
      user_(std::move(user)),
      counts_(counts),
      door_(std::move(door)),
      rtcTimer_(clock, [this] {
        if (!rtc_) return;
        rtc_->handleTimeout(clock_.now());
        drain();
      }) {}

Page::~Page() { closeMedia(); }

void Page::complain(const std::string& what) {
  if (fault_.empty()) fault_ = user_ + ": " + what;
}

// ---- HTTP ----

void Page::signIn() {
  ++epoch_;
  state_ = State::SigningIn;
  lastSequence_ = lastPosted_ = 0;
  pollRequest_.reset();
  signInRequest_ = door_.nextRequest();
  door_.request(bridge::SignIn{.request = *signInRequest_, .id = user_, .features = counts_ ? kFeatures : ""});
}

void Page::vanish() {
  ++epoch_;
  closeMedia();
  if (pollRequest_) door_.closed(*pollRequest_);
  pollRequest_.reset();
  signInRequest_.reset();
  offerOpen_ = answeredProvisionally_ = missed_ = false;
  okAwaitedSince_.reset();
  waiting_.reset();
  ended_ = End::None;
  state_ = State::Out;
}

void Page::signOut() {
  door_.request(bridge::SignOut{.request = door_.nextRequest(), .ssid = ssid_});
  vanish();
}

void Page::cutPoll() {
  if (!pollRequest_) return;
  door_.closed(*pollRequest_);
  pollRequest_.reset();
  clock_.after(std::chrono::milliseconds(random_.below(3000)), [this, epoch = epoch_] {
    if (epoch == epoch_ && !pollRequest_) poll();
  });
}

void Page::poll() {
  if (state_ == State::Out) return;
  pollRequest_ = door_.nextRequest();
  bridge::Wait wait{.request = *pollRequest_, .ssid = ssid_};
  if (counts_) wait.acknowledged = lastSequence_, wait.features = kFeatures;
  door_.request(std::move(wait));
  clock_.after(kPollingTimeout, [this, request = *pollRequest_] {
    if (pollRequest_ != request) return;
    door_.closed(request);
    poll();
  });
}

void Page::post(std::string body) {
  door_.note("to " + peer_ + ": " + body.substr(0, 60));
  bridge::PageMessage message{.request = door_.nextRequest(), .ssid = ssid_, .to = peer_, .body = std::move(body)};
  if (counts_) message.number = ++lastPosted_;
  if (counts_ && random_.below(20) == 0) {  // its reply was lost: the same again
    clock_.after(std::chrono::seconds(3), [this, message, epoch = epoch_]() mutable {
      if (epoch != epoch_) return;
      message.request = door_.nextRequest();
      door_.request(std::move(message));
    });
  }
  door_.request(std::move(message));
}

void Page::handleReply(const bridge::PageReply& reply) {
  if (reply.request == signInRequest_) {
    signInRequest_.reset();
    if (reply.status != 200) {
      state_ = State::Out;
      return;
    }
    ssid_ = reply.body.substr(3, reply.body.find('\n') - 3);
    state_ = State::Idle;
    poll();
  } else if (reply.request == pollRequest_) {
    pollRequest_.reset();
    if (reply.status != 200) {
      vanish();
      return;
    }
    const bool repeated = counts_ && reply.sequence && *reply.sequence <= lastSequence_;
    if (counts_ && reply.sequence && *reply.sequence > lastSequence_ + 1)
      complain("a message was lost before " + reply.body.substr(0, 40));
    if (reply.sequence) lastSequence_ = std::max(lastSequence_, *reply.sequence);
    if (!reply.body.empty() && !repeated) handleMessage(reply.body, reply.peer);
    poll();
  } else if (!counts_ && !reply.body.empty()) {  // it gave that poll up when the reply had left already
    missed_ = true;
  }
}

void Page::handleLost(bridge::RequestId request) {
  if (request == signInRequest_) {
    vanish();
  } else if (request == pollRequest_) {
    pollRequest_.reset();
    clock_.after(std::chrono::seconds(3), [this, epoch = epoch_] {
      if (epoch == epoch_ && !pollRequest_ && state_ != State::Out) poll();
    });
  }
}

// ---- ROAP ----

void Page::handleMessage(const std::string& body, const std::string& peer) {
  door_.note("from " + peer + ", in state " + std::to_string(static_cast<int>(state_)) + ": " + body.substr(0, 60));
  if (body.starts_with("BYE")) return handleBye();
  if (body.starts_with("INFO-PEER")) ++infosReceived_;
  if (body.starts_with("PROGRESS") || body.starts_with("INFO-PEER") || body.starts_with("PUT-STATS")) return;
  if (body.starts_with("EVENT-")) {
    const bool hold = body == "EVENT-HOLD";
    if (!hold && state_ == State::Ringing) accept();
    if (mayOffer() && hold != (direction_ == Direction::Inactive))
      offerAgain(hold ? Direction::Inactive : Direction::SendRecv, false);
    return;
  }
  if (body.starts_with("INVITE")) {
    if (mayOffer()) sendOffer(direction_);
    if (state_ == State::Idle) {
      ended_ = End::None;
      waiting_.reset();
      waitingPeer_ = peer;
      state_ = State::Ringing;
    }
    return;
  }
  const auto message = roap::parseMessage(body.substr(body.find('{')));
  if (!body.starts_with("SDP ") || !message) return complain("not a message: " + body);
  if (message->type == roap::MessageType::Offer) {
    handleOffer(*message, peer);
  } else if (message->type == roap::MessageType::Answer) {
    if (body.find("OFFER") != std::string::npos) return complain("an ANSWER that pages take for an OFFER: " + body);
    handleAnswer(*message);
  } else if (message->type == roap::MessageType::Ok) {
    okAwaitedSince_.reset();
  } else if (message->type == roap::MessageType::Error && offerOpen_ && state_ == State::InCall &&
             message->seq == seq_) {
    offerOpen_ = false;  // a later offer was refused; the call goes on
    unsure_ = true;
    changedAt_ = clock_.now();
  }
}

// One final ANSWER to each OFFER; before it one provisional, and only to our own client and its first OFFER.
void Page::handleAnswer(const roap::Message& message) {
  const bool ours = message.offererSessionId.matches(roap::SessionId::number(offerer_));
  if (!ours || (state_ != State::Calling && state_ != State::InCall)) return;  // of a call that has ended
  if (!offerOpen_) return complain("an ANSWER to nothing");
  if (message.seq != seq_) return complain("an ANSWER with the seq of another OFFER");
  if (message.moreComing && !counts_) return complain("a provisional ANSWER to a client in the field");
  changedAt_ = clock_.now();
  if (!readSdp(message.sdp, false) || message.moreComing) return;
  offerOpen_ = unsure_ = false;
  state_ = State::InCall;
  post(roap::fromPage({.type = roap::MessageType::Ok,
                       .offererSessionId = message.offererSessionId,
                       .answererSessionId = message.answererSessionId,
                       .seq = message.seq}));
}

void Page::handleOffer(const roap::Message& message, const std::string& peer) {
  if (peer.empty()) return complain("an OFFER without a Pragma");
  if (!message.seq || !message.tiebreaker) return complain("an OFFER without seq or tie-breaker");
  if (offerOpen_) {  // dropped: our own is on its way
    droppedOffer_ = true;
    return;
  }
  if (state_ == State::Idle && *message.seq > 1) return;  // of the call that the page has just left
  if (state_ == State::Idle) {
    ended_ = End::None;
    waiting_ = message;
    waitingPeer_ = peer;
    state_ = State::Ringing;
    answeredProvisionally_ = counts_ && random_.below(2) == 0;
    if (!answeredProvisionally_) return;
    peer_ = peer;
    openMedia(false);
    sendAnswer(true);
  } else if (state_ == State::InCall) {
    waiting_ = message;
    sendAnswer();
  }
}

void Page::accept() {
  peer_ = waitingPeer_;
  direction_ = Direction::SendRecv;
  if (!waiting_) {  // INVITE: we are asked for the offer
    openMedia(true);
    offerer_ = random_.next<std::uint16_t>();
    seq_ = 0;
    sendOffer(direction_);
    state_ = State::Calling;
    return;
  }
  if (!std::exchange(answeredProvisionally_, false)) openMedia(false);
  sendAnswer();
  state_ = State::InCall;
}

void Page::reject() {
  peer_ = waitingPeer_;
  post("BYE");
  endCall(End::ByPage);
}

void Page::sendAnswer(bool moreComing) {
  const roap::Message offer = *waiting_;
  if (!moreComing) waiting_.reset();
  changedAt_ = clock_.now();
  seq_ = offer.seq.value_or(1);
  if (!readSdp(offer.sdp, true)) return;
  post(roap::fromPage({.type = roap::MessageType::Answer,
                       .sdp = writeSdp(false, direction_),
                       .offererSessionId = offer.offererSessionId,
                       .answererSessionId = roap::SessionId::number(7),
                       .seq = offer.seq,
                       .moreComing = moreComing}));
  if (!moreComing) okAwaitedSince_ = clock_.now();
}

void Page::call(const std::string& to) {
  peer_ = to;
  direction_ = Direction::SendRecv;
  openMedia(true);
  offerer_ = random_.next<std::uint16_t>();
  seq_ = 0;
  sendOffer(direction_);
  state_ = State::Calling;
}

void Page::sendOffer(Direction direction) {
  offerOpen_ = true;
  droppedOffer_ = false;
  changedAt_ = clock_.now();
  const std::string body = roap::fromPage({.type = roap::MessageType::Offer,
                                           .sdp = writeSdp(true, direction),
                                           .offererSessionId = roap::SessionId::number(offerer_),
                                           .seq = ++seq_,
                                           .tiebreaker = 1 + static_cast<std::uint32_t>(random_.below(429496722))});
  post(body);
  if (random_.below(20) == 0) {  // the POST's reply was lost: the page posts the same again after 3 s
    clock_.after(std::chrono::seconds(3), [this, body, epoch = epoch_] {
      if (epoch == epoch_) post(body);
    });
  }
}

void Page::offerAgain(Direction direction, bool restart) {
  direction_ = direction;
  if (restart) rtc_->restartIce(clock_.now(), {random_.alphanumeric(4), random_.alphanumeric(24)});
  sendOffer(direction);
  drain();
}

void Page::renew() {
  const auto ssrcBefore = ssrcReceived_;
  const auto sequenceBefore = sequenceReceived_;
  openMedia(true);
  if (!missed_) {  // the gateway's stream goes on; without the BYE that the page missed it is another call's
    ssrcReceived_ = ssrcBefore;
    sequenceReceived_ = sequenceBefore;
  }
  seq_ = 0;
  sendOffer(direction_);
  drain();
}

void Page::sendInfo() { post(random_.below(2) == 0 ? "INFO-PEER a=1&b=2" : "INFO-MAP a=1"); }

void Page::transfer(const std::string& to) { post(R"(TRANSFER {"to":")" + to + R"("})"); }

void Page::hangUp() {
  post("BYE");
  endCall(End::ByPage);
}

// One BYE for each call, unless the page has hung up itself: then it may have crossed, or was meant for a call whose
// OFFER was dropped.
void Page::handleBye() {
  const bool missed = std::exchange(missed_, false);  // its OFFER or INVITE, perhaps
  if (state_ == State::Idle && ended_ != End::ByPage && !missed) complain("a BYE for no call");
  endCall(droppedOffer_ || offerOpen_ ? End::ByPage
                                      : End::ByGateway);  // an OFFER that crossed it may bring another one
}

void Page::endCall(End how) {
  ended_ = how;
  unsure_ = false;
  closeMedia();
  offerOpen_ = answeredProvisionally_ = false;
  okAwaitedSince_.reset();
  waiting_.reset();
  if (state_ != State::Out && state_ != State::SigningIn) state_ = State::Idle;
}

// ---- media ----

void Page::openMedia(bool offer) {
  closeMedia();
  address_ = network_.freeAddress();
  codecs_ = kCodecs;
  ssrc_ = random_.next<std::uint32_t>();
  network_.bind(address_, [this](const SocketAddress& from, Bytes bytes) { handleDatagram(from, bytes); });
  rtc_ = std::make_unique<peer::Peer>(peer::Config{.iceRole = offer ? peer::Role::Controlling : peer::Role::Controlled,
                                                   .local = {random_.alphanumeric(4), random_.alphanumeric(24)},
                                                   .sockets = {{kSocket, address_}},
                                                   .dtls = DtlsSetup::Active,
                                                   .context = certificates_[++certificate_ % certificates_.size()]},
                                      random_, clock_.now());
  speak();
}

void Page::closeMedia() {
  ++mediaEpoch_;
  if (!rtc_) return;
  network_.unbind(address_);
  rtc_.reset();
  rtcTimer_.set(std::nullopt);
  ssrcReceived_.reset();
  sequenceReceived_.reset();
}

std::string Page::writeSdp(bool offer, Direction direction) {
  SessionDescription description;
  description.originAddress = IpAddress::v4(0x7f000001);
  description.bundles = {{"0"}};
  MediaSection section;
  section.protocol = "RTP/SAVPF";
  section.mid = "0";
  section.codecs = codecs_;
  section.direction = direction;
  section.rtcpMux = true;
  section.connection = IpAddress();
  section.ice = rtc_->localCredentials();
  section.candidates = rtc_->localCandidates();
  section.fingerprints = {certificates_[certificate_ % certificates_.size()]->fingerprint()};
  section.setup = offer ? DtlsSetup::ActPass : DtlsSetup::Active;
  description.sections = {section};
  return sdp::write(description);
}

bool Page::readSdp(const std::string& text, bool offer) {
  const auto description = sdp::parse(text);
  if (!description || description->sections.empty()) {
    complain("unreadable SDP: " + text);
    return false;
  }
  const MediaSection& section = description->sections[0];
  if (section.refused() || !section.ice || section.fingerprints.empty() || section.codecs.empty()) {
    complain("SDP without usable audio: " + text);
    return false;
  }
  if (!offer && direction_ == Direction::Inactive && section.direction != Direction::Inactive) {
    complain("the answer to a hold is not inactive");
  }
  if (!rtc_) return false;
  rtc_->setRemote(clock_.now(),
                  {.ice = *section.ice, .fingerprints = section.fingerprints, .setup = DtlsSetup::Passive});
  for (const auto& candidate : section.candidates) rtc_->addRemoteCandidate(clock_.now(), candidate);
  codecs_ = section.codecs;
  drain();
  return true;
}

void Page::handleDatagram(const SocketAddress& from, Bytes bytes) {
  std::array<std::uint8_t, kDatagramCapacity> buffer;
  std::copy(bytes.begin(), bytes.end(), buffer.begin());
  Datagram datagram{kSocket, from, buffer.data(), static_cast<std::uint32_t>(bytes.size()), buffer.size()};
  if (rtc_->handleDatagram(clock_.now(), datagram) == peer::Received::Rtp) {
    if (const auto view = rtp::PacketView::parse(datagram.bytes())) {
      ++packetsReceived_;
      heardAt_ = clock_.now();
      if (ssrcReceived_ && *ssrcReceived_ != view->ssrc()) complain("the SSRC changed within a call");
      ssrcReceived_ = view->ssrc();
      const auto gap = sequenceReceived_ ? static_cast<std::int16_t>(view->sequenceNumber() - *sequenceReceived_) : 0;
      if (gap > 1000 || gap < -1000) complain("the sequence numbers jumped by " + std::to_string(gap));
      if (!sequenceReceived_ || gap > 0) sequenceReceived_ = view->sequenceNumber();
    }
  }
  drain();
}

void Page::drain() {
  if (!rtc_) return;
  while (auto output = rtc_->pollOutput()) {
    if (auto* send = std::get_if<peer::SendDatagram>(&*output)) network_.send(address_, send->remote, send->bytes);
  }
  rtcTimer_.set(rtc_->nextTimeout());
}

void Page::speak() {
  clock_.after(kFrame, [this, epoch = mediaEpoch_] {
    if (epoch != mediaEpoch_) return;
    if (rtc_->canSend() && sends(direction_)) {
      std::array<std::uint8_t, kDatagramCapacity> buffer{};
      ByteWriter writer(buffer);
      const std::uint32_t timestamp = static_cast<std::uint32_t>(sequence_) * 1600;
      rtp::writeHeader(writer, {.payloadType = codecs_[0].payloadType,
                                .sequenceNumber = sequence_++,
                                .timestamp = timestamp,
                                .ssrc = ssrc_});
      writer.fill(40, 0x55);
      Datagram datagram{
          .data = buffer.data(), .size = static_cast<std::uint32_t>(writer.size()), .capacity = buffer.size()};
      if (rtc_->protectRtp(datagram)) network_.send(address_, datagram.remote, datagram.bytes());
    }
    speak();
  });
}

}  // namespace crosspoint::sim
