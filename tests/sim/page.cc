#include "tests/sim/page.h"

#include <utility>

namespace crosspoint::sim {

Page::Page(const Environment& environment, std::string user, Line::Kind kind)
    : clock_(environment.clock),
      random_(environment.random),
      note_(environment.note),
      user_(std::move(user)),
      id_(environment.random.below(100)),
      media_(environment.clock, environment.network, environment.random, environment.certificates,
             [this](const std::string& what) { complain(what); }),
      line_(environment.clock, environment.random, environment.web, kind, user_, *this) {}

void Page::complain(const std::string& what) {
  if (fault_.empty()) fault_ = user_ + ": " + what;
}

void Page::note(const std::string& text) { note_(user_, text); }

// ---- signing in and out ----

void Page::signIn() {
  leave();
  state_ = State::SigningIn;
  line_.signIn();
}

void Page::vanish() {
  line_.vanish();
  leave();
}

void Page::signOut() {
  line_.signOut();
  leave();
}

void Page::leave() {
  ++epoch_;
  endCall(End::None);
  lateOfferTo_.clear();
  gaveUpOwn_ = false;
  cancelled_.clear();
  missed_ = false;
  state_ = State::Out;
}

void Page::handleSignedIn() {
  state_ = State::Idle;
  signedInAt_ = clock_.now();
}

void Page::handleOut() { leave(); }

void Page::handleMissed() {
  note("may have missed a message");
  missed_ = true;
  okAwaitedSince_.reset();
  media_.handleMissed();
}

// ---- what the gateway says ----

void Page::handleMessage(const std::string& body, const std::string& peer) {
  note("from " + peer + ", in state " + std::to_string(static_cast<int>(state_)) + ": " + body.substr(0, 60));
  if (body.starts_with("BYE"))
    handleBye(peer);
  else if (body.starts_with("INFO-PEER"))
    handleInfo(body);
  else if (body.starts_with("PROGRESS"))
    handleProgress(body);
  else if (!body.starts_with("PUT-STATS"))
    handleOfCall(body, peer);
}

void Page::handleInfo(const std::string& body) {
  ++counters_.infos;
  if (!infos_.take(body.substr(body.find(' ') + 1))) complain("an INFO twice or out of order: " + body);
}

void Page::handleOfCall(const std::string& body, const std::string& peer) {
  lateOfferTo_.clear();
  if (body.starts_with("EVENT-") || body.starts_with("INVITE"))
    handlePrompt(body, peer);
  else
    handleRoap(body, peer);
}

void Page::handlePrompt(const std::string& body, const std::string& peer) {
  if (body.starts_with("EVENT-")) {
    const bool hold = body == "EVENT-HOLD";
    if (!hold && state_ == State::Ringing) accept();
    if (mayOffer() && hold != (direction_ == Direction::Inactive))
      offerAgain(hold ? Direction::Inactive : Direction::SendRecv, false);
    return;
  }
  if (mayOffer()) sendOffer(direction_);
  if (state_ != State::Idle) return;
  ended_ = End::None;
  waiting_.reset();
  waitingPeer_ = peer;
  state_ = State::Ringing;
}

void Page::handleProgress(const std::string& body) {
  if (!line_.counts()) return complain("a PROGRESS to a client in the field");
  const auto field = [&](std::string_view name) {
    const auto at = body.find(name);
    const auto begin = at + name.size();
    return at == std::string::npos ? std::string() : body.substr(begin, body.find('"', begin) - begin);
  };
  if (std::string dialog = field(R"("dialog":")"); !dialog.empty()) {
    dialog_ = std::move(dialog);
    farEnd_ = field(R"("address":")");
  }
  if (body.find(R"("state":"transferred")") != std::string::npos)
    ++(transferAttended_ ? counters_.attendedDone : counters_.blindDone);
}

void Page::handleRoap(const std::string& body, const std::string& peer) {
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
  const bool ours = message.offererSessionId.matches(roap::SessionId::number(id_));
  if (!ours || (state_ != State::Calling && state_ != State::InCall)) return;  // of a call that has ended
  if (!offerOpen_) return complain("an ANSWER to nothing");
  if (message.seq != seq_) return complain("an ANSWER with the seq of another OFFER");
  if (message.moreComing && !line_.counts()) return complain("a provisional ANSWER to a client in the field");
  changedAt_ = clock_.now();
  if (!media_.read(message.sdp, false, direction_) || message.moreComing) return;
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
    if (state_ == State::InCall && *message.seq > 1) media_.skip(message.sdp);
    return;
  }
  // Our own client knows what was under way when it hung up (js/grtc/src/ended.ts); one in the field rings, until BYE.
  if (state_ == State::Idle && *message.seq > 1 && ended_ == End::ByPage && line_.counts()) return;
  if (state_ == State::Idle) {
    ended_ = End::None;
    waiting_ = message;
    waitingPeer_ = peer;
    state_ = State::Ringing;
    ++id_;
    answeredProvisionally_ = line_.counts() && random_.below(2) == 0;
    if (!answeredProvisionally_) return;
    peer_ = peer;
    media_.open(false);
    sendAnswer(true);
  } else if (state_ == State::InCall) {
    waiting_ = message;
    sendAnswer();
  }
}

