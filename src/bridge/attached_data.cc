#include "bridge/attached_data.h"

#include <algorithm>
#include <array>

#include "bridge/text.h"

namespace crosspoint::bridge {
namespace {

// Headers that mean something to SIP: the registry of RFC 3261 §27.3, without those of one letter.
constexpr std::array kStandardHeaders = std::to_array<std::string_view>({
    "accept",
    "accept-contact",
    "accept-encoding",
    "accept-language",
    "accept-resource-priority",
    "additional-identity",
    "alert-info",
    "allow",
    "allow-events",
    "answer-mode",
    "authentication-info",
    "authorization",
    "call-id",
    "call-info",
    "cellular-network-info",
    "contact",
    "content-disposition",
    "content-encoding",
    "content-id",
    "content-language",
    "content-length",
    "content-type",
    "cseq",
    "date",
    "diversion",
    "encryption",
    "error-info",
    "event",
    "expires",
    "feature-caps",
    "flow-timer",
    "from",
    "geolocation",
    "geolocation-error",
    "geolocation-routing",
    "hide",
    "history-info",
    "identity",
    "identity-info",
    "in-reply-to",
    "info-package",
    "join",
    "max-breadth",
    "max-forwards",
    "mime-version",
    "min-expires",
    "min-se",
    "organization",
    "origination-id",
    "p-access-network-info",
    "p-answer-state",
    "p-asserted-identity",
    "p-asserted-service",
    "p-associated-uri",
    "p-called-party-id",
    "p-charge-info",
    "p-charging-function-addresses",
    "p-charging-vector",
    "p-dcs-billing-info",
    "p-dcs-laes",
    "p-dcs-osps",
    "p-dcs-redirect",
    "p-dcs-trace-party-id",
    "p-early-media",
    "p-media-authorization",
    "p-preferred-identity",
    "p-preferred-service",
    "p-private-network-indication",
    "p-profile-key",
    "p-refused-uri-list",
    "p-served-user",
    "p-user-database",
    "p-visited-network-id",
    "path",
    "permission-missing",
    "policy-contact",
    "policy-id",
    "priority",
    "priority-share",
    "priority-verstat",
    "priv-answer-mode",
    "privacy",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-require",
    "rack",
    "reason",
    "reason-phrase",
    "record-route",
    "recv-info",
    "refer-events-at",
    "refer-sub",
    "refer-to",
    "referred-by",
    "reject-contact",
    "relayed-charge",
    "remote-party-id",
    "replaces",
    "reply-to",
    "request-disposition",
    "require",
    "resource-priority",
    "resource-share",
    "response-key",
    "response-source",
    "restoration-info",
    "retry-after",
    "route",
    "rseq",
    "security-client",
    "security-server",
    "security-verify",
    "server",
    "service-interact-info",
    "service-route",
    "session-expires",
    "session-id",
    "sip-etag",
    "sip-if-match",
    "subject",
    "subscription-state",
    "supported",
    "suppress-if-match",
    "target-dialog",
    "timestamp",
    "to",
    "trigger-consent",
    "unsupported",
    "user-agent",
    "user-to-user",
    "via",
    "warning",
    "www-authenticate",
});
static_assert(std::ranges::is_sorted(kStandardHeaders));

constexpr std::size_t kNameBytesMax = 64;

bool isAlphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool isUnreserved(char c) { return isAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~'; }
bool isTokenCharacter(char c) {
  return isAlphanumeric(c) || std::string_view("-.!%*_+`'~").find(c) != std::string_view::npos;
}

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

void escapeInto(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (isUnreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// A `%` without two hexadecimal digits stands for itself.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hexDigit(text[i + 1]) >= 0 && hexDigit(text[i + 2]) >= 0;
    result += escape ? static_cast<char>(hexDigit(text[i + 1]) << 4 | hexDigit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return asUtf8(result);
}

}  // namespace

bool isAttachedDataHeader(std::string_view name) {
  return name.size() > 1 && name.size() <= kNameBytesMax && std::ranges::all_of(name, isTokenCharacter) &&
         !std::ranges::binary_search(kStandardHeaders, lowerCase(name));
}

std::optional<std::string> encodeAttachedData(std::span<const roap::AttachedItem> items) {
  std::string value;
  for (const auto& item : items) {
    if (!value.empty()) value += '&';
    escapeInto(value, item.key);
    value += '=';
    escapeInto(value, item.value);
    if (value.size() > kAttachedHeaderBytesMax) return std::nullopt;
  }
  return value;
}

std::optional<std::vector<roap::AttachedItem>> decodeAttachedData(std::span<const sip::Header> headers,
                                                                  std::string_view name) {
  const std::string wanted = lowerCase(name);
  std::vector<roap::AttachedItem> items;
  std::size_t bytes = 0;
  for (const auto& header : headers) {
    if (lowerCase(header.name) != wanted) continue;
    std::string_view rest = header.value;
    bytes += rest.size();
    if (bytes > kAttachedHeaderBytesMax) return std::nullopt;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('&'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (pair.empty()) continue;
      if (items.size() == roap::kAttachedItemsMax) return std::nullopt;
      const auto equal = std::min(pair.find('='), pair.size());
      items.push_back({unescaped(pair.substr(0, equal)), unescaped(pair.substr(std::min(equal + 1, pair.size())))});
    }
  }
  return items;
}

}  // namespace crosspoint::bridge
