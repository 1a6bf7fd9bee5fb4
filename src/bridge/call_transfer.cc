// One far end takes the place of another, while the page goes on with its SSRC and its numbers:
//
//     REFER (RFC 3515) ──► we call its target for the page (`next_`) ── answered ──► swapped in, the former one gets
//     BYE
//                                                                   └─ refused ───► the call goes on as it was
//     INVITE with Replaces (RFC 3891) ──► answered from what the page last said, swapped in at once
//     TRANSFER of the page ──► REFER to the far end ── it has its new partner ──► the page's call ends
//
// One of these at a time. A far end that hangs up as soon as its REFER is accepted leaves the call to the next one.
#include <algorithm>
#include <utility>

#include "bridge/call.h"
#include "bridge/reason.h"
#include "bridge/sessions.h"
#include "core/sip/refer.h"

namespace crosspoint::bridge {

std::unique_ptr<SipLeg> Call::makeSipLeg() const {
  return std::make_unique<SipLeg>(shared_.dependencies.ports, shared_.dependencies.random);
}

std::array<std::optional<sip::CallId>, 3> Call::sipCalls() const {
  return {sipCall_, next_ ? std::optional(next_->call) : std::nullopt,
          former_ ? std::optional(former_->call) : std::nullopt};
}

bool Call::owns(sip::CallId id) const {
  const auto all = sipCalls();
  return std::ranges::find(all, std::optional(id)) != all.end();
}

// ---- the far end asks us to call somebody else ----

void Call::handleRefer(TimePoint now, const sip::ReferReceived& refer) {
  auto& agent = shared_.agent;
  const auto refuse = [&](int status) { static_cast<void>(agent.rejectRefer(now, refer.call, refer.refer, status)); };
  if (machine_.state() != call::State::Active || session_ == nullptr) return refuse(603);
  if (next_ || referring_) return refuse(491);
  auto next = std::make_unique<NextFarEnd>();
  next->leg = makeSipLeg();
  next->told = machine_.offerToNewcomer(sipSide());
  next->referrer = {refer.call, refer.refer};
  auto sdp = next->leg->write(next->told, true);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    return refuse(503);
  }
  if (!agent.acceptRefer(now, refer.call, refer.refer)) return;
  const auto made = agent.invite(now, {.fromUser = session_->user,
                                       .to = refer.target.toString(),
                                       .credentials = session_->credentials,
                                       .sdp = std::move(sdp),
                                       .extraHeaders = attachedHeaders(),
                                       .replaces = refer.replaces,
                                       .referredBy = refer.referredBy});
  if (!made) {
    const int status = made.error() == sip::CommandError::TooMany ? 503 : 400;
    static_cast<void>(agent.notifyRefer(now, refer.call, refer.refer, status));
    return;
  }
  next->call = *made;
  next_ = std::move(next);
  log(LogLevel::Info, "transferred to " + refer.target.user + ": calling");
}

void Call::handleNext(TimePoint now, const sip::Event& event) {
  if (const auto* ringing = std::get_if<sip::Ringing>(&event)) {
    if (ringing->status >= 180) tellReferrer(now, 180);
  } else if (std::holds_alternative<sip::EarlyMedia>(event)) {
    tellReferrer(now, 180);
  } else if (const auto* answered = std::get_if<sip::Answered>(&event)) {
    handleNextAnswer(now, answered->sdp);
  } else if (const auto* confirmed = std::get_if<sip::Confirmed>(&event)) {
    handleNextAnswer(now, confirmed->sdp);
  } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
    static_cast<void>(shared_.agent.rejectOffer(now, offer->call, 491, offer->branch));
  } else if (const auto* gone = std::get_if<sip::Ended>(&event)) {
    handleNextFailed(now, reasonFromSip(*gone, true));
  }
}

void Call::handleNextAnswer(TimePoint now, const std::optional<std::string>& sdp) {
  const auto media = sdp ? next_->leg->read(false, *sdp) : std::expected<call::Media, std::string>(next_->told);
  if (media && sdp && machine_.handleNewcomer(now, sipSide(), *media, next_->told, true)) {
    return swapIn(now, std::move(next_));
  }
  call::Reason reason{call::Cause::NoCommonCodec, 488, sentenceFor(488)};
  if (!media) {
    ++shared_.counters.badMessages;
    reason = {call::Cause::Failed, 500, "The SIP answer cannot be read: " + media.error()};
  }
  static_cast<void>(shared_.agent.hangUp(now, next_->call, reasonToSip(reason)));
  handleNextFailed(now, reason);
}

void Call::handleNextFailed(TimePoint now, const call::Reason& reason) {
  log(LogLevel::Info, "the transfer failed: " + toText(reason));
  tellReferrer(now, reason.sipStatus >= 300 ? reason.sipStatus : 500);
  next_.reset();
  if (sipCall_) return;  // the call goes on as it was
  machine_.handleEnd(sipSide(), {reason.cause, reason.sipStatus, "The transfer failed: " + reason.text});
}

void Call::tellReferrer(TimePoint now, int status) {
  if (!next_ || !next_->referrer) return;
  static_cast<void>(shared_.agent.notifyRefer(now, next_->referrer->call, next_->referrer->refer, status));
}

// The far end that was to come is not wanted any more.
void Call::abandonNext(TimePoint now, int status) {
  if (!next_) return;
  tellReferrer(now, status);
  static_cast<void>(shared_.agent.hangUp(now, next_->call));
  next_.reset();
}

// ---- the change itself ----

