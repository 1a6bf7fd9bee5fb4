// Reliable provisional responses and their PRACK (RFC 3262), in both directions.
#include <utility>

#include "core/sip/call.h"

namespace crosspoint::sip {

// ---- The far end's responses to our INVITE (§4) ----

// What a provisional response in that dialog is. A new reliable one still needs its PRACK.
Call::Reliability Call::receiveReliable(TimePoint now, Branch& branch, const Request& invite,
                                        const Response& response) {
  if (!response.rseq || !hasOption(response.require, kReliable)) return Reliability::Plain;
  if (branch.owedPrack) return Reliability::Ignored;  // the one before has no PRACK yet
  switch (branch.reliable.receive(invite.cseq, *response.rseq)) {
    case ReliableReceiver::Verdict::New:
      return Reliability::New;
    case ReliableReceiver::Verdict::Repeated:
      if (std::exchange(branch.prackRefused, false)) sendPrack(now, branch, invite.cseq, branch.prackBody);
      return Reliability::Ignored;
    case ReliableReceiver::Verdict::OutOfOrder:
      break;
  }
  return Reliability::Ignored;
}

bool Call::owePrack(TimePoint now, Branch& branch, const Request& invite, const std::string& sdp) {
  if (!invite.body.empty() || branch.settledEarly == invite.cseq) return false;
  if (!branch.offer.offerReceived(OfferAnswer::Carrier::Provisional, sdp)) return false;
  branch.settledEarly = invite.cseq;
  branch.owedPrack = OwedPrack{invite.cseq, now + environment_.config.timers.prackWait};
  return true;
}

void Call::sendPrack(TimePoint now, Branch& branch, std::uint32_t inviteCseq, std::string sdp) {
  if (requests_.unanswered() >= environment_.config.limits.requestsPerCall) {
    ++environment_.counters.requestsRefusedByLimit;
    branch.prackRefused = true;
    branch.prackBody = std::move(sdp);
    return;
  }
  Request prack = branch.dialog.makeRequest(Method::Prack);
  prack.rack = RAck{branch.reliable.last(), inviteCseq, Method::Invite};
  branch.prackBody = sdp;
  branch.prackRefused = false;
  if (!sdp.empty()) {
    prack.contentType = "application/sdp";
    prack.body = std::move(sdp);
  }
  requests_.send(now, std::move(prack), branch.dialog.destination());
}

// A PRACK that was refused (because an earlier request has overtaken it, say) or lost is made anew when its response is
// repeated; one that is not missed any more is not.
void Call::handlePrackFinal(const Request& prack, const Response& response) {
  Branch* dialog = branch(prack.to.tag);
  if (dialog == nullptr || !prack.rack || prack.rack->rseq != dialog->reliable.last()) return;
  if (response.status >= 300) dialog->prackRefused = true;
}

void Call::handleReInviteProvisional(TimePoint now, const Request& invite, const Response& response) {
  Branch* dialog = branch(response.to.tag);
  if (dialog == nullptr || !confirmed_ || dialog != &confirmed() || state_ != State::Established) return;
  if (receiveReliable(now, *dialog, invite, response) != Reliability::New) return;
  auto sdp = sdpOf(response);
  if (sdp && dialog->offer.local(OfferAnswer::Carrier::Invite)) {
    const bool changed = *sdp != dialog->offer.remoteSdp();
    dialog->offer.answerReceived(*sdp);
    dialog->settledEarly = invite.cseq;
    sendPrack(now, *dialog, invite.cseq);
    if (!reInviteRefreshes_ || changed) {
      tell(OfferAnswered{.call = id_, .sdp = std::move(*sdp), .branch = dialog->number, .refresh = reInviteRefreshes_});
    }
    return;
  }
  if (sdp && owePrack(now, *dialog, invite, *sdp)) {
    return tell(OfferReceived{.call = id_, .sdp = std::move(sdp), .branch = dialog->number});
  }
  sendPrack(now, *dialog, invite.cseq);
}

// ---- Our responses to the far end's INVITE (§3) ----

// A response with a body is worth it wherever the caller knows how; others only where it insists.
bool Call::reliably(const Response& response) const {
  return callerWantsReliable_ || (callerKnowsReliable_ && !response.body.empty());
}

void Call::sendReliably(TimePoint now, Response response) {
  if (!reliable_) {
    // §3: between 1 and 2^31 - 1; far enough from the end never to reach it.
    const auto first = static_cast<std::uint32_t>(1 + environment_.random.below(0x3fffffff));
    reliable_.emplace(serverInvite_->request.cseq, first, environment_.config.timers.t1,
                      environment_.config.timers.prackWait);
  }
  if (reliable_->waiting()) {  // one at a time; of those that wait the one with the body, else the last
    if (!nextReliable_ || nextReliable_->body.empty()) nextReliable_ = std::move(response);
    return;
  }
  reliable_->send(now, response);
  respond(serverInvite_->id, std::move(response));
}

void Call::handlePrack(TimePoint now, Branch& dialog, RequestReceived received) {
  const Request& prack = received.request;
  const auto acknowledged = prack.rack && reliable_ ? reliable_->acknowledge(*prack.rack) : std::nullopt;
  if (!acknowledged) return respond(received.id, prack, 481);
  auto sdp = sdpOf(prack);
  if (!acknowledged->body.empty() && dialog.offer.local(OfferAnswer::Carrier::Provisional)) {
    respond(received.id, prack, 200);
    if (!sdp) {
      refuseInvite(488);
      finish(now, {.status = 488, .reason = "The PRACK has no session description"});
      return moveTo(State::Gone);
    }
    dialog.offer.answerReceived(*sdp);
    tell(OfferAnswered{.call = id_, .sdp = std::move(*sdp), .early = early(), .branch = dialog.number});
  } else if (!sdp) {
    respond(received.id, prack, 200);
  } else if (!dialog.offer.hasSession() || !dialog.offer.settled() || nextReliable_) {  // an offer too early (§5)
    ++environment_.counters.glares;
    respond(received.id, prack, 491);
  } else {
    ask(now, dialog, std::move(received), std::move(*sdp));
  }
  continueIncoming(now);
}

void Call::continueIncoming(TimePoint now) {
  if (state_ != State::Invited || !serverInvite_) return;
  if (reliable_ && !reliable_->waiting() && nextReliable_) sendReliably(now, *std::exchange(nextReliable_, {}));
  if (pendingAccept_) sendAccept(now);
}

void Call::handleReliableTimeout(TimePoint now) {
  if (reliable_ && reliable_->expired(now) && state_ == State::Invited) {
    refuseInvite(504);
    finish(now, {.status = 504, .reason = "A reliable provisional response was never acknowledged"});
    return moveTo(State::Gone);
  }
  if (reliable_ && serverInvite_) {
    if (const Response* response = reliable_->repeatDue(now)) respond(serverInvite_->id, *response);
  }
  for (Branch& dialog : branches_) {
    if (dialog.asked && dialog.asked->deadline <= now) {
      refuseAsked(now, dialog, 504);
      return tell(OfferWithdrawn{id_, 504, dialog.number});
    }
    if (!dialog.owedPrack || dialog.owedPrack->deadline > now) continue;
    dialog.owedPrack.reset();
    if (state_ == State::Inviting) {
      if (auto* invite = requests_.findUnanswered(Method::Invite)) requests_.cancel(now, *invite);
      moveTo(State::Cancelling);
      finish(now, {.status = 488, .reason = "The offer was not answered"});
    } else if (state_ == State::Established) {
      finishWithBye(now, {.status = 488, .reason = "The offer was not answered"});
    }
    return;
  }
}

}  // namespace crosspoint::sip
