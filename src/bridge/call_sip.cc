// The SIP leg of a call: what SIP says, and what is said to it.
#include <utility>

#include "bridge/attached_data.h"
#include "bridge/call.h"
#include "bridge/reason.h"
#include "bridge/sessions.h"
#include "bridge/text.h"

namespace crosspoint::bridge {
namespace {

// What an application sent: mapped, for the SIP server, or unmapped, for the far end (RFC 6086).
bool isData(std::string_view contentType) {
  contentType = contentType.substr(0, contentType.find(';'));
  while (contentType.ends_with(' ') || contentType.ends_with('\t')) contentType.remove_suffix(1);
  return namesEqual(contentType, "application/x-www-form-urlencoded") ||
         namesEqual(contentType, "application/octet-stream");
}

}  // namespace

void Call::startFromSip(TimePoint now, const sip::IncomingCall& incoming) {
  sipCall_ = incoming.call;
  static_cast<void>(shared_.agent.setCredentials(incoming.call, session_->credentials));
  takeAttached(incoming.extraHeaders);
  if (!incoming.sdp) {
    static_cast<void>(shared_.agent.ring(now, incoming.call));
    pageKnows_ = true;
    tellPage("INVITE");
    return;
  }
  const auto media = sipLeg_->read(true, *incoming.sdp);
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

void Call::handle(TimePoint now, sip::CallId id, const sip::Event& event) {
  if (next_ && id == next_->call) {
    handleNext(now, event);
  } else if (former_ && id == former_->call) {
    if (std::holds_alternative<sip::Ended>(event)) former_.reset();
    if (std::holds_alternative<sip::InfoFailed>(event)) handlePresent(now, event);  // said to it before it went
  } else {
    handlePresent(now, event);
  }
  run(now);
}

void Call::handlePresent(TimePoint now, const sip::Event& event) {
  if (const auto* ringing = std::get_if<sip::Ringing>(&event)) {
    if (ringing->status >= 180) machine_.handleProgress(now, std::nullopt);
  } else if (const auto* early = std::get_if<sip::EarlyMedia>(&event)) {
    hearBranch(now, early->branch, early->sdp);
    handleSipMedia(now, early->sdp, false);
  } else if (const auto* branch = std::get_if<sip::EarlyBranchEnded>(&event)) {
    leaveBranch(now, branch->branch);
  } else if (const auto* answered = std::get_if<sip::Answered>(&event)) {
    sipEstablished_ = true;
    earlyBranches_.clear();
    media_.followBranch(now, answered->branch);
    takeAttached(answered->extraHeaders);
    handleSipMedia(now, answered->sdp, true);
    sendWaitingInfos(now);
  } else if (const auto* confirmed = std::get_if<sip::Confirmed>(&event)) {
    if (confirmed->sdp) handleSipMedia(now, confirmed->sdp, true);
  } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
    handleSipOffer(now, *offer);
  } else if (std::holds_alternative<sip::OfferWithdrawn>(event)) {
    sipAsked_ = false;
    sipLeg_->undoOffer();
    machine_.handleOfferWithdrawn(now, sipSide());
  } else if (const auto* answer = std::get_if<sip::OfferAnswered>(&event)) {
    if (answer->refresh)
      handleRefreshed(now, answer->sdp);
    else
      handleSipOfferSettled(now, answer->sdp);
  } else if (const auto* refused = std::get_if<sip::OfferFailed>(&event)) {
    log(LogLevel::Info, "the far end has not taken a change of the call: " + std::to_string(refused->status));
    handleSipOfferSettled(now, std::nullopt);
  } else if (const auto* info = std::get_if<sip::InfoReceived>(&event)) {
    handleSipInfo(*info);
  } else if (const auto* failed = std::get_if<sip::InfoFailed>(&event)) {
    tellDataError({call::Cause::Failed, failed->status, "The other side did not take the data"});
  } else if (const auto* refer = std::get_if<sip::ReferReceived>(&event)) {
    handleRefer(now, *refer);
  } else if (const auto* progress = std::get_if<sip::ReferProgress>(&event)) {
    handleReferProgress(now, *progress);
  } else if (const auto* notify = std::get_if<sip::NotifyReceived>(&event)) {
    if (notify->event == "talk") prompt("EVENT-TALK");
    if (notify->event == "hold") prompt("EVENT-HOLD");
  } else if (const auto* gone = std::get_if<sip::Ended>(&event)) {
    handleSipEnd(*gone);
  }
}

// Of several early dialogs the one that spoke last is heard.
void Call::hearBranch(TimePoint now, std::uint32_t branch, const std::string& sdp) {
  media_.followBranch(now, branch);
  std::erase_if(earlyBranches_, [branch](const EarlyBranch& other) { return other.number == branch; });
  if (earlyBranches_.size() == kEarlyBranchesMax) earlyBranches_.erase(earlyBranches_.begin());
  earlyBranches_.push_back({branch, sdp});
}

// RFC 6228: it will not answer. If it was the one that is heard, the one that spoke before it is heard again.
void Call::leaveBranch(TimePoint now, std::uint32_t branch) {
  const bool heard = !earlyBranches_.empty() && earlyBranches_.back().number == branch;
  std::erase_if(earlyBranches_, [branch](const EarlyBranch& other) { return other.number == branch; });
  if (!heard || earlyBranches_.empty()) return;
  media_.followBranch(now, earlyBranches_.back().number);
  handleSipMedia(now, earlyBranches_.back().sdp, false);
}

void Call::handleSipEnd(const sip::Ended& gone) {
  if (next_ && gone.phase == sip::CallPhase::Established) return waitForNext();
  sipCall_.reset();
  machine_.handleEnd(sipSide(), reasonFromSip(gone, kind_ == Kind::PageToSip));
}

// An answer of the SIP side: early, final, or to a later offer.
void Call::handleSipMedia(TimePoint now, const std::optional<std::string>& sdp, bool final) {
  if (!sdp) {  // the early answer stands
    if (final) machine_.handleAnswer(now, sipSide(), machine_.described(sipSide()));
    return;
  }
  const auto media = sipLeg_->read(false, *sdp);
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
    if (sdp) static_cast<void>(sipLeg_->read(false, *sdp));
    if (machine_.offerPending(sipSide())) offerToSip(now, machine_.told(sipSide()));
  } else if (sdp) {
    handleSipMedia(now, sdp, true);
  } else {
    machine_.handleOfferFailed(now, sipSide());
  }
}

