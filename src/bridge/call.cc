#include "bridge/call.h"

#include <algorithm>

#include "bridge/reason.h"
#include "bridge/sessions.h"

namespace crosspoint::bridge {
namespace {

constexpr Duration kPageAnswersWithin = std::chrono::seconds(40);  // a later offer; the first one rings

call::Machine::Config machineConfig(const Config& config, Call::Kind kind) {
  using enum call::LegKind;
  call::Machine::Config result{.earlyAnswer = config.earlyMedia, .answerMax = config.noAnswerMax, .updateMax = kPageAnswersWithin};
  result.caller = kind == Call::Kind::SipToPage ? Sip : Browser;
  result.callee = kind == Call::Kind::SipToPage ? Browser : kind == Call::Kind::PageToSelf ? Mirror : Sip;
  return result;
}

std::vector<std::string> candidateLines(const roap::Content& content) {
  std::vector<std::string> lines;
  for (const auto& entry : content.candidates) lines.push_back(entry.candidate);
  return lines;
}

}  // namespace

Call::Call(const Shared& shared, CallSlot slot, Kind kind, Session& session, std::string peerName, TimePoint now)
    : shared_(shared),
      slot_(slot),
      kind_(kind),
      session_(&session),
      peerName_(std::move(peerName)),
      subject_("call=" + shared.dependencies.random.alphanumeric(8) + " page=" + session.user + " peer=" + peerName_),
      browser_(kind == Kind::SipToPage ? call::Side::Callee : call::Side::Caller),
      startedAt_(now),
      machine_(machineConfig(shared.config, kind)),
      browserLeg_(shared.config, shared.dependencies, kind == Kind::SipToPage, now),
      sipLeg_(shared.dependencies.ports, shared.dependencies.random),
      media_(browserLeg_.peer(), shared.dependencies.datagrams, shared.dependencies.random, shared.config.wallClock, shared.counters,
             now) {
  session.call = this;
  ++shared_.counters.callsStarted;
  drainPeer(now);
}

Call::~Call() { shared_.demultiplexer.remove(slot_); }

void Call::log(LogLevel level, std::string_view event) const { shared_.dependencies.log.write(level, subject_, event); }

// ---- the page ----

void Call::handlePageOffer(TimePoint now, const roap::Content& content) {
  const auto media = browserLeg_.read(now, true, content.sdp, candidateLines(content));
  drainPeer(now);
  if (!media) {
    ++shared_.counters.badMessages;
    log(LogLevel::Warning, "the page's offer cannot be used: " + media.error());
    if (machine_.state() == call::State::Active) {
      session_->roap.refuse(now, roap::ErrorType::Failed, 400, media.error());
    } else {
      end(now, {call::Cause::Failed, 400, "The offer cannot be used: " + media.error()});
    }
    return;
  }
  machine_.handleOffer(now, browser_, *media);
  run(now);
}

void Call::handlePageAnswer(TimePoint now, const roap::Content& content) {
  const auto media = browserLeg_.read(now, false, content.sdp, candidateLines(content));
  drainPeer(now);
  if (!media) {
    ++shared_.counters.badMessages;
    log(LogLevel::Warning, "the page's answer cannot be used: " + media.error());
    if (machine_.state() == call::State::Active) {
      machine_.handleOfferFailed(now, browser_);
      run(now);
    } else {
      end(now, {call::Cause::Failed, 500, "The page's answer cannot be used: " + media.error()});
    }
    return;
  }
  machine_.handleAnswer(now, browser_, *media);
  run(now);
}

void Call::handlePageOfferFailed(TimePoint now) {
  if (machine_.state() == call::State::Active) {
    machine_.handleOfferFailed(now, browser_);
    run(now);
  } else {
    end(now, {call::Cause::Refused, 480, "The page refused the offer"});
  }
}

// The page can take an offer now; it is written with what holds now, not with what held when it was wanted.
void Call::handleOfferPossible(TimePoint now) {
  if (!machine_.offerPending(browser_)) return;
  const bool first = machine_.state() != call::State::Active;
  session_->roap.offer(now, {.sdp = writeToPage(now, true, machine_.told(browser_))},
                       first ? std::nullopt : std::optional(kPageAnswersWithin));
}

void Call::hangUpByPage(TimePoint now) {
  session_->roap.endCall(now);
  const bool established = machine_.state() == call::State::Active;
  const call::Reason reason = established                 ? call::Reason{call::Cause::HungUp, 0, "The page hung up"}
                              : kind_ == Kind::PageToSip ? call::Reason{call::Cause::Cancelled, 487, "The page cancelled"}
                                                         : call::Reason{call::Cause::Refused, 603, "Declined by the page"};
  if (kind_ == Kind::SipToPageWithoutOffer && machine_.state() == call::State::New) {
    endSip(now, reason);  // the machine knows only legs that have begun
  }
  machine_.handleEnd(browser_, reason);
  run(now);
}

void Call::handleSessionGone(TimePoint now) {
  machine_.handleEnd(browser_, {call::Cause::SessionGone, 480, "The page signed out or vanished"});
  run(now);
  session_ = nullptr;
}

void Call::sendInfo(TimePoint now, std::string contentType, std::string body) {
  if (sipCall_) static_cast<void>(shared_.agent.sendInfo(now, *sipCall_, std::move(contentType), std::move(body)));
}

std::string Call::writeToPage(TimePoint now, bool offer, const call::Media& media) {
  std::array<SentStream, call::kStreams> sent;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = {media_.ssrcToPage(i), media_.cname()};
  return browserLeg_.write(now, offer, media, sent);
}

// ---- SIP ----

void Call::startFromSip(TimePoint now, const sip::IncomingCall& incoming) {
  sipCall_ = incoming.call;
  static_cast<void>(shared_.agent.setCredentials(incoming.call, session_->credentials));
  if (!incoming.sdp) {
    static_cast<void>(shared_.agent.ring(now, incoming.call));
    session_->queue.push("INVITE", peerName_);
    return;
  }
  const auto media = sipLeg_.read(*incoming.sdp);
  if (!media) {
    ++shared_.counters.badMessages;
    end(now, {call::Cause::Failed, 400, "The SIP offer cannot be read: " + media.error()});
    return;
  }
  machine_.handleOffer(now, call::Side::Caller, *media);
  machine_.handleProgress(now, std::nullopt);
  run(now);
}

void Call::handle(TimePoint now, const sip::Event& event) {
  if (const auto* ringing = std::get_if<sip::Ringing>(&event)) {
    if (ringing->status >= 180) machine_.handleProgress(now, std::nullopt);
  } else if (const auto* early = std::get_if<sip::EarlyMedia>(&event)) {
    handleSipMedia(now, early->sdp, false);
  } else if (const auto* answered = std::get_if<sip::Answered>(&event)) {
    sipEstablished_ = true;
    handleSipMedia(now, answered->sdp, true);
  } else if (const auto* confirmed = std::get_if<sip::Confirmed>(&event)) {
    if (confirmed->sdp) handleSipMedia(now, confirmed->sdp, true);
  } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
    handleSipOffer(now, offer->sdp);
  } else if (const auto* answer = std::get_if<sip::OfferAnswered>(&event)) {
    if (std::exchange(sipAsked_, false)) {
      if (const auto media = sipLeg_.read(answer->sdp)) machine_.handleOffer(now, sipSide(), *media);
    } else {
      handleSipMedia(now, answer->sdp, true);
    }
  } else if (std::holds_alternative<sip::OfferFailed>(event)) {
    machine_.handleOfferFailed(now, sipSide());
  } else if (const auto* info = std::get_if<sip::InfoReceived>(&event)) {
    if (session_ != nullptr) session_->queue.push("INFO-PEER " + info->body, peerName_);
  } else if (const auto* notify = std::get_if<sip::NotifyReceived>(&event)) {
    if (session_ != nullptr && notify->event == "talk") session_->queue.push("EVENT-TALK", peerName_);
    if (session_ != nullptr && notify->event == "hold") session_->queue.push("EVENT-HOLD", peerName_);
  } else if (const auto* gone = std::get_if<sip::Ended>(&event)) {
    handleSipEnded(now, *gone);
  }
  run(now);
}

