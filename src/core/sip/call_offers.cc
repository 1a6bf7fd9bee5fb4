// Offers inside an established call (RFC 3261 §14, RFC 3264 §8): re-INVITE both ways, glare, offers that come late.
#include <utility>

#include "core/sip/call.h"

namespace crosspoint::sip {
namespace {

constexpr int kGlareRetriesMax = 6;

}  // namespace

bool Call::offerPending() {
  return !offer_.settled() || serverInvite_ || owedAck_ || waitingOffer_ ||
         requests_.findUnanswered(Method::Invite) != nullptr;
}

CommandResult Call::reInvite(TimePoint now, std::optional<std::string> sdp) {
  if (state_ != State::Established && state_ != State::Accepted) return std::unexpected(CommandError::WrongState);
  if (offerPending()) return std::unexpected(CommandError::OfferPending);
  glareRetries_ = 0;
  if (state_ == State::Accepted) {  // until the ACK the far end may not know the dialog
    waitingOffer_ = WaitingOffer{std::move(sdp), std::nullopt};
  } else {
    sendReInvite(now, std::move(sdp));
  }
  return {};
}

void Call::sendReInvite(TimePoint now, std::optional<std::string> sdp) {
  Request invite = confirmed().dialog.makeRequest(Method::Invite);
  addCapabilities(invite, environment_.config);
  if (sdp) {
    invite.contentType = "application/sdp";
    invite.body = std::move(*sdp);
    offer_.offerSent();
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
  auto sdp = sdpOf(response);
  const bool offered = offer_.local();
  if (!ended_ && !offered && sdp) {  // our INVITE asked for an offer; the ACK waits for the owner's answer
    offer_.offerReceived();
    owedAck_ = {invite.cseq, invite.authorizations, now + environment_.config.timers.ackWait};
    return tell(OfferReceived{id_, std::move(sdp)});
  }
  acknowledge(dialog, invite.cseq, invite.authorizations);
  if (offered) offer_.settle();
  if (sdp) {
    tell(OfferAnswered{id_, std::move(*sdp)});
  } else {
    tell(OfferFailed{id_, 488});
  }
  settleDown();
}

void Call::handleReInviteFailure(TimePoint now, const Request& invite, const Response& response, bool fromFarEnd) {
  if (offer_.local()) offer_.settle();
  if (state_ != State::Established) return;
  if (response.status == 481 || response.status == 408 || !fromFarEnd) {  // §14.1: the dialog is gone
    return finishWithBye(now, endedBy(response, fromFarEnd));
  }
  if (response.status != 491) return tell(OfferFailed{id_, response.status});
  ++environment_.counters.glares;
  if (++glareRetries_ > kGlareRetriesMax) return tell(OfferFailed{id_, 491});
  // §14.1: 2.1 to 4 s for the owner of the Call-ID, else 0 to 2 s, in units of 10 ms
  const auto units = outgoing_ ? 210 + environment_.random.below(191) : environment_.random.below(201);
  std::optional<std::string> sdp;
  if (!invite.body.empty()) sdp = invite.body;
  waitingOffer_ = WaitingOffer{std::move(sdp), now + units * std::chrono::milliseconds(10)};
}

void Call::handleReInvite(TimePoint now, RequestReceived received) {
  Request& request = received.request;
  if (serverInvite_) {  // §14.2: the one before has no final response yet
    Response response = makeResponse(request, 500, localTag_);
    response.retryAfter = static_cast<std::uint32_t>(environment_.random.below(11));
    return respond(received.id, std::move(response));
  }
  if (state_ == State::Accepted || !offer_.settled() || owedAck_ ||
      requests_.findUnanswered(Method::Invite) != nullptr) {
    ++environment_.counters.glares;
    return respond(received.id, request, 491);
  }
  confirmed().dialog.refreshTarget(request);
  awaitedAck_.reset();  // a new INVITE says that the 2xx before it has arrived
  if (std::exchange(waitingOffer_, {})) tell(OfferFailed{id_, 491});
  auto sdp = sdpOf(request);
  if (sdp) offer_.offerReceived();
  request.body.clear();
  environment_.inviteTransactions.emplace(received.id, id_);
  serverInvite_ = ServerInvite{received.id, std::move(request), now + environment_.config.timers.offerWait};
  tell(OfferReceived{id_, std::move(sdp)});
}

CommandResult Call::answerOffer(TimePoint now, std::string sdp, std::uint32_t) {
  if (state_ != State::Established) return std::unexpected(CommandError::WrongState);
  if (owedAck_) {
    const OwedAck owed = std::move(*owedAck_);
    owedAck_.reset();
    offer_.settle();
    acknowledge(confirmed(), owed.cseq, owed.authorizations, sdp);
    return {};
  }
  if (!serverInvite_) return std::unexpected(CommandError::WrongState);
  acceptInvite(now, inviteResponse(200), std::move(sdp));
  return {};
}

CommandResult Call::rejectOffer(TimePoint, int status, std::uint32_t) {
  if (state_ != State::Established || !serverInvite_) return std::unexpected(CommandError::WrongState);
  if (status < 300 || status > 699) return std::unexpected(CommandError::BadParameter);
  refuseInvite(status);
  return {};
}

CommandResult Call::update(TimePoint, std::string, std::uint32_t) { return std::unexpected(CommandError::WrongState); }

void Call::withdrawServerInvite(int status) {
  refuseInvite(status);
  tell(OfferWithdrawn{id_, status});
}

}  // namespace crosspoint::sip
