#include "core/sip/refer.h"

#include <algorithm>

#include "base/scan.h"
#include "core/params/media.h"
#include "core/sip/shown_text.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kIdentifierBytesMax = 256;
constexpr std::string_view kVersion = "SIP/2.0 ";

// What stands before the separator; `text` is left with what comes after it.
std::string_view takeItem(std::string_view& text, char separator) { return trimmed(takeUntil(text, separator)); }

// A Call-ID (word with "@") or tag: visible ASCII, and nothing that separates values.
bool isIdentifier(std::string_view text) {
  return !text.empty() && text.size() <= kIdentifierBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != ';' && c != ','; });
}

std::optional<std::string_view> parameterOf(std::string_view header, std::string_view name) {
  takeItem(header, ';');
  while (!header.empty()) {
    std::string_view value = takeItem(header, ';');
    if (namesEqual(takeItem(value, '='), name)) return value;
  }
  return std::nullopt;
}

}  // namespace

bool isWellFormed(const Replaces& replaces) {
  return isIdentifier(replaces.callId) && isIdentifier(replaces.toTag) && isIdentifier(replaces.fromTag);
}

std::optional<Replaces> parseReplaces(std::string_view text) {
  Replaces replaces;
  replaces.callId = takeItem(text, ';');
  while (!text.empty()) {
    std::string_view value = takeItem(text, ';');
    const std::string_view name = takeItem(value, '=');
    if (namesEqual(name, "early-only")) {
      replaces.earlyOnly = true;
      continue;
    }
    const bool to = namesEqual(name, "to-tag");
    if (!to && !namesEqual(name, "from-tag")) continue;
    std::string& tag = to ? replaces.toTag : replaces.fromTag;
    if (!tag.empty()) return std::nullopt;  // RFC 3891 §6.1: exactly one of each
    tag = trimmed(value);
  }
  if (!isWellFormed(replaces)) return std::nullopt;
  return replaces;
}

std::string toString(const Replaces& replaces) {
  return replaces.callId + ";to-tag=" + replaces.toTag + ";from-tag=" + replaces.fromTag +
         (replaces.earlyOnly ? ";early-only" : "");
}

std::expected<ReferTarget, int> referTargetOf(const Request& refer) {
  if (refer.referToUnknown) return std::unexpected(416);
  if (!refer.referTo || refer.referTo->uri.empty()) return std::unexpected(400);  // RFC 3515 §2.4.2
  ReferTarget target{.uri = refer.referTo->uri, .replaces = {}};
  if (const auto method = findParameter(target.uri.parameters, "method"); method && *method != "INVITE") {
    return std::unexpected(403);  // nothing but calls is placed on behalf of a far end
  }
  for (const auto& header : target.uri.headers) {
    if (!namesEqual(header.name, "Replaces")) continue;  // the others may be left out: RFC 3261 §19.1.5
    if (target.replaces) return std::unexpected(400);
    target.replaces = parseReplaces(unescape(header.value));
    if (!target.replaces) return std::unexpected(400);
  }
  target.uri.headers.clear();
  std::erase_if(target.uri.parameters, [](const Parameter& p) { return namesEqual(p.name, "method"); });
  return target;
}

NameAddr makeReferTo(Uri target, const std::optional<Replaces>& replaces) {
  target.headers.clear();
  if (replaces) {
    std::string escaped;  // Uri writes all escapes but that of the "%" itself
    for (const char c : toString(*replaces)) escaped += c == '%' ? std::string("%25") : std::string(1, c);
    target.headers.push_back({"Replaces", std::move(escaped)});
  }
  return {.uri = std::move(target)};
}

std::optional<StatusLine> parseSipfrag(std::string_view body) {
  body = body.substr(0, body.find_first_of("\r\n"));
  if (!body.starts_with(kVersion)) return std::nullopt;
  body.remove_prefix(kVersion.size());
  const auto status = toNumber<int>(body.substr(0, 3));
  if (!status || *status < 100 || *status > 699 || (body.size() > 3 && body[3] != ' ')) return std::nullopt;
  return StatusLine{*status, shownText(trimmed(body.substr(3)))};
}

std::string makeSipfrag(int status, std::string_view reason) {
  const std::string phrase = reason.empty() ? std::string(standardReason(status)) : withoutControls(reason);
  return std::string(kVersion) + std::to_string(status) + ' ' + phrase + "\r\n";
}

bool isTerminated(std::string_view subscriptionState) {
  return namesEqual(takeItem(subscriptionState, ';'), "terminated");
}

std::string_view eventName(std::string_view event) { return takeItem(event, ';'); }

std::optional<std::uint32_t> eventId(std::string_view event) {
  const auto id = parameterOf(event, "id");
  if (!id) return std::nullopt;
  return toNumber<std::uint32_t>(trimmed(*id)).value_or(0);
}

}  // namespace crosspoint::sip