// An answer of the SIP side: early, final, or to a later offer.
void Call::handleSipMedia(TimePoint now, const std::optional<std::string>& sdp, bool final) {
  if (!sdp) {  // the early answer stands
    if (final) machine_.handleAnswer(now, sipSide(), machine_.described(sipSide()));
    return;
  }
  const auto media = sipLeg_.read(*sdp);
  if (!media) {
    ++shared_.counters.badMessages;
    log(LogLevel::Warning, "the SIP answer cannot be read: " + media.error());
    if (machine_.state() == call::State::Active) machine_.handleOfferFailed(now, sipSide());
    else if (final) machine_.end({call::Cause::Failed, 500, "The SIP answer cannot be read: " + media.error()});
    return;
  }
  if (final) machine_.handleAnswer(now, sipSide(), *media);
  else machine_.handleProgress(now, *media);
}

void Call::handleSipOffer(TimePoint now, const std::optional<std::string>& sdp) {
  if (!sdp) {  // RFC 3261 §14.2: we are to make the offer; the far end's answer says what it wants now
    const auto text = sipLeg_.write(machine_.told(sipSide()), true);
    sipAsked_ = text && shared_.agent.answerOffer(now, *sipCall_, *text).has_value();
    if (!sipAsked_) static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, 500));
    return;
  }
  const auto media = sipLeg_.read(*sdp);
  if (media) {
    machine_.handleOffer(now, sipSide(), *media);
  } else {
    ++shared_.counters.badMessages;
    static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, 400));
  }
}

