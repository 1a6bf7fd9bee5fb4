// SIP URIs and name-addr values (RFC 3261 §19.1, §25.1) as plain values.
//
// All parts hold what was written, with its escapes: a URI that a far end gave is sent back to it unchanged.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosspoint::sip {

inline constexpr std::size_t kUriBytesMax = 1024;
inline constexpr std::size_t kUriParametersMax = 32;

// One ";name=value". A parameter without "=" has an empty value. Names are compared without regard to case.
struct Parameter {
  std::string name;
  std::string value;
  bool operator==(const Parameter&) const = default;
};
using Parameters = std::vector<Parameter>;

// Nothing if there is no such parameter; empty text for a flag.
std::optional<std::string_view> findParameter(const Parameters& parameters, std::string_view name);
// Replaces the parameter's value or appends it.
void setParameter(Parameters& parameters, std::string_view name, std::string value);

struct Uri {
  std::string scheme = "sip";  // "sip", "sips" or "tel", lower case
  std::string user;            // with escapes as written, without a password; for "tel" the number
  std::string host;            // a name, dotted quad or "[IPv6]"; empty for "tel"
  std::uint16_t port = 0;      // 0: none was written
  Parameters parameters;       // ";transport=tcp", ";lr"
  Parameters headers;          // "?Replaces=…", values with escapes as written (Refer-To, RFC 3891)

  // Accepts sip:, sips: and tel: up to kUriBytesMax, without angle brackets. Nothing for anything else. A password is
  // dropped.
  static std::optional<Uri> parse(std::string_view text);
  // Always one well-formed line: a character that may not stand in its place is percent-escaped.
  std::string toString() const;

  bool empty() const { return user.empty() && host.empty(); }
  bool hasParameter(std::string_view name) const { return findParameter(parameters, name).has_value(); }
  // Lower-case value of ";transport=", or empty.
  std::string transport() const;
  bool operator==(const Uri&) const = default;
};

// Any text as the user part of a URI (RFC 3261 §25.1 user-unreserved stays), and back. Bad escapes are left as they
// are.
std::string escapeUser(std::string_view plain);
std::string unescape(std::string_view escaped);

// From, To, Contact, Route, Record-Route, Refer-To: `"display" <uri>;parameters`.
struct NameAddr {
  std::string display;  // plain text, without quotes and backslashes
  Uri uri;
  std::string tag;        // ";tag=" of From and To; not repeated in `parameters`
  Parameters parameters;  // other header parameters (expires, q, …)

  bool operator==(const NameAddr&) const = default;
};

// `text` without control characters: nothing that a page or a far end wrote may start a new header line.
std::string withoutControls(std::string_view text);

}  // namespace crosspoint::sip
