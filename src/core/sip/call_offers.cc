// Offers inside an established call (RFC 3261 §14, RFC 3264 §8): re-INVITE both ways, glare, offers that come late.
#include <utility>

#include "core/sip/call.h"

namespace crosspoint::sip {

bool Call::refreshing() { return reInviteRefreshes_ && requests_.findUnanswered(Method::Invite) != nullptr; }

bool Call::offerPending() {
  const Branch& dialog = confirmed();
  const auto* update = requests_.findUnanswered(Method::Update);
  return !dialog.offer.settled() || dialog.asked || serverInvite_ || owedAck_ || waitingOffer_ ||
         requests_.findUnanswered(Method::Invite) != nullptr || (update != nullptr && !update->request.body.empty());
}

CommandResult Call::reInvite(TimePoint now, std::optional<std::string> sdp) {
  if (state_ != State::Established && state_ != State::Accepted && !pendingAccept_)
    return std::unexpected(CommandError::WrongState);
  return offerLater(now, {.sdp = std::move(sdp), .branch = confirmed().number});
}

// Now, or as soon as the far end can know the dialog (after the ACK) and our own refresh is through.
CommandResult Call::offerLater(TimePoint now, WaitingOffer offer) {
  const bool later = state_ != State::Established || refreshing();
  if (waitingOffer_ || (!later && offerPending()) || (state_ == State::Accepted && offerPending()))
    return std::unexpected(CommandError::OfferPending);
  glareRetries_ = 0;
  waitingOffer_ = std::move(offer);
  if (!later) sendWaitingOffer(now);
  return {};
}

void Call::sendWaitingOffer(TimePoint now) {
  WaitingOffer waiting = std::move(*waitingOffer_);
  waitingOffer_.reset();
  Branch* dialog = branchNumbered(waiting.branch);
  const bool current = dialog != nullptr && (early() || (confirmed_ && dialog == &confirmed()));
  if (!current || state_ == State::Cancelling || ended_) return;
  const auto* update = requests_.findUnanswered(Method::Update);
  if (state_ == State::Accepted || refreshing() || pendingAccept_ ||
      (waiting.update && update != nullptr)) {  // not yet: its turn comes when that is over
    waiting.dueAt.reset();
    waitingOffer_ = std::move(waiting);
  } else if (waiting.update) {
    sendUpdate(now, *dialog, std::move(waiting.sdp));
  } else {
    sendReInvite(now, std::move(waiting.sdp));
  }
}

void Call::sendReInvite(TimePoint now, std::optional<std::string> sdp) {
  Request invite = confirmed().dialog.makeRequest(Method::Invite);
  addCapabilities(invite, environment_.config);
  timer_.fillRequest(invite);
  if (sdp) {
    invite.contentType = "application/sdp";
    invite.body = *sdp;
    confirmed().offer.offerSent(OfferAnswer::Carrier::Invite, std::move(*sdp));
  }
  requests_.send(now, std::move(invite), confirmed().dialog.destination());
}

void Call::handleReInviteSuccess(TimePoint now, ClientTransactionId id, const Response& response) {
  const auto* entry = requests_.find(id);
  const Request invite = entry->request;
  const bool repeated = entry->phase == ClientRequests::Phase::Answered;
  Branch& dialog = confirmed();
  if (repeated) {
    if (dialog.ack && dialog.ack->request.cseq == invite.cseq) environment_.send(*dialog.ack);
    return;
  }
  requests_.markAnswered(now, id);
  dialog.dialog.refreshTarget(response);
  noteAllow(dialog, response);
  if (!ended_) timer_.handleSuccess(now, invite, response);
  const bool refreshed = std::exchange(reInviteRefreshes_, false);
  auto sdp = sdpOf(response);
  const bool early = dialog.settledEarly == invite.cseq;  // settled by a provisional response and its PRACK
  if (!ended_ && !early && invite.body.empty() && sdp) {  // we asked for an offer; the ACK waits for the owner's answer
    dialog.offer.offerReceived(OfferAnswer::Carrier::Invite, *sdp);
    owedAck_ = {invite.cseq, invite.authorizations, now + environment_.config.timers.ackWait};
    return tell(OfferReceived{.call = id_, .sdp = std::move(sdp), .branch = dialog.number});
  }
  acknowledge(dialog, invite.cseq, invite.authorizations);
  if (dialog.offer.local(OfferAnswer::Carrier::Invite) && sdp) {
    const bool silent = refreshed && *sdp == dialog.offer.remoteSdp();
    dialog.offer.answerReceived(*sdp);
    if (!silent)
      tell(OfferAnswered{.call = id_, .sdp = std::move(*sdp), .branch = dialog.number, .refresh = refreshed});
  } else if (!early) {
    if (dialog.offer.local(OfferAnswer::Carrier::Invite)) dialog.offer.withdraw();
    if (!refreshed) tell(OfferFailed{id_, 488, dialog.number});
  }
  if (waitingOffer_ && !waitingOffer_->dueAt && state_ == State::Established) sendWaitingOffer(now);
  settleDown();
}

void Call::handleReInviteFailure(TimePoint now, const Request& invite, const Response& response, bool fromFarEnd) {
  Branch& dialog = confirmed();
  const bool refreshed = std::exchange(reInviteRefreshes_, false);
  if (dialog.offer.local(OfferAnswer::Carrier::Invite)) dialog.offer.withdraw();
  if (state_ != State::Established) return;
  if (response.status == 481 || response.status == 408 || !fromFarEnd) {  // §14.1: the dialog is gone
    return finishWithBye(now, endedBy(response, fromFarEnd));
  }
  if (std::exchange(dialog.owedPrack, {})) {  // its offer in a provisional response goes with it
    dialog.offer.withdraw();
    return tell(OfferWithdrawn{id_, response.status, dialog.number});
  }
  if (refreshed) {
    timer_.refreshFailed(now);
    if (waitingOffer_ && !waitingOffer_->dueAt) sendWaitingOffer(now);
    return;
  }
  if (dialog.settledEarly == invite.cseq) return;  // the exchange was complete before
  std::optional<std::string> sdp;
  if (!invite.body.empty()) sdp = invite.body;
  if (!retryLater(now, {.sdp = std::move(sdp), .branch = dialog.number}, response))
    tell(OfferFailed{id_, response.status, dialog.number});
}

void Call::giveWay(const Branch& dialog) {
  if (std::exchange(waitingOffer_, {})) tell(OfferFailed{id_, 491, dialog.number});
}

void Call::handleReInvite(TimePoint now, RequestReceived received) {
  Request& request = received.request;
  Branch& dialog = confirmed();
  // §14.2: the one before has no final response yet, or an UPDATE of theirs waits for our answer
  if (serverInvite_ || dialog.asked) return respondLater(received);
  if (state_ == State::Accepted || !dialog.offer.settled() || owedAck_ ||
      requests_.findUnanswered(Method::Invite) != nullptr) {
    ++environment_.counters.glares;
    return respond(received.id, request, 491);
  }
  if (const auto least = intervalTooSmall(request, environment_.config.minSe)) {
    Response response = makeResponse(request, 422, localTag_);
    response.minSe = least;
    return respond(received.id, std::move(response));
  }
  dialog.dialog.refreshTarget(request);
  awaitedAck_.reset();  // a new INVITE says that the 2xx before it has arrived
  giveWay(dialog);
  auto sdp = sdpOf(request);
  const bool unchanged = sdp && *sdp == dialog.offer.remoteSdp();
  if (sdp) dialog.offer.offerReceived(OfferAnswer::Carrier::Invite, *sdp);
  request.body.clear();
  environment_.inviteTransactions.emplace(received.id, id_);
  serverInvite_ = ServerInvite{received.id, std::move(request), now + environment_.config.timers.offerWait};
  tell(OfferReceived{.call = id_, .sdp = std::move(sdp), .branch = dialog.number, .unchanged = unchanged});
}

// The branch with something that the owner has to answer, or none.
Call::Branch* Call::askedBranch(std::uint32_t number) {
  for (Branch& dialog : branches_) {
    if ((number == 0 || dialog.number == number) && (dialog.asked || dialog.owedPrack)) return &dialog;
  }
  return nullptr;
}

CommandResult Call::answerOffer(TimePoint now, std::string sdp, std::uint32_t number) {
  if (Branch* dialog = askedBranch(number)) {
    if (const auto owed = std::exchange(dialog->owedPrack, {})) {
      dialog->offer.answerSent(sdp);
      sendPrack(now, *dialog, owed->cseq, std::move(sdp));
    } else {
      answerAsked(now, *dialog, std::move(sdp));
    }
    return {};
  }
  if (state_ != State::Established || (number != 0 && number != confirmed().number))
    return std::unexpected(CommandError::WrongState);
  if (owedAck_) {
    const OwedAck owed = std::move(*owedAck_);
    owedAck_.reset();
    confirmed().offer.answerSent(sdp);
    acknowledge(confirmed(), owed.cseq, owed.authorizations, sdp);
    return {};
  }
  if (!serverInvite_) return std::unexpected(CommandError::WrongState);
  acceptInvite(now, inviteResponse(200), std::move(sdp));
  return {};
}

CommandResult Call::rejectOffer(TimePoint now, int status, std::uint32_t number) {
  Branch* dialog = askedBranch(number);
  const bool byInvite = dialog == nullptr && state_ == State::Established && serverInvite_ &&
                        (number == 0 || number == confirmed().number);
  if (!byInvite && (dialog == nullptr || !dialog->asked)) return std::unexpected(CommandError::WrongState);
  if (status < 300 || status > 699) return std::unexpected(CommandError::BadParameter);
  if (byInvite) {
    refuseInvite(status);
  } else {
    refuseAsked(now, *dialog, status);
  }
  return {};
}

void Call::withdrawServerInvite(int status) {
  refuseInvite(status);
  tell(OfferWithdrawn{id_, status, confirmed().number});
}

}  // namespace crosspoint::sip