void Call::handleSipEnded(TimePoint now, const sip::Ended& event) {
  sipCall_.reset();
  const call::Reason reason = reasonFromSip(event, kind_ == Kind::PageToSip);
  if (machine_.state() == call::State::New) {  // the page was asked for an offer and has not made it
    endPage(reason);
  }
  machine_.handleEnd(sipSide(), reason);
  run(now);
}

void Call::offerToSip(TimePoint now, const call::Media& media) {
  auto sdp = sipLeg_.write(media, true);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    if (machine_.state() == call::State::Active) machine_.handleOfferFailed(now, sipSide());
    else machine_.end({call::Cause::Limit, 503, "The gateway has no RTP port left"});
    return;
  }
  if (kind_ == Kind::SipToPageWithoutOffer && !sipEstablished_) {
    sipEstablished_ = true;
    static_cast<void>(shared_.agent.accept(now, *sipCall_, std::move(*sdp)));
  } else if (sipEstablished_) {
    if (!shared_.agent.reInvite(now, *sipCall_, std::move(*sdp))) machine_.handleOfferFailed(now, sipSide());
  } else {
    auto call = shared_.agent.invite(now, {.fromUser = session_->user,
                                           .to = peerName_,
                                           .credentials = session_->credentials,
                                           .sdp = std::move(*sdp)});
    if (call) {
      sipCall_ = *call;
    } else {
      machine_.end({call::Cause::Failed, 400, "The call to " + peerName_ + " cannot be made: " +
                                                  std::string(sip::toString(call.error()))});
    }
  }
}

// ---- what the machine says ----

void Call::run(TimePoint now) {
  while (auto output = machine_.pollOutput()) {
    std::visit([&](auto& what) { carryOut(now, what); }, *output);
  }
}

void Call::carryOut(TimePoint now, call::Machine::SendOffer& offer) {
  if (offer.to == browser_) {
    if (session_ != nullptr) session_->roap.wantOffer(now);
  } else if (kind_ == Kind::PageToSelf) {
    for (auto& stream : offer.media) stream.direction = reversed(stream.direction);
    machine_.handleAnswer(now, offer.to, offer.media);
  } else if (sipCall_ || kind_ == Kind::PageToSip) {
    offerToSip(now, offer.media);
  }
}

void Call::carryOut(TimePoint now, call::Machine::SendRinging& ringing) {
  if (ringing.to == browser_) {
    if (session_ != nullptr && session_->wantsProgress) session_->queue.push(R"(PROGRESS {"state":"ringing"})", peerName_);
  } else if (sipCall_) {
    static_cast<void>(shared_.agent.ring(now, *sipCall_));
  }
}

void Call::carryOut(TimePoint now, call::Machine::SendAnswer& answer) {
  if (answer.to == browser_) {
    if (session_ != nullptr) session_->roap.answer(now, {.sdp = writeToPage(now, false, answer.media)});
    return;
  }
  if (!sipCall_) return;
  const bool first = kind_ == Kind::SipToPage && !sipEstablished_;
  if (first) sipEstablished_ = true;
  // After a re-INVITE without SDP the far end's answer was taken as an offer: nobody waits for an answer to it.
  auto sdp = sipLeg_.write(answer.media, false);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    if (first) machine_.end({call::Cause::Limit, 503, "The gateway has no RTP port left"});
    else static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, 500));
    return;
  }
  if (first) static_cast<void>(shared_.agent.accept(now, *sipCall_, std::move(*sdp)));
  else static_cast<void>(shared_.agent.answerOffer(now, *sipCall_, std::move(*sdp)));
}

void Call::carryOut(TimePoint now, call::Machine::RefuseOffer& refusal) {
  if (refusal.to == browser_) {
    if (session_ != nullptr) {
      session_->roap.refuse(now, roap::ErrorType::Conflict, static_cast<std::uint16_t>(refusal.sipStatus), "Another offer is open");
    }
  } else if (sipCall_) {
    static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, refusal.sipStatus));
  }
}

void Call::carryOut(TimePoint now, call::Machine::RoutesChanged&) {
  for (std::size_t i = 0; i < call::kStreams; ++i) {
    const auto& ports = sipLeg_.ports(i);
    const auto& rtp = sipLeg_.announcedRtp(i);
    if (kind_ != Kind::PageToSelf && ports && rtp) {
      media_.setSipEnd(i, MediaPath::SipEnd{*ports, *rtp, *sipLeg_.announcedRtcp(i)});
    }
  }
  media_.configure(now, machine_, browser_);
  if (machine_.state() == call::State::Active && !std::exchange(answered_, true)) {
    ++shared_.counters.callsAnswered;
    log(LogLevel::Info, "answered");
    if (session_ != nullptr && session_->wantsProgress) session_->queue.push(R"(PROGRESS {"state":"answered"})", peerName_);
  }
}

