// Requests inside the dialog other than INVITE: BYE, INFO, NOTIFY, OPTIONS, and what is refused.
#include <algorithm>
#include <utility>

#include "core/params/media.h"
#include "core/sip/call.h"
#include "core/sip/refer.h"

namespace crosspoint::sip {
namespace {

constexpr int kByeRepeatsMax = 2;
constexpr int kInfoRepeatsMax = 2;

// What the far end gets another answer to than 481 in an early dialog of a call of ours: that would end it there.
bool isTakenEarly(Method method) { return method != Method::Bye && method != Method::Prack; }

}  // namespace

void Call::handleRequest(TimePoint now, RequestReceived received) {
  const Request& request = received.request;
  Branch* dialog = branch(request.from.tag);
  const bool early = state_ == State::Inviting && isTakenEarly(request.method);
  const bool ours = dialog != nullptr && (dialog->lost || early || (confirmed_ && dialog == &confirmed()));
  // After the call's end the subscription of a REFER may live on (RFC 5057 §5.2).
  const bool ofRefer =
      sentRefer_ && request.method == Method::Notify && namesEqual(eventName(request.event), kReferEvent);
  if (!ours || state_ == State::Gone || (ended_ && request.method != Method::Bye && !ofRefer)) {
    ++environment_.counters.strayRequests;
    return respond(received.id, request, 481);
  }
  if (!dialog->dialog.acceptCseq(request.cseq)) return respond(received.id, request, 500, "CSeq is out of order");
  if (request.method == Method::Bye) return handleBye(now, *dialog, std::move(received));
  if (dialog->lost) return respond(received.id, request, 481);
  noteAllow(*dialog, request);
  const bool negotiates =
      request.method == Method::Invite || request.method == Method::Update || request.method == Method::Prack;
  if (negotiates && !isSdp(request.contentType)) {
    Response response = makeResponse(request, 415, localTag_);
    response.accept = {"application/sdp"};
    return respond(received.id, std::move(response));
  }
  switch (request.method) {
    case Method::Invite:
      if (state_ == State::Invited) {  // the first one is not answered yet
        Response response = makeResponse(request, 500, localTag_);
        response.retryAfter = static_cast<std::uint32_t>(environment_.random.below(11));
        return respond(received.id, std::move(response));
      }
      if (early) {  // §14.2: our own INVITE is in progress in that dialog
        ++environment_.counters.glares;
        return respond(received.id, request, 491);
      }
      return handleReInvite(now, std::move(received));
    case Method::Update:
      return handleUpdate(now, *dialog, std::move(received));
    case Method::Prack:
      return handlePrack(now, *dialog, std::move(received));
    case Method::Info:
      return handleInfo(std::move(received));
    case Method::Notify:
      return handleNotify(now, std::move(received));
    case Method::Refer:
      return handleRefer(now, std::move(received));
    case Method::Options: {
      Response response = makeResponse(request, 200, localTag_);
      addCapabilities(response, environment_.config);
      return respond(received.id, std::move(response));
    }
    default: {
      Response response = makeResponse(request, request.method == Method::Other ? 501 : 405, localTag_);
      addCapabilities(response, environment_.config);
      return respond(received.id, std::move(response));
    }
  }
}

void Call::handleBye(TimePoint now, Branch& branch, RequestReceived received) {
  respond(received.id, received.request, 200);
  if (branch.lost || state_ == State::Ending) return;  // two BYEs have crossed: ours is answered on its own
  if (serverInvite_) refuseInvite(487);
  Ended ended{.status = state_ == State::Invited ? 487 : 0, .byRemote = true};
  addReasons(ended, received.request.reasons);
  awaitedAck_.reset();
  owedAck_.reset();
  finish(now, std::move(ended));
  windDown(now);
}

// RFC 3261 §12.2.2: a 500 may only say that a later request (the repetition of a challenged one) has overtaken the BYE,
// and the far end still believes in the call.
void Call::handleByeFinal(TimePoint now, const Request& bye, const Response& response, bool fromFarEnd) {
  Branch* dialog = branch(bye.to.tag);
  if (!fromFarEnd || response.status != 500 || dialog == nullptr || dialog->byeRepeats == kByeRepeatsMax) return;
  ++dialog->byeRepeats;
  Request again = dialog->dialog.makeRequest(Method::Bye);
  again.reasons = bye.reasons;
  requests_.send(now, std::move(again), dialog->dialog.destination());
}

void Call::handleInfo(RequestReceived received) {
  const bool ofAPackage = std::ranges::any_of(
      received.request.extraHeaders, [](const Header& header) { return namesEqual(header.name, "Info-Package"); });
  if (ofAPackage) {  // RFC 6086 §4.2.2: none was offered
    Response response = makeResponse(received.request, 469, localTag_);
    response.extraHeaders = {{"Recv-Info", ""}};
    return respond(received.id, std::move(response));
  }
  respond(received.id, received.request, 200);
  tell(InfoReceived{.call = id_,
                    .contentType = std::move(received.request.contentType),
                    .body = std::move(received.request.body),
                    .extraHeaders = std::move(received.request.extraHeaders)});
}

void Call::handleNotify(TimePoint now, RequestReceived received) {
  const std::string_view event = eventName(received.request.event);
  if (namesEqual(event, kReferEvent)) return handleReferNotify(now, received);
  const auto& known = environment_.config.allowEvents;
  const auto found = std::ranges::find_if(known, [event](const std::string& name) { return namesEqual(name, event); });
  if (found == known.end()) {  // RFC 6665 §4.1.3
    Response response = makeResponse(received.request, 489, localTag_);
    response.allowEvents = known;
    return respond(received.id, std::move(response));
  }
  respond(received.id, received.request, 200);
  tell(NotifyReceived{.call = id_,
                      .event = *found,
                      .contentType = std::move(received.request.contentType),
                      .body = std::move(received.request.body)});
}

// RFC 3261 §12.2.2: a far end refuses an INFO that another one has overtaken. So each waits for the answer to the one
// before, but not for one that is never answered.
CommandResult Call::sendInfo(TimePoint now, std::string contentType, std::string body,
                             std::vector<Header> extraHeaders) {
  if (state_ != State::Established && state_ != State::Accepted) return std::unexpected(CommandError::WrongState);
  const Limits& limits = environment_.config.limits;
  std::size_t bytes = body.size();
  for (const auto& waiting : infosWaiting_) bytes += waiting.body.size();
  if (infosWaiting_.size() == limits.infosWaitingPerCall || bytes > limits.infoBytesWaitingPerCall) {
    ++environment_.counters.requestsRefusedByLimit;
    return std::unexpected(CommandError::TooMany);
  }
  infosWaiting_.push_back({withoutControls(contentType), std::move(body), std::move(extraHeaders)});
  if (requests_.findUnanswered(Method::Info) == nullptr) sendNextInfo(now);
  return {};
}

bool Call::infoMayFollow() const {
  return !infosWaiting_.empty() && requests_.unanswered() < environment_.config.limits.requestsPerCall;
}

void Call::sendNextInfo(TimePoint now) {
  if (!infoMayFollow()) return;
  infoRepeats_ = 0;
  infoFollowsAt_ = now + environment_.config.timers.infoWait;
  sendInfoRequest(now, std::move(infosWaiting_.front()));
  infosWaiting_.pop_front();
}

void Call::sendInfoRequest(TimePoint now, Info what) {
  Request info = confirmed().dialog.makeRequest(Method::Info);
  info.contentType = std::move(what.contentType);
  info.body = std::move(what.body);
  info.extraHeaders = std::move(what.extraHeaders);
  requests_.send(now, std::move(info), confirmed().dialog.destination());
}

// Another request, a re-INVITE perhaps, has come there before it.
bool Call::repeatOvertaken(TimePoint now, const Request& info, const Response& response, bool fromFarEnd) {
  const bool overtaken = fromFarEnd && response.status == 500 && info.cseq != confirmed().dialog.localCseq();
  if (!overtaken || infoRepeats_ == kInfoRepeatsMax) return false;
  ++infoRepeats_;
  sendInfoRequest(now, {info.contentType, info.body, info.extraHeaders});
  return true;
}

void Call::handleOtherFinal(TimePoint now, const Request& request, const Response& response, bool fromFarEnd) {
  if (request.method == Method::Refer) handleReferFinal(now, request, response);
  if (request.method == Method::Notify) return handleReferNotifyFinal(response, fromFarEnd);
  if (ended_) return;
  const bool info = request.method == Method::Info;
  if (info && repeatOvertaken(now, request, response, fromFarEnd)) return;
  if (info && response.status >= 300) tell(InfoFailed{id_, response.status});
  if (response.status == 481 && state_ == State::Established) {  // RFC 5057 §5.1: the dialog is gone
    return finishWithBye(now, endedBy(response, fromFarEnd));
  }
  if (info && requests_.findUnanswered(Method::Info) == nullptr) sendNextInfo(now);
}

}  // namespace crosspoint::sip
