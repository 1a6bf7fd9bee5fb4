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
      requests_(environment, id, std::move(parameters.credentials)) {
  seed_ = {.callId = callId_,
           .local = environment.address(parameters.fromUser, parameters.fromDisplay),
           .remote = {.uri = target},
           .contact = environment.contact(parameters.fromUser),
           .target = std::move(target),
           .server = environment.config.server,
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
  invite.extraHeaders = std::move(parameters.extraHeaders);
  if (parameters.sdp) {
    invite.contentType = "application/sdp";
    invite.body = std::move(*parameters.sdp);
    offer_.offerSent();
  }
  requests_.send(now, std::move(invite), environment.config.server);
}

Call::Branch* Call::branchFor(const Response& response) {
  if (Branch* known = branch(response.to.tag)) return known;
  if (branches_.size() == environment_.config.limits.earlyDialogsPerCall) {
    ++environment_.counters.requestsRefusedByLimit;
    return nullptr;
  }
  branches_.push_back({.dialog = Dialog::fromResponse(seed_, response)});
  return &branches_.back();
}

void Call::handleInviteProvisional(TimePoint, const Response& response) {
  if (state_ != State::Inviting) return;
  phase_ = CallPhase::Ringing;
  // Without an offer of ours an unreliable body could only be an offer that must not be there (RFC 3262 §5).
  const auto sdp = offer_.local() ? sdpOf(response) : std::nullopt;
  if (!response.to.tag.empty()) {
    Branch* early = branchFor(response);
    if (early == nullptr) return;
    if (sdp && early->earlySdp == *sdp) return;  // repeated
    if (sdp) early->earlySdp = *sdp;
  }
  if (sdp) {
    tell(EarlyMedia{id_, response.status, *sdp});
  } else {
    tell(Ringing{id_, response.status});
  }
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
  std::swap(branches_.front(), *answered);
  branches_.erase(branches_.begin() + 1, branches_.end());
  confirmed_ = 0;
  handleFirstAnswer(now, confirmed(), invite, response);
}

void Call::handleFirstAnswer(TimePoint now, Branch& answered, const Request& invite, const Response& response) {
  auto sdp = sdpOf(response);
  const bool offered = offer_.local();
  if (offered && !sdp && !answered.earlySdp.empty()) sdp = answered.earlySdp;
  if (state_ == State::Cancelling || !sdp) {  // the 200 has crossed the CANCEL, or there is nothing to talk with
    acknowledge(answered, invite.cseq, invite.authorizations);
    return finishWithBye(now, {.status = 488, .reason = "The answer has no session description"});
  }
  moveTo(State::Established);
  tell(Answered{.call = id_, .sdp = std::move(sdp), .isOffer = !offered, .extraHeaders = response.extraHeaders});
  if (offered) {
    offer_.settle();
    return acknowledge(answered, invite.cseq, invite.authorizations);
  }
  offer_.offerReceived();
  owedAck_ = {invite.cseq, invite.authorizations, now + environment_.config.timers.ackWait};
}

void Call::handleInviteFailure(TimePoint now, const Response& response, bool fromFarEnd) {
  if (state_ != State::Inviting && state_ != State::Cancelling) return;
  finish(now, endedBy(response, fromFarEnd));
  requests_.forgetAll();
  moveTo(State::Gone);
}

}  // namespace crosspoint::sip
