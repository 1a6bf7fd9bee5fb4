// The values that a transfer is made of, as text and back: Refer-To with Replaces in it (RFC 3515 §2.1, RFC 3891 §6.1),
// the status lines in NOTIFYs (message/sipfrag, RFC 3420) and the state of the implicit subscription (RFC 6665 §8.2.3).
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "core/sip/message.h"

namespace crosspoint::sip {

inline constexpr std::string_view kReferEvent = "refer";
inline constexpr std::string_view kReplacesOption = "replaces";      // RFC 3891 §6.2
inline constexpr std::string_view kNoReferSubOption = "norefersub";  // RFC 4488 §5
inline constexpr std::string_view kSipfragType = "message/sipfrag;version=2.0";

// The value of a Replaces header: "425928@phone.example.com;to-tag=7743;from-tag=6472;early-only". parse() gives only
// what toString() writes as one well-formed value.
std::optional<Replaces> parseReplaces(std::string_view text);
std::string toString(const Replaces& replaces);
// Whether it may stand in a header: identifiers without anything that could end or extend the value, and bounded.
bool isWellFormed(const Replaces& replaces);

struct ReferTarget {
  Uri uri;  // without headers and method
  std::optional<Replaces> replaces;
};
// Whom a REFER wants us to call, or the status with which it is refused.
std::expected<ReferTarget, int> referTargetOf(const Request& refer);
NameAddr makeReferTo(Uri target, const std::optional<Replaces>& replaces);

// The first line of a message/sipfrag body, where that is a status line; the reason phrase fit to be shown.
struct StatusLine {
  int status = 0;
  std::string reason;
};
std::optional<StatusLine> parseSipfrag(std::string_view body);
std::string makeSipfrag(int status, std::string_view reason);

// "active;expires=60", "terminated;reason=noresource"
bool isTerminated(std::string_view subscriptionState);

// The Event header "refer;id=93809823": its name without parameters, and its id. An id that is no number is 0, which
// is no REFER's: CSeq 0 is not given one.
std::string_view eventName(std::string_view event);
std::optional<std::uint32_t> eventId(std::string_view event);

}  // namespace crosspoint::sip
