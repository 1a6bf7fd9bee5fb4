// The SIP leg of a call: what SIP says, and what is said to it.
#include "bridge/call.h"
#include "bridge/reason.h"
#include "bridge/sessions.h"

namespace crosspoint::bridge {

void Call::startFromSip(TimePoint now, const sip::IncomingCall& incoming) {
  sipCall_ = incoming.call;
  static_cast<void>(shared_.agent.setCredentials(incoming.call, session_->credentials));
  if (!incoming.sdp) {
    static_cast<void>(shared_.agent.ring(now, incoming.call));
    pageKnows_ = true;
    tellPage("INVITE");
    return;
  }
  const auto media = sipLeg_.read(true, *incoming.sdp);
  if (!media) {
    ++shared_.counters.badMessages;
    end(now, {call::Cause::Failed, 400, "The SIP offer cannot be read: " + media.error()});
    return;
  }
  machine_.handleOffer(now, call::Side::Caller, *media);
  machine_.handleProgress(now, std::nullopt);
  run(now);
}

// ---- what SIP says ----

void Call::handle(TimePoint now, const sip::Event& event) {
  if (const auto* ringing = std::get_if<sip::Ringing>(&event)) {
    if (ringing->status >= 180) machine_.handleProgress(now, std::nullopt);
  } else if (const auto* early = std::get_if<sip::EarlyMedia>(&event)) {
    media_.followBranch(now, early->branch);
    handleSipMedia(now, early->sdp, false);
  } else if (const auto* answered = std::get_if<sip::Answered>(&event)) {
    sipEstablished_ = true;
    media_.followBranch(now, answered->branch);
    handleSipMedia(now, answered->sdp, true);
  } else if (const auto* confirmed = std::get_if<sip::Confirmed>(&event)) {
    if (confirmed->sdp) handleSipMedia(now, confirmed->sdp, true);
  } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
    handleSipOffer(now, offer->sdp);
  } else if (std::holds_alternative<sip::OfferWithdrawn>(event)) {
    sipAsked_ = false;
    sipLeg_.undoOffer();
    machine_.handleOfferWithdrawn(now, sipSide());
  } else if (const auto* answer = std::get_if<sip::OfferAnswered>(&event)) {
    handleSipOfferSettled(now, answer->sdp);
  } else if (std::holds_alternative<sip::OfferFailed>(event)) {
    handleSipOfferSettled(now, std::nullopt);
  } else if (const auto* info = std::get_if<sip::InfoReceived>(&event)) {
    handleSipInfo(*info);
  } else if (const auto* notify = std::get_if<sip::NotifyReceived>(&event)) {
    if (notify->event == "talk") prompt("EVENT-TALK");
    if (notify->event == "hold") prompt("EVENT-HOLD");
  } else if (const auto* gone = std::get_if<sip::Ended>(&event)) {
    sipCall_.reset();
    machine_.handleEnd(sipSide(), reasonFromSip(*gone, kind_ == Kind::PageToSip));
  }
  run(now);
}

// An answer of the SIP side: early, final, or to a later offer.
void Call::handleSipMedia(TimePoint now, const std::optional<std::string>& sdp, bool final) {
  if (!sdp) {  // the early answer stands
    if (final) machine_.handleAnswer(now, sipSide(), machine_.described(sipSide()));
    return;
  }
  const auto media = sipLeg_.read(false, *sdp);
  if (!media) {
    ++shared_.counters.badMessages;
    log(LogLevel::Warning, "the SIP answer cannot be read: " + media.error());
    if (machine_.state() == call::State::Active) {
      machine_.handleOfferFailed(now, sipSide());
    } else if (final) {
      machine_.end({call::Cause::Failed, 500, "The SIP answer cannot be read: " + media.error()});
    }
    return;
  }
  if (final)
    machine_.handleAnswer(now, sipSide(), *media);
  else
    machine_.handleProgress(now, *media);
}

// A later offer of ours has its answer, or (without SDP) has failed.
void Call::handleSipOfferSettled(TimePoint now, const std::optional<std::string>& sdp) {
  if (std::exchange(sipOfferWaits_, false)) {  // it was one that we had given up; now the one behind it can go
    if (sdp) static_cast<void>(sipLeg_.read(false, *sdp));
    if (machine_.offerPending(sipSide())) offerToSip(now, machine_.told(sipSide()));
  } else if (sdp) {
    handleSipMedia(now, sdp, true);
  } else {
    machine_.handleOfferFailed(now, sipSide());
  }
}

