#include "bridge/call.h"

#include <algorithm>
#include <utility>

#include "bridge/reason.h"
#include "bridge/sessions.h"
#include "core/sip/refer.h"

namespace crosspoint::bridge {
namespace {

constexpr Duration kUpdateMax = std::chrono::seconds(40);  // for the answer to a later offer

call::Machine::Config machineConfig(const Config& config, Call::Kind kind, const Session& session) {
  using enum call::LegKind;
  call::Machine::Config result{.earlyAnswer = config.earlyMedia,
                               .provisionalAnswer = session.roap.provisionalAnswers(),
                               .answerMax = config.noAnswerMax,
                               .updateMax = kUpdateMax};
  result.caller = kind == Call::Kind::SipToPage ? Sip : Browser;
  result.callee = kind == Call::Kind::SipToPage ? Browser : kind == Call::Kind::PageToSelf ? Mirror : Sip;
  return result;
}

}  // namespace

Call::Call(const Shared& shared, CallSlot slot, Kind kind, Session& session, std::string peerName, std::string target,
           TimePoint now)
    : shared_(shared),
      slot_(slot),
      kind_(kind),
      session_(&session),
      peerName_(std::move(peerName)),
      target_(std::move(target)),
      subject_("call=" + shared.dependencies.random.alphanumeric(8) + " page=" + session.user + " peer=" + peerName_),
      browser_(kind == Kind::SipToPage ? call::Side::Callee : call::Side::Caller),
      startedAt_(now),
      machine_(machineConfig(shared.config, kind, session)),
      browserLeg_(shared.config, shared.dependencies, kind == Kind::SipToPage, now),
      sipLeg_(makeSipLeg()),
      media_(kind == Kind::PageToSelf ? MediaPath::Shape::Mirror : MediaPath::Shape::PageToSip, browserLeg_.peer(),
             shared.dependencies.datagrams, shared.dependencies.random, shared.config.wallClock, shared.counters, now),
      queuedBefore_(session.queue.lastSequence()),
      pageKnows_(kind == Kind::PageToSip || kind == Kind::PageToSelf) {
  session.call = this;
  ++shared_.counters.callsStarted;
  drainPeer(now);
}

Call::~Call() { shared_.demultiplexer.remove(slot_); }

void Call::log(LogLevel level, std::string_view event) const { shared_.dependencies.log.write(level, subject_, event); }

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
    if (session_ != nullptr && session_->wantsProgress) tellPage(progressMessage("ringing"), PageQueue::Kind::Chatter);
  } else if (sipCall_) {
    static_cast<void>(shared_.agent.ring(now, *sipCall_));
  }
}

void Call::carryOut(TimePoint now, call::Machine::SendAnswer& answer) {
  if (answer.to != browser_) return answerToSip(now, answer.media);
  if (session_ != nullptr) session_->roap.answer(now, contentToPage(now, false, answer.media), answer.provisional);
}

void Call::carryOut(TimePoint now, call::Machine::RefuseOffer& refusal) {
  if (refusal.to == browser_)
    refuseToPage(now, refusal.sipStatus);
  else
    refuseToSip(now, refusal.sipStatus);
}

void Call::carryOut(TimePoint, call::Machine::AskForOffer&) { prompt("INVITE"); }

void Call::carryOut(TimePoint now, call::Machine::RoutesChanged&) {
  for (std::size_t i = 0; i < call::kStreams && kind_ != Kind::PageToSelf; ++i) {
    const auto& ports = sipLeg_->ports(i);
    const auto& rtp = sipLeg_->announcedRtp(i);
    if (ports && rtp) {
      media_.setSipEnd(i, MediaPath::SipEnd{*ports, *rtp, *sipLeg_->announcedRtcp(i)});
    } else if (!machine_.described(sipSide())[i].present()) {
      media_.setSipEnd(i, std::nullopt);
    } else if (ports && !media_.hasSipEnd(i)) {
      media_.setSipEnd(i, MediaPath::SipEnd{*ports, {}, {}});
    }
  }
  media_.configure(now, machine_, browser_);
  if (machine_.state() == call::State::Active && !std::exchange(answered_, true)) {
    ++shared_.counters.callsAnswered;
    log(LogLevel::Info, "answered");
    tellAnswered(false);
  }
}

// With the address of a far end that is not the one whom the page called, or was called by.
void Call::tellAnswered(bool byAnother) {
  if (session_ == nullptr || !session_->wantsProgress) return;
  const auto dialog = sipCall_ ? shared_.agent.dialogOf(*sipCall_) : std::nullopt;
  const auto farEnd = sipCall_ && byAnother ? shared_.agent.farEndOf(*sipCall_) : std::nullopt;
  tellPage(progressMessage("answered", 0, {}, dialog ? sip::toString(*dialog) : "", farEnd ? farEnd->toString() : ""),
           PageQueue::Kind::Chatter);
}

void Call::carryOut(TimePoint now, call::Machine::EndLeg& leg) {
  if (leg.side != browser_) return endSip(now, leg.reason);
  // A call that went before the page has fetched anything of it was never there.
  const bool cameIn = kind_ == Kind::SipToPage || kind_ == Kind::SipToPageWithoutOffer;
  const bool unread = cameIn && !answered_ && session_ != nullptr && session_->queue.takeBackBehind(queuedBefore_);
  if (!unread) endPage(leg.reason);
}

void Call::carryOut(TimePoint now, call::Machine::Ended& ended) {
  if (ended_) return;
  ended_ = true;
  ++shared_.counters.callsEnded;
  if (!answered_) ++shared_.counters.callsFailed;
  abandonNext(now, 487);
  leaveFormer(now);
  if (ended.reason.cause != call::Cause::SessionGone) tellStatistics(now);  // after BYE, which must not wait
  media_.close(now);
  browserLeg_.peer().close(now);
  drainPeer(now);
  if (session_ != nullptr) session_->roap.endCall(now);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - startedAt_).count();
  log(LogLevel::Info, "ended after " + std::to_string(seconds) + " s: " + toText(ended.reason));
}

void Call::end(TimePoint now, const call::Reason& reason) {
  machine_.end(reason);
  run(now);
}

// ---- the peer ----

void Call::handleBrowserDatagram(TimePoint now, Datagram& datagram) {
  switch (browserLeg_.peer().handleDatagram(now, datagram)) {
    case peer::Received::Rtp:
      media_.handleBrowserRtp(now, datagram);
      return;
    case peer::Received::Rtcp:
      media_.handleBrowserRtcp(now, datagram);
      return;
    case peer::Received::Dropped:
      ++shared_.counters.packetsDropped;
      return;
    case peer::Received::Control:
      drainPeer(now);
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
  if (former_ && now >= former_->patienceEnds) leaveFormer(now);
  if (mediaLostAt_ && now >= *mediaLostAt_ + kMediaLostMax) {
    mediaLostAt_.reset();
    end(now, {call::Cause::MediaLost, 0, "The connection to the page was lost"});
  }
}

std::optional<TimePoint> Call::nextTimeout() const {
  if (ended_) return std::nullopt;
  auto next = earlier(browserLeg_.peer().nextTimeout(), media_.nextTimeout());
  next = earlier(next, earlier(machine_.nextTimeout(), prompts_.nextTimeout()));
  if (former_) next = earlier(next, former_->patienceEnds);
  if (mediaLostAt_) next = earlier(next, *mediaLostAt_ + kMediaLostMax);
  return next;
}

}  // namespace crosspoint::bridge