// The far end has answered a refresh of the session with something new (RFC 4028 §7.4): it is as if it had become
// another.
void Call::handleRefreshed(TimePoint now, const std::string& sdp) {
  const auto media = sipLeg_->read(false, sdp);
  const call::Media told = machine_.told(sipSide());
  if (media && machine_.handleNewcomer(now, sipSide(), *media, told, true)) return;
  if (media) sipLeg_->undoAnswer();
  ++shared_.counters.badMessages;
  log(LogLevel::Warning, "the answer to a session refresh cannot be used: what was agreed before stands");
}

void Call::handleSipOffer(TimePoint now, const sip::OfferReceived& offer) {
  sipOfferWaits_ = false;
  sipOfferBranch_ = offer.branch;
  if (offer.early && offer.sdp) hearBranch(now, offer.branch, *offer.sdp);
  if (!offer.sdp) {  // RFC 3261 §14.2: we are to make the offer
    sipAsked_ = true;
    machine_.handleOfferRequest(now, sipSide());
    return;
  }
  const auto media = sipLeg_->read(true, *offer.sdp);
  if (media) {
    machine_.handleOffer(now, sipSide(), *media);
  } else {
    ++shared_.counters.badMessages;
    rejectSipOffer(now, 400);
  }
}

void Call::handleSipInfo(const sip::InfoReceived& info) {
  if (!isData(info.contentType)) return log(LogLevel::Debug, "an INFO of " + asUtf8(info.contentType) + " is no data");
  if (info.body.size() > roap::kInfoBytesMax) {
    ++shared_.counters.limitsReached;
    return;
  }
  tellPage("INFO-PEER " + asUtf8(info.body), PageQueue::Kind::Chatter);
}

// ---- data that travels with the call ----

void Call::tellDataError(const call::Reason& reason) {
  auto message = errorMessage(reason);
  message.seq = 0;  // of no OFFER: one that is open has nothing to do with it
  tellPage(roap::toPage(message), PageQueue::Kind::Chatter);
}

void Call::takeAttached(const roap::Content& content) {
  if (answered_ || content.attachedData.empty()) return;
  auto value = encodeAttachedData(content.attachedData);
  if (value) {
    attachedFromPage_ = std::move(*value);
    return;
  }
  ++shared_.counters.limitsReached;
  log(LogLevel::Warning, "the page's attached data is too large for SIP and stays behind");
}

void Call::takeAttached(const std::vector<sip::Header>& headers) {
  auto items = decodeAttachedData(headers, shared_.config.attachedDataHeader);
  if (items) {
    if (!items->empty()) attachedFromSip_ = std::move(*items);
    return;
  }
  ++shared_.counters.limitsReached;
  log(LogLevel::Warning, "the far end's attached data is too large and was not taken");
}

