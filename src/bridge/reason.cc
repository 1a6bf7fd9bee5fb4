#include "bridge/reason.h"

#include <algorithm>
#include <array>

#include "bridge/text.h"

namespace crosspoint::bridge {
namespace {

using call::Cause;

constexpr std::size_t kWordsBytesMax = 200;  // of a far end's own, in one of our sentences

std::string_view name(Cause cause) {
  switch (cause) {
    case Cause::HungUp:
      return "hung up";
    case Cause::Cancelled:
      return "cancelled";
    case Cause::Refused:
      return "refused";
    case Cause::NoAnswer:
      return "no answer";
    case Cause::NoCommonCodec:
      return "no common codec";
    case Cause::Unreachable:
      return "unreachable";
    case Cause::MediaLost:
      return "media lost";
    case Cause::SessionGone:
      return "session gone";
    case Cause::Limit:
      return "limit";
    case Cause::Failed:
      return "failed";
  }
  return "failed";
}

// A SIP status (RFC 3261 §21 and its registry), or below 200 a cause of ITU-T Q.850, before the answer.
struct Meaning {
  int number;
  Cause cause;
  std::string_view sentence;
};
constexpr int kFirstSipStatus = 200;

constexpr std::array kMeanings = std::to_array<Meaning>({
    {1, Cause::Refused, "There is nobody of that number"},
    {2, Cause::Failed, "There is no route to that number"},
    {3, Cause::Failed, "There is no route to that number"},
    {17, Cause::Refused, "The called party is busy"},
    {18, Cause::NoAnswer, "The called party's phone does not respond"},
    {19, Cause::NoAnswer, "The called party did not answer"},
    {20, Cause::Refused, "The called party cannot be reached at present"},
    {21, Cause::Refused, "The called party declined the call"},
    {22, Cause::Refused, "The called party has another number now"},
    {26, Cause::Refused, "The call was answered elsewhere"},
    {27, Cause::Failed, "The called party's line is out of order"},
    {28, Cause::Refused, "That number is incomplete or not valid"},
    {29, Cause::Failed, "The network does not offer what the call asked for"},
    {34, Cause::Failed, "The lines to the called party are congested"},
    {38, Cause::Failed, "The network of the called party is out of order"},
    {41, Cause::Failed, "The network of the called party failed; a later call may succeed"},
    {42, Cause::Failed, "The exchange is congested"},
    {44, Cause::Failed, "The lines to the called party are congested"},
    {47, Cause::Failed, "The network has no resources left for the call"},
    {57, Cause::Refused, "The called party's line may not be used for such a call"},
    {58, Cause::NoCommonCodec, "The called party's line cannot carry such a call at present"},
    {65, Cause::NoCommonCodec, "The called party's line cannot carry such a call"},
    {79, Cause::Failed, "The network does not offer what the call asked for"},
    {88, Cause::NoCommonCodec, "The called party's phone and this page have no codec in common"},
    {102, Cause::Failed, "The network of the called party did not answer in time"},
    {111, Cause::Failed, "The network of the called party did not understand the call"},
    {301, Cause::Refused, "The called party has moved to where it cannot be called"},
    {302, Cause::Refused, "The call was redirected to where it cannot go"},
    {305, Cause::Failed, "The call was redirected to a proxy that cannot be used"},
    {380, Cause::Refused, "The called party offers another service instead of an answer"},
    {400, Cause::Failed, "The SIP server did not understand the call"},
    {401, Cause::Refused, "The SIP server did not accept the name or the password for this call"},
    {402, Cause::Refused, "The SIP server wants the call to be paid for"},
    {403, Cause::Refused, "The SIP server does not allow this call"},
    {404, Cause::Refused, "There is nobody of that name to call"},
    {405, Cause::Failed, "The called party does not take calls"},
    {406, Cause::NoCommonCodec, "The called party's phone and this page have no codec in common"},
    {407, Cause::Refused, "The SIP server did not accept the name or the password for this call"},
    {408, Cause::NoAnswer, "The called party did not answer"},
    {410, Cause::Refused, "The called party is not there any more"},
    {413, Cause::Failed, "The call's description is too large for the SIP server"},
    {415, Cause::NoCommonCodec, "The called party does not understand the call's description"},
    {416, Cause::Refused, "That is no address that the SIP server can call"},
    {420, Cause::Failed, "The called party lacks an extension that the call needs"},
    {421, Cause::Failed, "The called party needs an extension that the call lacks"},
    {422, Cause::Failed, "The SIP server wants longer session timers"},
    {433, Cause::Refused, "The called party takes no anonymous calls"},
    {480, Cause::Refused, "The called party is not available at present"},
    {481, Cause::Failed, "The SIP server has lost the call"},
    {482, Cause::Failed, "The call went in circles between SIP servers"},
    {483, Cause::Failed, "The call went through too many SIP servers"},
    {484, Cause::Refused, "That number is incomplete"},
    {485, Cause::Refused, "That name stands for several parties"},
    {486, Cause::Refused, "The called party is busy"},
    {487, Cause::Refused, "The call was ended before it was answered"},
    {488, Cause::NoCommonCodec, "The called party's phone and this page have no codec in common"},
    {493, Cause::Failed, "The called party could not read the call's description"},
    {500, Cause::Failed, "The SIP server failed"},
    {501, Cause::Failed, "The SIP server does not know how to do that"},
    {502, Cause::Failed, "The SIP server had a wrong answer from the next one"},
    {503, Cause::Unreachable, "The SIP server is overloaded or cannot be reached"},
    {504, Cause::Failed, "The SIP server had no answer from the next one"},
    {505, Cause::Failed, "The SIP server speaks another version of SIP"},
    {513, Cause::Failed, "The call's description is too large for the SIP server"},
    {580, Cause::Failed, "The network has no resources left for the call"},
    {600, Cause::Refused, "The called party is busy everywhere"},
    {603, Cause::Refused, "The called party declined the call"},
    {604, Cause::Refused, "The called party exists nowhere"},
    {606, Cause::NoCommonCodec, "The called party's phone and this page have no codec in common"},
    {607, Cause::Refused, "The called party does not want such calls"},
    {608, Cause::Refused, "The call was rejected on behalf of the called party"},
});
static_assert(std::ranges::is_sorted(kMeanings, {}, &Meaning::number));

Meaning meaningOf(int number) {
  const auto found = std::ranges::lower_bound(kMeanings, number, {}, &Meaning::number);
  if (found != kMeanings.end() && found->number == number) return *found;
  if (number >= 600) return {number, Cause::Refused, "The called party refused the call"};
  if (number >= 500) return {number, Cause::Failed, "The SIP server failed"};
  if (number >= 400) return {number, Cause::Refused, "The call was refused"};
  if (number >= 300) return {number, Cause::Refused, "The call was redirected to where it cannot go"};
  return {number, Cause::Failed, "The call failed"};
}

// Whether a Reason header says more than the status beside it (ITU-T Q.850: 16 and 31 are "normal", 127 is anything).
bool saysMore(std::uint32_t cause) {
  return cause < static_cast<std::uint32_t>(kFirstSipStatus) &&
         std::ranges::binary_search(kMeanings, static_cast<int>(cause), {}, &Meaning::number);
}

// In an established call: somebody hung up, or something broke?
bool isBreakdown(std::uint32_t cause) {
  return cause == 408 || (cause >= 500 && cause < 600) ||
         (saysMore(cause) && cause >= 27 && meaningOf(static_cast<int>(cause)).cause == Cause::Failed);
}

// The reason phrase, if it is not the one that every server sends.
std::string_view ownWords(int status, std::string_view phrase) {
  return phrase == sip::standardReason(status) ? std::string_view() : phrase;
}

std::string withWords(std::string_view sentence, std::string_view words) {
  std::string text(sentence);
  if (words.empty()) return text;
  std::string shown = asUtf8(words);
  if (shown.size() > kWordsBytesMax) {
    std::size_t end = kWordsBytesMax;
    while ((static_cast<unsigned char>(shown[end]) & 0xc0) == 0x80) --end;  // never inside a character
    shown.resize(end);
  }
  return text + ": " + shown;
}

call::Reason endOfEstablished(const sip::Ended& event) {
  if (event.status >= 400) {
    std::string_view sentence = "The call broke off";
    if (event.status == 408) sentence = "The other side does not answer any more";
    if (event.status == 481) sentence = "The other side knows nothing of the call any more";
    return {Cause::Failed, event.status, withWords(sentence, ownWords(event.status, event.reason))};
  }
  if (event.byRemote && isBreakdown(event.cause)) {
    const int status = event.cause >= static_cast<std::uint32_t>(kFirstSipStatus) ? static_cast<int>(event.cause) : 0;
    return {Cause::Failed, status, withWords("The call broke off", event.reason)};
  }
  return {Cause::HungUp, event.status, withWords(event.byRemote ? "The other side hung up" : "Ended", event.reason)};
}

call::Reason endOfIncoming(const sip::Ended& event) {
  if (event.byRemote || event.status < 400) {
    const bool elsewhere = event.cause == 200 || event.cause == 26;
    return {Cause::Cancelled, event.status,
            elsewhere ? "Answered elsewhere" : withWords("Cancelled by the caller", event.reason)};
  }
  return {event.status == 480 ? Cause::NoAnswer : Cause::Failed, event.status, sentenceFor(event.status, event.reason)};
}

}  // namespace

std::string sentenceFor(int statusOrCause, std::string_view farEndsWords) {
  return withWords(meaningOf(statusOrCause).sentence, ownWords(statusOrCause, farEndsWords));
}

std::string signInRefusal(std::string_view user, int status, std::string_view phrase) {
  const std::string who(user);
  const auto sentence = [&]() -> std::string {
    switch (status) {
      case 401:
      case 407:
        return "The SIP server did not accept the password of " + who;
      case 403:
        return "The SIP server does not let " + who + " sign in";
      case 404:
        return "The SIP server does not know " + who;
      case 408:
        return "The SIP server did not answer the registration of " + who;
      case 503:
        return "The SIP server is overloaded or cannot be reached, so " + who + " is not signed in";
      default:
        return "The SIP server refused to register " + who;
    }
  };
  const std::string words = asUtf8(phrase.empty() ? sip::standardReason(status) : phrase);
  return sentence() + " (" + std::to_string(status) + (words.empty() ? "" : " " + words) + ")";
}

call::Reason reasonFromSip(const sip::Ended& event, bool outgoing) {
  if (event.phase == sip::CallPhase::Established) return endOfEstablished(event);
  if (!outgoing) return endOfIncoming(event);
  // A 408 before anything was heard of the far end means that the SIP server itself did not answer.
  if (event.phase == sip::CallPhase::Setup && event.status == 408 && !event.byRemote) {
    return {Cause::Unreachable, 408, "The SIP server did not answer"};
  }
  const int number = saysMore(event.cause) ? static_cast<int>(event.cause) : event.status;
  return {meaningOf(number).cause, event.status, sentenceFor(number, ownWords(event.status, event.reason))};
}

call::Reason reasonFromPage(roap::ErrorType error) {
  switch (error) {
    case roap::ErrorType::Refused:
      return {Cause::Refused, 603, "Declined by the page"};
    case roap::ErrorType::Timeout:
    case roap::ErrorType::NoMatch:
      return {Cause::Refused, 480, "The page did not answer"};
    default:
      return {Cause::Refused, 488, "The page could not use the offer"};
  }
}

bool isPlainEnd(const call::Reason& reason) {
  return reason.cause == Cause::HungUp || reason.cause == Cause::Cancelled;
}

roap::Message errorMessage(const call::Reason& reason) {
  roap::Message message{.type = roap::MessageType::Error};
  message.errorType = reason.cause == Cause::Refused    ? roap::ErrorType::Refused
                      : reason.cause == Cause::NoAnswer ? roap::ErrorType::Timeout
                                                        : roap::ErrorType::Failed;
  if (reason.sipStatus > 0) message.sipStatus = static_cast<std::uint16_t>(reason.sipStatus);
  message.reason = reason.text;
  return message;
}

int statusToSip(const call::Reason& reason) {
  if (reason.cause == Cause::NoAnswer) return 480;  // RFC 3261 §21.4.18 rather than a time-out
  return reason.sipStatus >= 400 ? reason.sipStatus : 480;
}

std::string phraseToSip(const call::Reason& reason) {
  const bool ours =
      reason.cause == Cause::NoCommonCodec || reason.cause == Cause::Limit || reason.cause == Cause::Failed;
  return ours ? reason.text : std::string();
}

std::optional<sip::Reason> reasonToSip(const call::Reason& reason) {
  const auto q850 = [&](std::uint32_t cause) { return sip::Reason{"Q.850", cause, reason.text}; };
  switch (reason.cause) {
    case Cause::HungUp:
      if (reason.sipStatus < 400) return std::nullopt;
      break;
    case Cause::Cancelled:
    case Cause::Refused:
      return std::nullopt;
    case Cause::NoAnswer:
      return q850(19);
    case Cause::MediaLost:
      return q850(41);
    case Cause::SessionGone:
      return q850(27);
    case Cause::Limit:
      return q850(47);
    case Cause::NoCommonCodec:
    case Cause::Unreachable:
    case Cause::Failed:
      break;
  }
  return sip::Reason{"SIP", reason.sipStatus >= 400 ? static_cast<std::uint32_t>(reason.sipStatus) : 500u, reason.text};
}

std::string toText(const call::Reason& reason) {
  std::string text(name(reason.cause));
  if (reason.sipStatus > 0) text += " " + std::to_string(reason.sipStatus);
  if (!reason.text.empty()) text += ": " + reason.text;
  return text;
}

}  // namespace crosspoint::bridge
