#include "bridge/reason.h"

namespace crosspoint::bridge {
namespace {

std::string_view name(call::Cause cause) {
  using enum call::Cause;
  switch (cause) {
    case HungUp:
      return "hung up";
    case Cancelled:
      return "cancelled";
    case Refused:
      return "refused";
    case NoAnswer:
      return "no answer";
    case NoCommonCodec:
      return "no common codec";
    case Unreachable:
      return "unreachable";
    case MediaLost:
      return "media lost";
    case SessionGone:
      return "session gone";
    case Limit:
      return "limit";
    case Failed:
      return "failed";
  }
  return "failed";
}

call::Cause causeOf(int status) {
  switch (status) {
    case 408:
      return call::Cause::NoAnswer;
    case 415:
    case 488:
    case 606:
      return call::Cause::NoCommonCodec;
    case 503:
      return call::Cause::Unreachable;
    default:
      return call::Cause::Refused;
  }
}

}  // namespace

call::Reason reasonFromSip(const sip::Ended& event, bool outgoing) {
  if (event.phase == sip::CallPhase::Established) {
    return {event.status >= 400 ? call::Cause::Failed : call::Cause::HungUp, event.status, event.reason};
  }
  if (!outgoing && (event.byRemote || event.status < 400)) {
    return {call::Cause::Cancelled, event.status, event.reason.empty() ? "Cancelled by the caller" : event.reason};
  }
  if (!outgoing) return {event.status == 480 ? call::Cause::NoAnswer : call::Cause::Failed, event.status, event.reason};
  call::Reason reason{causeOf(event.status), event.status, event.reason};
  // A 408 or 503 before anything was heard of the far end means that the SIP server itself did not answer.
  if (event.phase == sip::CallPhase::Setup && event.status == 408) {
    reason = {call::Cause::Unreachable, 408, "The SIP server did not answer"};
  }
  if (reason.text.empty()) reason.text = std::string(sip::standardReason(event.status));
  return reason;
}

roap::Message errorMessage(const call::Reason& reason) {
  roap::Message message{.type = roap::MessageType::Error};
  message.errorType = reason.cause == call::Cause::Refused    ? roap::ErrorType::Refused
                      : reason.cause == call::Cause::NoAnswer ? roap::ErrorType::Timeout
                                                              : roap::ErrorType::Failed;
  if (reason.sipStatus > 0) message.sipStatus = static_cast<std::uint16_t>(reason.sipStatus);
  message.reason = reason.text;
  return message;
}

std::string toText(const call::Reason& reason) {
  std::string text(name(reason.cause));
  if (reason.sipStatus > 0) text += " " + std::to_string(reason.sipStatus);
  if (!reason.text.empty()) text += ": " + reason.text;
  return text;
}

}  // namespace crosspoint::bridge