void Call::carryOut(TimePoint now, call::Machine::EndLeg& leg) {
  if (leg.side == browser_) endPage(leg.reason);
  else endSip(now, leg.reason);
}

void Call::carryOut(TimePoint now, call::Machine::Ended& ended) {
  if (ended_) return;
  ended_ = true;
  ++shared_.counters.callsEnded;
  if (!answered_) ++shared_.counters.callsFailed;
  media_.close(now);
  browserLeg_.peer().close(now);
  drainPeer(now);
  if (session_ != nullptr) session_->roap.endCall(now);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - startedAt_).count();
  log(LogLevel::Info, "ended after " + std::to_string(seconds) + " s: " + toText(ended.reason));
}

void Call::endPage(const call::Reason& reason) {
  if (session_ == nullptr) return;
  if (reason.cause != call::Cause::HungUp && reason.cause != call::Cause::Cancelled) {
    session_->queue.push(roap::toPage(errorMessage(reason)), peerName_);
  }
  session_->queue.push("BYE", peerName_);
}

void Call::endSip(TimePoint now, const call::Reason& reason) {
  if (!sipCall_) return;
  const bool incomingUnanswered = kind_ != Kind::PageToSip && !sipEstablished_;
  const int status = reason.sipStatus >= 400 ? reason.sipStatus : 480;
  if (!incomingUnanswered || !shared_.agent.reject(now, *sipCall_, status)) static_cast<void>(shared_.agent.hangUp(now, *sipCall_));
}

void Call::end(TimePoint now, const call::Reason& reason) {
  if (machine_.state() == call::State::New) {
    endPage(reason);
    endSip(now, reason);
    machine_.handleEnd(browser_, reason);
  } else {
    machine_.end(reason);
  }
  run(now);
}

// ---- the peer ----

void Call::handleBrowserDatagram(TimePoint now, Datagram& datagram) {
  switch (browserLeg_.peer().handleDatagram(now, datagram)) {
    case peer::Received::Rtp: media_.handleBrowserRtp(now, datagram); return;
    case peer::Received::Rtcp: media_.handleBrowserRtcp(now, datagram); return;
    case peer::Received::Dropped: ++shared_.counters.packetsDropped; return;
    case peer::Received::Control: drainPeer(now);
  }
}

void Call::drainPeer(TimePoint now) {
  auto& peer = browserLeg_.peer();
  shared_.demultiplexer.addUfrag(peer.localCredentials().ufrag, slot_);
  while (auto output = peer.pollOutput()) {
    if (auto* send = std::get_if<peer::SendDatagram>(&*output)) {
      shared_.dependencies.datagrams.send(send->socket, send->remote, send->bytes);
    } else if (auto* validated = std::get_if<peer::AddressValidated>(&*output)) {
      shared_.demultiplexer.addAddress(validated->socket, validated->remote, slot_);
    } else if (auto* changed = std::get_if<peer::StateChanged>(&*output)) {
      handlePeerState(now, *changed);
    }
  }
}

void Call::handlePeerState(TimePoint now, const peer::StateChanged& changed) {
  if (changed.state == peer::State::Connected) {
    mediaLostAt_.reset();
    log(LogLevel::Info, "media connected");
  } else if (changed.state == peer::State::Failed || (changed.state == peer::State::Closed && !ended_)) {
    log(LogLevel::Warning, std::string("media lost: ") + peer::toString(changed.reason));
    if (!ended_) mediaLostAt_ = now;
  } else if (changed.state == peer::State::Disconnected) {
    log(LogLevel::Info, "media interrupted");
  }
}

void Call::handleTimeout(TimePoint now) {
  if (ended_) return;
  browserLeg_.peer().handleTimeout(now);
  drainPeer(now);
  media_.handleTimeout(now);
  machine_.handleTimeout(now);
  run(now);
  if (mediaLostAt_ && now >= *mediaLostAt_ + kMediaLostMax) {
    mediaLostAt_.reset();
    end(now, {call::Cause::MediaLost, 0, "The connection to the page was lost"});
  }
}

std::optional<TimePoint> Call::nextTimeout() const {
  if (ended_) return std::nullopt;
  auto next = earlier(browserLeg_.peer().nextTimeout(), media_.nextTimeout());
  next = earlier(next, machine_.nextTimeout());
  if (mediaLostAt_) next = earlier(next, *mediaLostAt_ + kMediaLostMax);
  return next;
}

}  // namespace crosspoint::bridge
