// The first INVITE of an incoming call (RFC 3261 §13.3): provisional responses, the answer and its ACK, refusal,
// CANCEL.
#include <utility>

#include "core/sip/call.h"
#include "core/sip/shown_text.h"

namespace crosspoint::sip {
namespace {

constexpr Duration kProvisionalRepeat = std::chrono::seconds(60);  // RFC 3261 §13.3.1.1: every minute, for proxies

}  // namespace

Call::Call(Environment& environment, CallId id, TimePoint now, RequestReceived invite, std::optional<CallId> replaces)
    : environment_(environment),
      id_(id),
      outgoing_(false),
      state_(State::Invited),
      callId_(invite.request.callId),
      localTag_(environment.newToken()),
      timer_(environment.config.sessionExpires, environment.config.minSe),
      requests_(environment, id, {}) {
  Request& request = invite.request;
  NameAddr contact = environment.contact(unescape(request.uri.user));
  branches_.push_back({.dialog = Dialog::fromRequest(request, localTag_, std::move(contact), environment.firstHop())});
  confirmed_ = 0;
  lastBranch_ = 1;
  noteAllow(confirmed(), request);
  callerWantsReliable_ = hasOption(request.require, kReliable);
  callerKnowsReliable_ = callerWantsReliable_ || hasOption(request.supported, kReliable);
  auto sdp = sdpOf(request);
  if (sdp) confirmed().offer.offerReceived(OfferAnswer::Carrier::Invite, *sdp);
  tell(IncomingCall{.call = id,
                    .requestUri = request.uri,
                    .toUser = shownText(unescape(request.uri.user)),
                    .fromUser = shownText(unescape(request.from.uri.user)),
                    .fromDisplay = shownText(request.from.display),
                    .sdp = std::move(sdp),
                    .extraHeaders = request.extraHeaders,
                    .source = invite.source,
                    .replaces = replaces,
                    .referredBy = request.referredBy.transform(shownAddress)});
  request.body.clear();
  environment.inviteTransactions.emplace(invite.id, id);
  serverInvite_ = ServerInvite{invite.id, std::move(request), now + environment.config.timers.ringMax};
}

Response Call::inviteResponse(int status) {
  Response response = makeResponse(serverInvite_->request, status, localTag_);
  response.contacts = {environment_.contact(unescape(serverInvite_->request.uri.user))};
  addCapabilities(response, environment_.config);
  return response;
}

void Call::sendProvisional(TimePoint now, Response response) {
  phase_ = CallPhase::Ringing;
  lastProvisional_ = response;
  provisionalDueAt_ = now + kProvisionalRepeat;
  if (!reliably(response)) return respond(serverInvite_->id, std::move(response));
  lastProvisional_->contentType.clear();  // what was said reliably is not said again
  lastProvisional_->body.clear();
  sendReliably(now, std::move(response));
}

CommandResult Call::ring(TimePoint now) {
  if (state_ != State::Invited || pendingAccept_) return std::unexpected(CommandError::WrongState);
  sendProvisional(now, inviteResponse(180));
  return {};
}

CommandResult Call::progress(TimePoint now, std::string sdp) {
  if (state_ != State::Invited || pendingAccept_) return std::unexpected(CommandError::WrongState);
  Response response = inviteResponse(183);
  OfferAnswer& offer = confirmed().offer;
  const bool answers = offer.remote(OfferAnswer::Carrier::Invite);
  const bool offers = offer.settled() && !offer.hasSession() && callerKnowsReliable_;  // only reliably (RFC 3262 §5)
  if (answers || offers) {
    response.contentType = "application/sdp";
    response.body = sdp;
  }
  if (offers) {
    offer.offerSent(OfferAnswer::Carrier::Provisional, std::move(sdp));
  } else if (answers && callerKnowsReliable_) {
    offer.answerSent(std::move(sdp));
  }
  sendProvisional(now, std::move(response));
  return {};
}

CommandResult Call::accept(TimePoint now, std::string sdp, std::vector<Header> extraHeaders) {
  if (state_ != State::Invited || pendingAccept_) return std::unexpected(CommandError::WrongState);
  pendingAccept_ = PendingAccept{std::move(sdp), std::move(extraHeaders)};
  provisionalDueAt_.reset();
  lastProvisional_.reset();
  sendAccept(now);
  return {};
}

// The 2xx may not overtake a body that waits for its PRACK (RFC 3262 §3), nor an offer that waits for its answer.
void Call::sendAccept(TimePoint now) {
  if ((reliable_ && reliable_->bodyWaiting()) || (nextReliable_ && !nextReliable_->body.empty())) return;
  const OfferAnswer& offer = confirmed().offer;
  if (!offer.settled() && !offer.remote(OfferAnswer::Carrier::Invite)) return;
  PendingAccept accept = *std::exchange(pendingAccept_, {});
  nextReliable_.reset();
  if (reliable_) reliable_->quiet();
  Response response = inviteResponse(200);
  response.extraHeaders = std::move(accept.extraHeaders);
  acceptInvite(now, std::move(response), std::move(accept.sdp));
  moveTo(State::Accepted);
}

// 2xx to the first or a later INVITE: with the answer, or with the offer if the INVITE had none; bare where provisional
// responses have settled it.
void Call::acceptInvite(TimePoint now, Response response, std::string sdp) {
  OfferAnswer& offer = confirmed().offer;
  const bool answers = offer.remote();
  const bool offers = !answers && (state_ != State::Invited || !offer.hasSession());
  if (answers || offers) {
    response.contentType = "application/sdp";
    response.body = sdp;
  }
  if (answers) offer.answerSent(std::move(sdp));
  if (offers) offer.offerSent(OfferAnswer::Carrier::Invite, std::move(sdp));
  timer_.fillResponse(now, serverInvite_->request, response);
  awaitedAck_ = AwaitedAck{serverInvite_->request.cseq, offers, now + environment_.config.timers.ackWait};
  respond(serverInvite_->id, std::move(response));
  environment_.inviteTransactions.erase(serverInvite_->id);
  serverInvite_.reset();
}

void Call::refuseInvite(int status, std::string_view reason, std::optional<Reason> why) {
  Response response = makeResponse(serverInvite_->request, status, localTag_, reason);
  if (why) response.reasons.push_back(std::move(*why));
  respond(serverInvite_->id, std::move(response));
  environment_.inviteTransactions.erase(serverInvite_->id);
  serverInvite_.reset();
  if (confirmed().offer.remote(OfferAnswer::Carrier::Invite)) confirmed().offer.withdraw();
}

CommandResult Call::reject(TimePoint now, int status, std::string_view reason) {
  if (state_ != State::Invited || pendingAccept_) return std::unexpected(CommandError::WrongState);
  if (status < 300 || status > 699) return std::unexpected(CommandError::BadParameter);
  refuseInvite(status, reason);
  finish(now, {.status = status, .reason = withoutControls(reason)});
  moveTo(State::Gone);
  return {};
}

void Call::handleCancel(TimePoint now, ServerTransactionId id, const std::vector<Reason>& reasons) {
  if (!serverInvite_ || serverInvite_->id != id) return;  // it has crossed our final response
  if (state_ != State::Invited) return withdrawServerInvite(487);
  refuseInvite(487);
  Ended ended{.status = 487, .byRemote = true};
  addReasons(ended, reasons);
  finish(now, std::move(ended));
  moveTo(State::Gone);
}

void Call::handleAck(TimePoint now, const Request& ack) {
  if (!awaitedAck_ || awaitedAck_->cseq != ack.cseq || ack.from.tag != confirmed().dialog.remoteTag()) return;
  const bool bringsAnswer = awaitedAck_->bringsAnswer;
  awaitedAck_.reset();
  if (state_ == State::Closing) return finishWithBye(now, {}, std::exchange(closingReason_, {}));
  auto sdp = bringsAnswer ? sdpOf(ack) : std::nullopt;
  if (bringsAnswer && !sdp) return finishWithBye(now, {.status = 488, .reason = "The ACK has no session description"});
  if (bringsAnswer) confirmed().offer.answerReceived(*sdp);
  if (state_ == State::Accepted) {
    moveTo(State::Established);
    tell(Confirmed{id_, std::move(sdp)});
    if (waitingOffer_ && !waitingOffer_->dueAt) sendWaitingOffer(now);
  } else if (sdp) {
    tell(OfferAnswered{.call = id_, .sdp = std::move(*sdp), .branch = confirmed().number});
  }
}

}  // namespace crosspoint::sip
