// REFER inside the call's dialog, both ways (RFC 3515), with the implicit subscription of each: its NOTIFYs, and its
// end, which may come after the call's own (RFC 5057 §5.2: the dialog lives as long as one of its usages).
#include <utility>

#include "core/sip/call.h"
#include "core/sip/refer.h"
#include "core/sip/shown_text.h"

namespace crosspoint::sip {
namespace {

constexpr int kTrying = 100;

}  // namespace

// ---- Ours ----

CommandResult Call::refer(TimePoint now, Uri target, const std::optional<Replaces>& replaces) {
  if (state_ != State::Established) return std::unexpected(CommandError::WrongState);
  if ((sentRefer_ && !sentRefer_->reported) || requests_.unanswered() >= environment_.config.limits.requestsPerCall) {
    ++environment_.counters.requestsRefusedByLimit;
    return std::unexpected(CommandError::TooMany);
  }
  Request refer = confirmed().dialog.makeRequest(Method::Refer);
  refer.referTo = makeReferTo(std::move(target), replaces);
  refer.referredBy = NameAddr{.uri = refer.from.uri};  // RFC 3892 §2.1
  addCapabilities(refer, environment_.config);
  sentRefer_ = SentRefer{.cseq = refer.cseq, .deadline = now + environment_.config.timers.referMax};
  requests_.send(now, std::move(refer), confirmed().dialog.destination());
  return {};
}

void Call::reportRefer(TimePoint now, ReferProgress progress) {
  progress.call = id_;
  if (progress.final) {  // a far end may still send a NOTIFY or two
    sentRefer_->reported = true;
    sentRefer_->deadline = now + environment_.config.timers.referLinger;
  }
  tell(std::move(progress));
}

void Call::handleReferFinal(TimePoint now, const Request& refer, const Response& response) {
  if (!sentRefer_ || sentRefer_->cseq != refer.cseq) return;
  if (response.status < 300) {
    const bool silent = response.referSub == false;  // RFC 4488 §4: it will not tell
    if (silent) reportRefer(now, {.status = response.status, .reason = shownText(response.reason), .final = true});
    return;
  }
  sentRefer_.reset();
  std::string reason = shownText(response.reason);
  if (reason.empty()) reason = standardReason(response.status);
  tell(ReferProgress{.call = id_, .status = response.status, .reason = std::move(reason), .final = true});
}

// A NOTIFY of the subscription that our REFER has made; it may come before the REFER's own answer (RFC 6665 §4.4.1).
void Call::handleReferNotify(TimePoint now, const RequestReceived& received) {
  const Request& request = received.request;
  const auto id = eventId(request.event);
  if (!sentRefer_ || (id && *id != sentRefer_->cseq)) return respond(received.id, request, 481);
  confirmed().dialog.refreshTarget(request);
  respond(received.id, request, 200);
  const auto line = parseSipfrag(request.body);
  const bool terminated = isTerminated(request.subscriptionState);
  if (!sentRefer_->reported && (line || terminated)) {
    reportRefer(now, {.status = line ? line->status : kTrying,
                      .reason = line ? line->reason : std::string(),
                      .final = terminated || line->status >= 200});
  }
  if (!terminated) return;
  sentRefer_.reset();
  settleDown();
}

// ---- The far end's ----

void Call::handleRefer(TimePoint now, RequestReceived received) {
  const Request& request = received.request;
  const auto target = referTargetOf(request);
  if (!target) return respond(received.id, request, target.error());
  if (state_ != State::Established && state_ != State::Accepted) return respond(received.id, request, 403);
  if (receivedRefer_) return respond(received.id, request, 491);  // one transfer at a time
  confirmed().dialog.refreshTarget(request);
  receivedRefer_ = ReceivedRefer{.id = ReferId{++environment_.lastRefer},
                                 .transaction = received.id,
                                 .request = request,
                                 .numbered = std::exchange(referSeen_, true),
                                 .silent = request.referSub == false,
                                 .deadline = now + environment_.config.timers.referWait};
  std::optional<NameAddr> referredBy;
  if (request.referredBy) referredBy = shownAddress(*request.referredBy);
  tell(ReferReceived{id_, receivedRefer_->id, target->uri, target->replaces, std::move(referredBy)});
}

CommandResult Call::acceptRefer(TimePoint now, ReferId id) {
  if (!receivedRefer_ || receivedRefer_->id != id || receivedRefer_->accepted) {
    return std::unexpected(CommandError::WrongState);
  }
  Response response = makeResponse(receivedRefer_->request, 202, localTag_);
  response.contacts = {confirmed().dialog.contact()};
  if (receivedRefer_->silent) {
    response.referSub = false;  // RFC 4488 §4
    response.supported = {std::string(kNoReferSubOption)};
  }
  respond(receivedRefer_->transaction, std::move(response));
  receivedRefer_->accepted = true;
  receivedRefer_->deadline = now + environment_.config.timers.referMax;
  sendReferNotify(now, kTrying, {}, false);  // RFC 3515 §2.4.4: at once
  return {};
}

CommandResult Call::notifyRefer(TimePoint now, ReferId id, int status, std::string_view reason) {
  if (status < 100 || status > 699) return std::unexpected(CommandError::BadParameter);
  if (!receivedRefer_ || receivedRefer_->id != id || !receivedRefer_->accepted) {
    return std::unexpected(CommandError::WrongState);
  }
  const bool final = status >= 200;
  if (!final && requests_.unanswered() >= environment_.config.limits.requestsPerCall) {
    ++environment_.counters.requestsRefusedByLimit;
    return std::unexpected(CommandError::TooMany);
  }
  sendReferNotify(now, status, reason, final);
  if (final) endReceivedRefer();
  return {};
}

CommandResult Call::rejectRefer(TimePoint, ReferId id, int status) {
  if (status < 300 || status > 699) return std::unexpected(CommandError::BadParameter);
  if (!receivedRefer_ || receivedRefer_->id != id || receivedRefer_->accepted) {
    return std::unexpected(CommandError::WrongState);
  }
  respond(receivedRefer_->transaction, receivedRefer_->request, status);
  endReceivedRefer();
  return {};
}

void Call::sendReferNotify(TimePoint now, int status, std::string_view reason, bool final) {
  const ReceivedRefer& refer = *receivedRefer_;
  if (refer.silent) return;
  Request notify = confirmed().dialog.makeRequest(Method::Notify);
  notify.event = kReferEvent;
  // RFC 3515 §2.4.6: the first REFER of a dialog needs no number, the others do.
  if (refer.numbered) notify.event += ";id=" + std::to_string(refer.request.cseq);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(refer.deadline - now).count();
  notify.subscriptionState =
      final ? "terminated;reason=noresource" : "active;expires=" + std::to_string(std::max<std::int64_t>(left, 1));
  notify.contentType = kSipfragType;
  notify.body = makeSipfrag(status, reason);
  requests_.send(now, std::move(notify), confirmed().dialog.destination());
}

void Call::endReceivedRefer() {
  receivedRefer_.reset();
  settleDown();
}

// A failed NOTIFY ends its subscription, but not the call (RFC 6665 §4.2.2, RFC 5057 §5.1). A 500 may only say that
// two NOTIFYs have overtaken each other.
void Call::handleReferNotifyFinal(const Response& response, bool fromFarEnd) {
  if (response.status < 300 || (fromFarEnd && response.status == 500)) return;
  if (receivedRefer_ && receivedRefer_->accepted) endReceivedRefer();
}

// ---- Both ----

void Call::endRefersWithCall(TimePoint now) {
  if (sentRefer_) sentRefer_->deadline = now + environment_.config.timers.referLinger;
  if (!receivedRefer_ || receivedRefer_->accepted) return;
  respond(receivedRefer_->transaction, receivedRefer_->request, 487);  // RFC 3261 §15.1.2
  receivedRefer_.reset();
}

void Call::handleReferTimeout(TimePoint now) {
  if (sentRefer_ && sentRefer_->deadline <= now) {
    if (!sentRefer_->reported) tell(ReferProgress{id_, 408, "The far end has not told how the transfer ended", true});
    sentRefer_.reset();
    settleDown();
  }
  if (!receivedRefer_ || receivedRefer_->deadline > now) return;
  if (receivedRefer_->accepted) {
    sendReferNotify(now, 408, {}, true);
  } else {
    respond(receivedRefer_->transaction, receivedRefer_->request, 603);
  }
  endReceivedRefer();
}

std::optional<TimePoint> Call::nextReferTimeout() const {
  std::optional<TimePoint> next;
  if (sentRefer_) next = earlier(next, sentRefer_->deadline);
  if (receivedRefer_) next = earlier(next, receivedRefer_->deadline);
  return next;
}

// Whether anything of a transfer still needs the dialog.
bool Call::referring() { return sentRefer_ || receivedRefer_ || requests_.findUnanswered(Method::Notify) != nullptr; }

// ---- Replaces (RFC 3891 §3) ----

std::expected<void, int> Call::mayBeReplaced(const Replaces& replaces) {
  const Branch* named = branch(replaces.fromTag);
  if (named == nullptr || named->lost) return std::unexpected(481);
  if (ended_) return std::unexpected(603);
  if (state_ == State::Invited) return std::unexpected(481);  // an early dialog that is not of our making
  if (state_ != State::Inviting && replaces.earlyOnly) return std::unexpected(486);
  return {};
}

std::optional<Replaces> Call::dialog() const {
  if (ended_ || !confirmed_ || (state_ != State::Established && state_ != State::Accepted)) return std::nullopt;
  return Replaces{.callId = callId_, .toTag = branches_[*confirmed_].dialog.remoteTag(), .fromTag = localTag_};
}

std::optional<Uri> Call::farEnd() const {
  if (!dialog()) return std::nullopt;
  return branches_[*confirmed_].dialog.remote().uri;
}

}  // namespace crosspoint::sip