void Call::handleSipOffer(TimePoint now, const std::optional<std::string>& sdp) {
  sipOfferWaits_ = false;
  if (!sdp) {  // RFC 3261 §14.2: we are to make the offer
    sipAsked_ = true;
    machine_.handleOfferRequest(now, sipSide());
    return;
  }
  const auto media = sipLeg_.read(true, *sdp);
  if (media) {
    machine_.handleOffer(now, sipSide(), *media);
  } else {
    ++shared_.counters.badMessages;
    static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, 400));
  }
}

void Call::handleSipInfo(const sip::InfoReceived& info) {
  if (info.body.size() > roap::kInfoBytesMax) {
    ++shared_.counters.limitsReached;
    return;
  }
  tellPage("INFO-PEER " + info.body, PageQueue::Kind::Chatter);
}

// ---- what is said to SIP ----

void Call::sendInfo(TimePoint now, std::string contentType, std::string body) {
  if (sipCall_) static_cast<void>(shared_.agent.sendInfo(now, *sipCall_, std::move(contentType), std::move(body)));
}

void Call::offerToSip(TimePoint now, const call::Media& media) {
  auto sdp = sipLeg_.write(media, true);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    if (std::exchange(sipAsked_, false)) static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, 500));
    if (machine_.state() == call::State::Active)
      machine_.handleOfferFailed(now, sipSide());
    else
      machine_.end({call::Cause::Limit, 503, "The gateway has no RTP port left"});
    return;
  }
  if (kind_ == Kind::SipToPageWithoutOffer && !sipEstablished_) {
    sipEstablished_ = true;
    static_cast<void>(shared_.agent.accept(now, *sipCall_, std::move(*sdp)));
  } else if (std::exchange(sipAsked_, false)) {
    if (!shared_.agent.answerOffer(now, *sipCall_, std::move(*sdp))) machine_.handleOfferFailed(now, sipSide());
  } else if (sipEstablished_) {
    const auto sent = shared_.agent.reInvite(now, *sipCall_, std::move(*sdp));
    if (sent) return;
    sipOfferWaits_ = sent.error() == sip::CommandError::OfferPending;
    if (!sipOfferWaits_) machine_.handleOfferFailed(now, sipSide());
  } else {
    inviteSip(now, std::move(*sdp));
  }
}

void Call::inviteSip(TimePoint now, std::string sdp) {
  auto call = shared_.agent.invite(
      now, {.fromUser = session_->user, .to = target_, .credentials = session_->credentials, .sdp = std::move(sdp)});
  if (call) {
    sipCall_ = *call;
    return;
  }
  const bool limit = call.error() == sip::CommandError::TooMany;
  if (limit) ++shared_.counters.limitsReached;
  machine_.end({limit ? call::Cause::Limit : call::Cause::Failed, limit ? 503 : 400,
                "The call to " + peerName_ + " cannot be made: " + std::string(sip::toString(call.error()))});
}

void Call::answerToSip(TimePoint now, const call::Media& media) {
  if (!sipCall_) return;
  const bool first = kind_ == Kind::SipToPage && !sipEstablished_;
  auto sdp = sipLeg_.write(media, false);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    if (first)
      machine_.end({call::Cause::Limit, 503, "The gateway has no RTP port left"});
    else
      static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, 500));
    return;
  }
  if (first) {
    sipEstablished_ = true;
    static_cast<void>(shared_.agent.accept(now, *sipCall_, std::move(*sdp)));
  } else {
    static_cast<void>(shared_.agent.answerOffer(now, *sipCall_, std::move(*sdp)));
  }
}

void Call::refuseToSip(TimePoint now, int sipStatus) {
  if (!std::exchange(sipAsked_, false)) sipLeg_.undoOffer();
  if (sipCall_) static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, sipStatus));
}

void Call::endSip(TimePoint now, const call::Reason& reason) {
  if (!sipCall_) return;
  const bool incomingUnanswered = kind_ != Kind::PageToSip && !sipEstablished_;
  const bool ourOwn = reason.cause == call::Cause::NoAnswer;  // RFC 3261 §21.4.18 rather than a time-out
  const int status = reason.sipStatus >= 400 && !ourOwn ? reason.sipStatus : 480;
  if (!incomingUnanswered || !shared_.agent.reject(now, *sipCall_, status))
    static_cast<void>(shared_.agent.hangUp(now, *sipCall_));
}

}  // namespace crosspoint::bridge
