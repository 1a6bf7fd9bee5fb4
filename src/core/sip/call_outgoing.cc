// The first INVITE of an outgoing call (RFC 3261 §13.2): forks, early media, the answer, late branches, CANCEL's races.
#include <algorithm>
#include <utility>

#include "core/sip/call.h"

namespace crosspoint::sip {

Call::Call(Environment& environment, CallId id, TimePoint now, InviteParameters parameters, Uri target)
    : environment_(environment),
      id_(id),
      outgoing_(true),
      state_(State::Inviting),
      callId_(environment.newToken()),
      localTag_(environment.newToken()),
      timer_(environment.config.sessionExpires, environment.config.minSe),
      requests_(environment, id, std::move(parameters.credentials)) {
  seed_ = {.callId = callId_,
           .local = environment.address(parameters.fromUser, parameters.fromDisplay),
           .remote = {.uri = target},
           .contact = environment.contact(parameters.fromUser),
           .target = std::move(target),
           .server = environment.firstHop(),
           .cseq = 1};
  seed_.local.tag = localTag_;
  Request invite;
  invite.method = Method::Invite;
  invite.uri = seed_.target;
  invite.from = seed_.local;
  invite.to = seed_.remote;
  invite.callId = callId_;
  invite.cseq = seed_.cseq;
  invite.contacts = {seed_.contact};
  addCapabilities(invite, environment.config);
  invite.supported.emplace_back("199");  // RFC 6228
  timer_.fillRequest(invite);
  invite.extraHeaders = std::move(parameters.extraHeaders);
  if (parameters.sdp) {
    invite.contentType = "application/sdp";
    invite.body = *parameters.sdp;
    firstOffer_ = std::move(parameters.sdp);
  }
  invite.routes = environment.routesOf(parameters.fromUser);
  invite.replaces = std::move(parameters.replaces);
  invite.referredBy = std::move(parameters.referredBy);
  redirection_ = Redirection(invite.uri, environment.config.limits.redirectsPerCall);
  requests_.send(now, std::move(invite), environment.firstHop());
}

bool Call::roomForBranch(bool answered) {
  const std::size_t limit = environment_.config.limits.earlyDialogsPerCall;
  if (branches_.size() < limit) return true;
  if (!confirmed_) {
    std::erase_if(branches_, [](const Branch& b) { return b.over; });
    if (branches_.size() < limit) return true;
  }
  if (!answered) return false;
  const auto early =
      std::ranges::find_if(branches_, [&](const Branch& b) { return !b.lost && !(confirmed_ && &b == &confirmed()); });
  if (early == branches_.end()) return false;  // every one of them has answered
  const auto index = static_cast<std::size_t>(early - branches_.begin());
  abandon(*early);
  branches_.erase(early);
  if (confirmed_ && *confirmed_ > index) --*confirmed_;
  return true;
}

Call::Branch* Call::branchFor(const Response& response) {
  Branch* known = branch(response.to.tag);
  if (known == nullptr) {
    if (!roomForBranch(response.status >= 200)) {
      ++environment_.counters.requestsRefusedByLimit;
      return nullptr;
    }
    branches_.push_back({.dialog = Dialog::fromResponse(seed_, response), .number = ++lastBranch_});
    known = &branches_.back();
    if (firstOffer_) known->offer.offerSent(OfferAnswer::Carrier::Invite, *firstOffer_);
  }
  noteAllow(*known, response);
  return known;
}

void Call::handleInviteProvisional(TimePoint now, const Request& invite, const Response& response) {
  if (state_ != State::Inviting) return;
  phase_ = CallPhase::Ringing;
  // Without an offer of ours an unreliable body could only be an offer that must not be there (RFC 3262 §5).
  auto sdp = firstOffer_ ? sdpOf(response) : std::nullopt;
  if (response.to.tag.empty()) {
    if (sdp) return tell(EarlyMedia{.call = id_, .status = response.status, .sdp = std::move(*sdp)});
    return tell(Ringing{.call = id_, .status = response.status});
  }
  Branch* early = branchFor(response);
  if (early == nullptr) return;
  const Reliability reliability = receiveReliable(now, *early, invite, response);
  if (reliability == Reliability::Ignored) return;
  if (reliability == Reliability::New) {
    sdp = sdpOf(response);
    if (sdp && owePrack(now, *early, invite, *sdp)) {
      return tell(EarlyMedia{id_, response.status, std::move(*sdp), early->number, true});
    }
    sendPrack(now, *early, invite.cseq);
  }
  if (response.status == 199) return handleBranchEnd(*early);
  early->over = false;
  // What was answered reliably is not said again otherwise (RFC 3261 §13.2.1).
  if (!early->offer.local(OfferAnswer::Carrier::Invite)) sdp.reset();
  const bool repeated = sdp && early->earlyAnswer == *sdp;
  if (sdp && reliability == Reliability::New) early->offer.answerReceived(*sdp);
  if (repeated) return;
  if (!sdp) return tell(Ringing{id_, response.status, early->number});
  early->earlyAnswer = *sdp;
  tell(EarlyMedia{id_, response.status, std::move(*sdp), early->number});
}

// RFC 6228 §4: the early dialog is gone, the call is not. Its sequence numbers are kept, should it be heard of again.
void Call::handleBranchEnd(Branch& ended) {
  if (std::exchange(ended.over, true)) return;
  abandon(ended);
  if (waitingOffer_ && waitingOffer_->branch == ended.number) giveWay(ended);
  tell(EarlyBranchEnded{id_, ended.number});
}

void Call::acknowledge(Branch& branch, std::uint32_t cseq, const std::vector<Authorization>& authorizations,
                       const std::string& sdp) {
  SendAck ack = branch.dialog.makeAck(cseq, authorizations);
  ack.request.userAgent = environment_.config.userAgent;
  if (!sdp.empty()) {
    ack.request.contentType = "application/sdp";
    ack.request.body = sdp;
  }
  branch.ack = ack;
  environment_.send(std::move(ack));
}

void Call::handleInviteSuccess(TimePoint now, ClientTransactionId id, const Response& response) {
  const Request invite = requests_.find(id)->request;
  requests_.markAnswered(now, id);
  Branch* answered = branchFor(response);
  if (answered == nullptr) return;
  if (confirmed_ && answered != &confirmed()) {  // another branch was quicker (§13.2.2.4)
    if (!answered->lost) {
      answered->lost = true;
      ++environment_.counters.forkedAnswersEnded;
      answered->dialog.confirm(response);
      acknowledge(*answered, invite.cseq, invite.authorizations);
      sendBye(now, *answered, std::nullopt);
    } else if (answered->ack) {
      environment_.send(*answered->ack);
    }
    return;
  }
  if (confirmed_) {  // a repeated 2xx: its ACK was lost, or waits for the owner's answer
    if (answered->ack && answered->ack->request.cseq == invite.cseq) environment_.send(*answered->ack);
    return;
  }
  answered->dialog.confirm(response);
  confirmed_ = static_cast<std::size_t>(answered - branches_.data());
  for (Branch& other : branches_) {  // kept for their sequence numbers: they may still answer
    if (&other != answered) abandon(other);
  }
  if (waitingOffer_ && waitingOffer_->branch != answered->number) giveWay(*answered);
  handleFirstAnswer(now, *answered, invite, response);
}

void Call::handleFirstAnswer(TimePoint now, Branch& answered, const Request& invite, const Response& response) {
  auto sdp = sdpOf(response);
  const bool offered = answered.offer.local(OfferAnswer::Carrier::Invite);
  const bool before = answered.offer.hasSession() || answered.offer.remote();  // settled reliably, or about to be
  if (offered && !sdp && !answered.earlyAnswer.empty()) sdp = answered.earlyAnswer;
  if (state_ == State::Cancelling ||
      (!sdp && !before)) {  // the 200 has crossed the CANCEL, or there is nothing to talk with
    acknowledge(answered, invite.cseq, invite.authorizations);
    return finishWithBye(now, {.status = 488, .reason = "The answer has no session description"});
  }
  moveTo(State::Established);
  timer_.handleSuccess(now, invite, response);
  Answered event{.call = id_, .extraHeaders = response.extraHeaders, .branch = answered.number};
  if (before) {
    if (answered.offer.hasSession()) event.sdp = answered.offer.remoteSdp();
    acknowledge(answered, invite.cseq, invite.authorizations);
  } else if (offered) {
    event.sdp = sdp;
    answered.offer.answerReceived(std::move(*sdp));
    acknowledge(answered, invite.cseq, invite.authorizations);
  } else {
    event.isOffer = true;
    event.sdp = sdp;
    answered.offer.offerReceived(OfferAnswer::Carrier::Invite, std::move(*sdp));
    owedAck_ = {invite.cseq, invite.authorizations, now + environment_.config.timers.ackWait};
  }
  tell(std::move(event));
}

void Call::handleInviteFailure(TimePoint now, const Response& response, bool fromFarEnd) {
  if (state_ != State::Inviting && state_ != State::Cancelling) return;
  finish(now, endedBy(response, fromFarEnd));
  requests_.forgetAll();
  moveTo(State::Gone);
}

}  // namespace crosspoint::sip
