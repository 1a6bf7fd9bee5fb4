// UPDATE in both directions (RFC 3311), in early and confirmed dialogs, and the refresh of the session (RFC 4028 §10).
#include <utility>

#include "core/sip/call.h"

namespace crosspoint::sip {
namespace {

constexpr int kGlareRetriesMax = 6;
constexpr std::uint32_t kRetryAfterMax = 10;  // RFC 3311 §5.2: 0 to 10 seconds

}  // namespace

// ---- The far end's ----

// RFC 3261 §14.2, RFC 3311 §5.2: something of yours is still to be answered.
void Call::respondLater(const RequestReceived& received) {
  Response response = makeResponse(received.request, 500, localTag_);
  response.retryAfter = static_cast<std::uint32_t>(environment_.random.below(kRetryAfterMax + 1));
  respond(received.id, std::move(response));
}

void Call::handleUpdate(TimePoint now, Branch& dialog, RequestReceived received) {
  const Request& request = received.request;
  if (dialog.asked) return respondLater(received);
  if (const auto least = intervalTooSmall(request, environment_.config.minSe); least && !early()) {
    Response response = makeResponse(request, 422, localTag_);
    response.minSe = least;
    return respond(received.id, std::move(response));
  }
  auto sdp = sdpOf(request);
  if (!sdp) {
    dialog.dialog.refreshTarget(request);
    Response response = makeResponse(request, 200, localTag_);
    response.contacts = {dialog.dialog.contact()};
    addCapabilities(response, environment_.config);
    if (!early()) timer_.fillResponse(now, request, response);
    return respond(received.id, std::move(response));
  }
  if (dialog.offer.remote()) return respondLater(received);  // that of its INVITE, say, while it rings
  const auto* invite = early() ? nullptr : requests_.findUnanswered(Method::Invite);
  const bool asking = invite != nullptr && dialog.settledEarly != invite->request.cseq;  // for an offer, or with one
  if (dialog.offer.local() || !dialog.offer.hasSession() || asking) {
    ++environment_.counters.glares;
    return respond(received.id, request, 491);
  }
  if (owedAck_ || (serverInvite_ && !early())) return respondLater(received);
  dialog.dialog.refreshTarget(request);
  giveWay(dialog);
  ask(now, dialog, std::move(received), std::move(*sdp));
}

// The owner has to answer an offer in an UPDATE or PRACK.
void Call::ask(TimePoint now, Branch& dialog, RequestReceived received, std::string sdp) {
  const bool byPrack = received.request.method == Method::Prack;
  dialog.offer.offerReceived(byPrack ? OfferAnswer::Carrier::Prack : OfferAnswer::Carrier::Update, sdp);
  const bool unchanged = sdp == dialog.offer.remoteSdp();
  received.request.body.clear();
  dialog.asked = AskedOffer{received.id, std::move(received.request), now + environment_.config.timers.updateWait};
  tell(OfferReceived{.call = id_,
                     .sdp = std::move(sdp),
                     .update = true,
                     .early = early(),
                     .branch = dialog.number,
                     .unchanged = unchanged});
}

void Call::answerAsked(TimePoint now, Branch& dialog, std::string sdp) {
  const AskedOffer asked = std::move(*dialog.asked);
  dialog.asked.reset();
  Response response = makeResponse(asked.request, 200, localTag_);
  if (asked.request.method == Method::Update) {
    response.contacts = {dialog.dialog.contact()};
    addCapabilities(response, environment_.config);
    if (!early()) timer_.fillResponse(now, asked.request, response);
  }
  response.contentType = "application/sdp";
  response.body = sdp;
  dialog.offer.answerSent(std::move(sdp));
  respond(asked.id, std::move(response));
  continueIncoming(now);
}

void Call::refuseAsked(TimePoint now, Branch& dialog, int status) {
  const AskedOffer asked = std::move(*dialog.asked);
  dialog.asked.reset();
  dialog.offer.withdraw();
  respond(asked.id, asked.request, status);
  continueIncoming(now);
}

// ---- Ours ----

CommandResult Call::update(TimePoint now, std::string sdp, std::uint32_t number) {
  if (state_ == State::Accepted || state_ == State::Established || pendingAccept_) {
    if (!confirmed().allowsUpdate) return std::unexpected(CommandError::WrongState);
    return offerLater(now, {.sdp = std::move(sdp), .update = true, .branch = confirmed().number});
  }
  if (!early()) return std::unexpected(CommandError::WrongState);
  Branch* dialog = branchNumbered(number == 0 ? lastBranch_ : number);
  if (dialog == nullptr || dialog->over || !dialog->allowsUpdate || !dialog->offer.hasSession())
    return std::unexpected(CommandError::WrongState);
  // An answer of ours that may not have arrived is no ground for the next offer (RFC 3311 §5.1).
  const bool unacknowledged = reliable_ && (reliable_->bodyWaiting() || nextReliable_);
  if (!dialog->offer.settled() || dialog->asked || waitingOffer_ || unacknowledged ||
      requests_.findUnanswered(Method::Update) != nullptr) {
    return std::unexpected(CommandError::OfferPending);
  }
  glareRetries_ = 0;
  sendUpdate(now, *dialog, std::move(sdp));
  return {};
}

void Call::sendUpdate(TimePoint now, Branch& dialog, std::optional<std::string> sdp) {
  Request update = dialog.dialog.makeRequest(Method::Update);
  addCapabilities(update, environment_.config);
  if (!early()) timer_.fillRequest(update);
  if (sdp) {
    update.contentType = "application/sdp";
    update.body = *sdp;
    dialog.offer.offerSent(OfferAnswer::Carrier::Update, std::move(*sdp));
  }
  requests_.send(now, std::move(update), dialog.dialog.destination());
}

void Call::handleUpdateFinal(TimePoint now, const Request& update, const Response& response, bool fromFarEnd) {
  settleUpdate(now, update, response, fromFarEnd);
  const bool turn = waitingOffer_ && !waitingOffer_->dueAt && state_ == State::Established;
  if (turn) sendWaitingOffer(now);  // it waited for a refresh
}

void Call::settleUpdate(TimePoint now, const Request& update, const Response& response, bool fromFarEnd) {
  Branch* dialog = branch(update.to.tag);
  if (ended_) return;
  if (dialog == nullptr) {  // the INVITE of its early dialog was refused
    if (!update.body.empty()) tell(OfferFailed{id_, response.status < 300 ? 481 : response.status});
    return;
  }
  const bool current = early() || (confirmed_ && dialog == &confirmed());
  if (response.status >= 300 || !current) return handleUpdateFailure(now, *dialog, update, response, fromFarEnd);
  dialog->dialog.refreshTarget(response);
  if (update.sessionExpires || response.sessionExpires) timer_.handleSuccess(now, update, response);
  if (!update.body.empty()) {
    if (auto sdp = sdpOf(response)) {
      dialog->offer.answerReceived(*sdp);
      tell(OfferAnswered{.call = id_, .sdp = std::move(*sdp), .early = early(), .branch = dialog->number});
    } else {
      dialog->offer.withdraw();
      tell(OfferFailed{id_, 488, dialog->number});
    }
  }
  continueIncoming(now);
}

void Call::handleUpdateFailure(TimePoint now, Branch& dialog, const Request& update, const Response& response,
                               bool fromFarEnd) {
  const bool offered = !update.body.empty();
  const bool current = early() || (confirmed_ && &dialog == &confirmed());
  if (offered) dialog.offer.withdraw();
  if (response.status == 405 || response.status == 501) dialog.allowsUpdate = false;
  if (state_ == State::Established && current &&
      (response.status == 481 || response.status == 408 || !fromFarEnd)) {  // RFC 3311 §5.3: the dialog is gone
    return finishWithBye(now, endedBy(response, fromFarEnd));
  }
  if (!offered) {
    if (!dialog.allowsUpdate) return refreshSession(now);
    return timer_.refreshFailed(now);
  }
  const bool again = current && dialog.allowsUpdate &&
                     retryLater(now, {.sdp = update.body, .update = true, .branch = dialog.number}, response);
  if (!again) tell(OfferFailed{id_, response.status, dialog.number});
  continueIncoming(now);
}

// RFC 3261 §14.1 and RFC 3311 §5.1: after a 491 within a time that keeps the two ends apart; after a 500 with
// Retry-After when it says. False: not any more.
bool Call::retryLater(TimePoint now, WaitingOffer offer, const Response& response) {
  const bool glare = response.status == 491;
  if (!glare && (response.status != 500 || !response.retryAfter || *response.retryAfter > kRetryAfterMax)) return false;
  if (glare) ++environment_.counters.glares;
  if (++glareRetries_ > kGlareRetriesMax) return false;
  // 2.1 to 4 s for the owner of the Call-ID, else 0 to 2 s, in units of 10 ms
  const auto units = outgoing_ ? 210 + environment_.random.below(191) : environment_.random.below(201);
  offer.dueAt = now + (glare ? Duration(units * std::chrono::milliseconds(10))
                             : Duration(std::chrono::seconds(*response.retryAfter)));
  waitingOffer_ = std::move(offer);
  return true;
}

// ---- The session timer ----

// By UPDATE where the far end allows it (RFC 4028 §7.4: without an offer), else by a re-INVITE with our last text.
void Call::refreshSession(TimePoint now) {
  if (state_ != State::Established) return;
  Branch& dialog = confirmed();
  const bool invites = requests_.findUnanswered(Method::Invite) != nullptr;
  if (invites || requests_.findUnanswered(Method::Update) != nullptr) return timer_.refreshFailed(now);
  timer_.refreshSent();
  if (dialog.allowsUpdate) return sendUpdate(now, dialog, std::nullopt);
  if (offerPending()) return timer_.refreshFailed(now);
  reInviteRefreshes_ = true;
  sendReInvite(now, dialog.offer.localSdp());
}

void Call::handleSessionTimeout(TimePoint now) {
  if (state_ != State::Established) return;
  if (timer_.expired(now)) {
    ++environment_.counters.sessionsExpired;
    return finishWithBye(now, {.status = 408, .reason = "The session was not refreshed in time"},
                         Reason{.protocol = "SIP", .cause = 408, .text = "Session timer expired"});
  }
  if (timer_.refreshDue(now)) refreshSession(now);
}

}  // namespace crosspoint::sip