// `machine_` knows of the newcomer already.
void Call::swapIn(TimePoint now, std::unique_ptr<NextFarEnd> next) {
  retired_.push_back(std::exchange(sipLeg_, std::move(next->leg)));
  for (std::size_t i = 0; i < call::kStreams; ++i)
    media_.setSipEnd(i, std::nullopt);  // its ports are not ours any more
  const auto former = std::exchange(sipCall_, next->call);
  sipEstablished_ = true;
  sipAsked_ = sipOfferWaits_ = false;
  leaveFormer(now);                        // of a transfer a moment ago
  if (std::exchange(referring_, false)) {  // what was asked of the former one is not told any more
    tellPage(progressMessage("transfer-failed", 481, "The other side is another one now"), PageQueue::Kind::Chatter);
  }
  log(LogLevel::Info, "the far end is another one now");
  if (answered_) tellAnswered(true);
  if (next->referrer) {
    static_cast<void>(shared_.agent.notifyRefer(now, next->referrer->call, next->referrer->refer, 200));
    if (former) former_ = FormerFarEnd{*former, now + kFormerByeWithin};  // it may want to say BYE itself
  } else if (former) {
    static_cast<void>(shared_.agent.hangUp(now, *former));
  }
  sendWaitingInfos(now);
}

// The far end has hung up while the next one is being called for it: the call waits for that one.
void Call::waitForNext() {
  sipCall_.reset();
  retired_.push_back(std::exchange(sipLeg_, makeSipLeg()));
  for (std::size_t i = 0; i < call::kStreams; ++i) media_.setSipEnd(i, std::nullopt);
  log(LogLevel::Info, "the far end hung up before its transfer is through");
}

void Call::leaveFormer(TimePoint now) {
  if (!former_) return;
  static_cast<void>(shared_.agent.hangUp(now, former_->call));
  former_.reset();
}

// ---- a far end takes the place of ours by itself ----

void Call::handleReplacement(TimePoint now, const sip::IncomingCall& incoming) {
  auto& agent = shared_.agent;
  const auto refuse = [&](int status) { static_cast<void>(agent.reject(now, incoming.call, status)); };
  if (ended_ || session_ == nullptr || !sipCall_ || incoming.replaces != sipCall_) return refuse(481);
  const bool active = machine_.state() == call::State::Active;
  if (!active && kind_ != Kind::PageToSip) return refuse(481);  // RFC 3891 §3: not ours to give away
  static_cast<void>(agent.setCredentials(incoming.call, session_->credentials));
  auto next = std::make_unique<NextFarEnd>();
  next->call = incoming.call;
  next->leg = makeSipLeg();
  if (!incoming.sdp) return active ? offerToReplacement(now, std::move(next)) : refuse(488);
  const auto media = next->leg->read(true, *incoming.sdp);
  if (!media) {
    ++shared_.counters.badMessages;
    return refuse(400);
  }
  const auto answer = machine_.answerToNewcomer(sipSide(), *media);
  if (!answer) return refuse(488);
  auto sdp = next->leg->write(*answer, false);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    return refuse(503);
  }
  abandonNext(now, 487);
  if (!agent.accept(now, incoming.call, std::move(*sdp), attachedHeaders())) return;
  if (!active) takeAttached(incoming.extraHeaders);
  machine_.handleNewcomer(now, sipSide(), *media, *answer, false);
  swapIn(now, std::move(next));
  run(now);
}

// It wants our offer (RFC 3261 §13.2.1): swapped in when the ACK has brought its answer.
void Call::offerToReplacement(TimePoint now, std::unique_ptr<NextFarEnd> next) {
  next->told = machine_.offerToNewcomer(sipSide());
  auto sdp = next->leg->write(next->told, true);
  if (!sdp) {
    ++shared_.counters.limitsReached;
    static_cast<void>(shared_.agent.reject(now, next->call, 503));
    return;
  }
  abandonNext(now, 487);
  if (shared_.agent.accept(now, next->call, std::move(*sdp), attachedHeaders())) next_ = std::move(next);
}

// ---- the page wants the far end to call somebody else ----

void Call::transferByPage(TimePoint now, const roap::Transfer& transfer) {
  const auto fail = [&](int status, std::string_view why) {
    tellPage(progressMessage("transfer-failed", status, why), PageQueue::Kind::Chatter);
  };
  if (machine_.state() != call::State::Active || !sipCall_) return fail(481, "There is no answered call to transfer");
  if (next_ || referring_) return fail(491, "Another transfer of this call is under way");
  std::optional<sip::Replaces> replaces;
  if (!transfer.replaces.empty()) {
    replaces = sip::parseReplaces(transfer.replaces);
    if (!replaces) return fail(400, "What the transfer is to replace is no dialog of a call");
  }
  const auto sent = shared_.agent.refer(now, *sipCall_, transfer.to, replaces);
  if (!sent) return fail(400, "The transfer cannot be asked for: " + std::string(sip::toString(sent.error())));
  referring_ = true;
  log(LogLevel::Info, "the page transfers the far end");
  tellPage(progressMessage("transferring"), PageQueue::Kind::Chatter);
}

void Call::handleReferProgress(TimePoint now, const sip::ReferProgress& progress) {
  if (!referring_ || !progress.final) return;
  referring_ = false;
  if (progress.status >= 200 && progress.status < 300) {
    tellPage(progressMessage("transferred", progress.status), PageQueue::Kind::Chatter);
    return end(now, {call::Cause::HungUp, 0, "Transferred by the page"});
  }
  const std::string why = progress.status < 200 ? "The other side does not say what came of the transfer"
                                                : sentenceFor(progress.status, progress.reason);
  log(LogLevel::Info, "the transfer failed: " + why);
  tellPage(progressMessage("transfer-failed", progress.status < 200 ? 0 : progress.status, why),
           PageQueue::Kind::Chatter);
}

}  // namespace crosspoint::bridge