// One BYE for each call, unless the page has hung up itself: then it may have crossed, or was meant for a call whose
// OFFER was dropped. Our own client knows which call it is of; to one in the field it ends whatever there is, and comes
// once more if the page's OFFER has crossed it (docs/protocols/bridge.md, "Whose message is it?"). Beside those, one
// may come of a caller that was given up for the page's own call.
void Page::handleBye(const std::string& peer) {
  const bool missed = std::exchange(missed_, false);  // its OFFER or INVITE, perhaps
  if (state_ == State::Idle && peer != peer_ && std::exchange(gaveUpOwn_, false)) return;
  const bool expected = ended_ == End::ByPage || missed;
  bool again = false;
  if (state_ == State::Calling || (state_ == State::Idle && !expected))
    again = !lateOfferTo_.empty() && peer == std::exchange(lateOfferTo_, {});
  if (state_ == State::Idle && !expected && !again && cancelled_.erase(peer) == 0) complain("a BYE for no call");
  const bool ofAnother = state_ != State::Idle && peer != "gateway" &&
                         (again || peer != (state_ == State::Ringing ? waitingPeer_ : peer_));
  if (ofAnother && line_.counts()) return;
  endCall(droppedOffer_ || ofAnother ? End::ByPage : End::ByGateway);
}

// ---- what the page does ----

void Page::accept() {
  peer_ = waitingPeer_;
  direction_ = Direction::SendRecv;
  if (!waiting_) {  // INVITE: we are asked for the offer
    media_.open(true);
    ++id_;
    seq_ = 0;
    sendOffer(direction_);
    state_ = State::Calling;
    return;
  }
  if (!std::exchange(answeredProvisionally_, false)) media_.open(false);
  sendAnswer();
  state_ = State::InCall;
}

void Page::reject() {
  peer_ = waitingPeer_;
  hangUp();
}

void Page::hangUp() {
  if (state_ == State::Calling && !line_.counts()) cancelled_.insert(peer_);
  gaveUpOwn_ = state_ != State::Ringing;
  post("BYE");
  endCall(End::ByPage);
}

void Page::sendAnswer(bool moreComing) {
  const roap::Message offer = *waiting_;
  if (!moreComing) waiting_.reset();
  changedAt_ = clock_.now();
  seq_ = offer.seq.value_or(1);
  media_.setDirection(direction_);
  if (!media_.read(offer.sdp, true, direction_)) return;
  post(roap::fromPage({.type = roap::MessageType::Answer,
                       .sdp = media_.write(false, direction_),
                       .offererSessionId = offer.offererSessionId,
                       .answererSessionId = roap::SessionId::number(id_),
                       .seq = offer.seq,
                       .moreComing = moreComing}));
  if (!moreComing) okAwaitedSince_ = clock_.now();
}

void Page::call(const std::string& to) {
  peer_ = to;
  direction_ = Direction::SendRecv;
  media_.open(true);
  ++id_;
  seq_ = 0;
  sendOffer(direction_);
  state_ = State::Calling;
}

void Page::sendOffer(Direction direction) {
  if (seq_ == 0) line_.forgiveProbes();
  offerOpen_ = true;
  droppedOffer_ = false;
  changedAt_ = clock_.now();
  media_.setDirection(direction);
  if (!line_.counts())
    okAwaitedSince_.reset();  // its ANSWER may come later than this, and is then to an OFFER that is void
  const std::string body = roap::fromPage({.type = roap::MessageType::Offer,
                                           .sdp = media_.write(true, direction),
                                           .offererSessionId = roap::SessionId::number(id_),
                                           .seq = ++seq_,
                                           .tiebreaker = 1 + static_cast<std::uint32_t>(random_.below(429496722))});
  post(body);
  if (random_.below(20) == 0) {  // the POST's reply was lost: the page posts the same again after 3 s
    clock_.after(std::chrono::seconds(3), [this, body, peer = peer_, epoch = epoch_] {
      if (epoch == epoch_) line_.post(peer, body);
    });
  }
}

void Page::offerAgain(Direction direction, bool restart) {
  direction_ = direction;
  if (restart) media_.restartIce();
  sendOffer(direction);
}

void Page::renew() {
  media_.renew(!missed_);  // without the BYE that the page missed it is another call's
  seq_ = 0;
  sendOffer(direction_);
}

void Page::sendInfos() {
  for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) {
    // What one in the field posts overtakes itself: it has no order.
    const std::string name = line_.counts() ? user_ : user_ + "." + std::to_string(random_.next<std::uint32_t>());
    post((random_.below(2) == 0 ? "INFO-PEER " : "INFO-MAP ") + infos_.next(name));
  }
}

void Page::transfer(const std::string& to) {
  ++counters_.blindAsked;
  transferAttended_ = false;
  post(R"(TRANSFER {"to":")" + to + R"("})");
}

void Page::transferTo(const Page& other) {
  ++counters_.attendedAsked;
  transferAttended_ = true;
  post(R"(TRANSFER {"to":")" + (other.farEnd_.empty() ? other.peer_ : other.farEnd_) + R"(","replaces":")" +
       other.dialog_ + R"("})");
}

void Page::endCall(End how) {
  if (state_ == State::InCall) lateOfferTo_ = offerOpen_ && !line_.counts() ? peer_ : std::string();
  ended_ = how;
  line_.stopRetrying();
  unsure_ = false;
  media_.close();
  dialog_.clear();
  farEnd_.clear();
  offerOpen_ = answeredProvisionally_ = false;
  okAwaitedSince_.reset();
  waiting_.reset();
  if (state_ != State::Out && state_ != State::SigningIn) state_ = State::Idle;
}

}  // namespace crosspoint::sim