std::vector<sip::Header> Call::attachedHeaders() const {
  if (attachedFromPage_.empty()) return {};
  return {{shared_.config.attachedDataHeader, attachedFromPage_}};
}

// ---- what is said to SIP ----

void Call::sendInfo(TimePoint now, std::string contentType, std::string body) {
  if (sipCall_ && sipEstablished_) {
    if (!shared_.agent.sendInfo(now, *sipCall_, std::move(contentType), std::move(body)))
      tellDataError({call::Cause::Limit, 503, "The data was not sent: too much of it is on its way"});
    return;
  }
  std::size_t bytes = body.size();
  for (const auto& info : infosWaiting_) bytes += info.body.size();
  if (infosWaiting_.size() == kInfosWaitingMax || bytes > kInfosWaitingBytesMax) {
    ++shared_.counters.limitsReached;
    return tellDataError({call::Cause::Limit, 503, "The data was not sent: too much of it waits for the answer"});
  }
  infosWaiting_.push_back({std::move(contentType), std::move(body)});
}

void Call::sendWaitingInfos(TimePoint now) {
  for (auto& info : std::exchange(infosWaiting_, {})) sendInfo(now, std::move(info.contentType), std::move(info.body));
}

void Call::offerToSip(TimePoint now, const call::Media& media) {
  if (!sipCall_ && next_) return;  // the next far end is told what holds when it comes
  auto sdp = sipLeg_->write(media, true);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    if (std::exchange(sipAsked_, false)) rejectSipOffer(now, 500);
    if (machine_.state() == call::State::Active)
      machine_.handleOfferFailed(now, sipSide());
    else
      machine_.end({call::Cause::Limit, 503, "The gateway has no RTP port left"});
    return;
  }
  if (kind_ == Kind::SipToPageWithoutOffer && !sipEstablished_) {
    sipEstablished_ = true;
    static_cast<void>(shared_.agent.accept(now, *sipCall_, std::move(*sdp), attachedHeaders()));
    sendWaitingInfos(now);
  } else if (std::exchange(sipAsked_, false)) {
    if (shared_.agent.answerOffer(now, *sipCall_, std::move(*sdp), sipOfferBranch_)) return;
    sipLeg_->withdraw();
    machine_.handleOfferFailed(now, sipSide());
  } else if (sipEstablished_) {
    const auto sent = shared_.agent.reInvite(now, *sipCall_, std::move(sdp));
    if (sent) return;
    sipLeg_->withdraw();
    sipOfferWaits_ = sent.error() == sip::CommandError::OfferPending;
    if (!sipOfferWaits_) machine_.handleOfferFailed(now, sipSide());
  } else {
    inviteSip(now, std::move(*sdp));
  }
}

void Call::inviteSip(TimePoint now, std::string sdp) {
  auto call = shared_.agent.invite(now, {.fromUser = session_->user,
                                         .to = target_,
                                         .credentials = session_->credentials,
                                         .sdp = std::move(sdp),
                                         .extraHeaders = attachedHeaders()});
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
  auto sdp = sipLeg_->write(media, false);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    if (first)
      machine_.end({call::Cause::Limit, 503, "The gateway has no RTP port left"});
    else
      rejectSipOffer(now, 500);
    return;
  }
  if (first) {
    sipEstablished_ = true;
    static_cast<void>(shared_.agent.accept(now, *sipCall_, std::move(*sdp), attachedHeaders()));
    sendWaitingInfos(now);
  } else {
    if (!shared_.agent.answerOffer(now, *sipCall_, std::move(*sdp), sipOfferBranch_)) sipLeg_->withdraw();
  }
}

void Call::rejectSipOffer(TimePoint now, int sipStatus) {
  static_cast<void>(shared_.agent.rejectOffer(now, *sipCall_, sipStatus, sipOfferBranch_));
}

void Call::refuseToSip(TimePoint now, int sipStatus) {
  if (!std::exchange(sipAsked_, false)) sipLeg_->undoOffer();
  if (sipCall_) rejectSipOffer(now, sipStatus);
}

void Call::endSip(TimePoint now, const call::Reason& reason) {
  if (!sipCall_) return;
  const bool incomingUnanswered = kind_ != Kind::PageToSip && !sipEstablished_;
  if (incomingUnanswered && shared_.agent.reject(now, *sipCall_, statusToSip(reason), phraseToSip(reason))) {
    return;
  }
  static_cast<void>(shared_.agent.hangUp(now, *sipCall_, reasonToSip(reason)));
}

}  // namespace crosspoint::bridge
