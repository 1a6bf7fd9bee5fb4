#include "io/sip/multipart.h"

#include <algorithm>

#include "core/params/media.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kBoundaryMax = 70;  // RFC 2046 §5.1.1

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::string_view mediaType(std::string_view contentType) {
  return trimmed(contentType.substr(0, contentType.find(';')));
}

bool isMultipart(std::string_view contentType) {
  constexpr std::string_view kKind = "multipart/";
  const auto type = mediaType(contentType);
  return type.size() > kKind.size() && namesEqual(type.substr(0, kKind.size()), kKind);
}

std::optional<std::string> boundaryOf(std::string_view contentType) {
  for (auto semicolon = contentType.find(';'); semicolon != std::string_view::npos;) {
    const auto next = contentType.find(';', semicolon + 1);
    const auto parameter = trimmed(contentType.substr(semicolon + 1, next - semicolon - 1));
    semicolon = next;
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos || !namesEqual(trimmed(parameter.substr(0, equals)), "boundary")) continue;
    auto value = trimmed(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (value.empty() || value.size() > kBoundaryMax) return std::nullopt;
    return std::string(value);
  }
  return std::nullopt;
}

// Where the next line that is a delimiter begins, from `from` on.
std::size_t findDelimiter(std::string_view body, const std::string& delimiter, std::size_t from) {
  for (auto at = body.find(delimiter, from); at != std::string_view::npos; at = body.find(delimiter, at + 1)) {
    if (at == 0 || body[at - 1] == '\n') return at;
  }
  return std::string_view::npos;
}

struct Part {
  std::string_view contentType, encoding, body;
};

Part splitPart(std::string_view text) {
  Part part{.contentType = "text/plain", .encoding = {}, .body = {}};  // RFC 2046 §5.1: what a part without type is
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty()) {
      part.body = text;
      break;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = trimmed(line.substr(0, colon));
    if (namesEqual(name, "Content-Type") || namesEqual(name, "c")) part.contentType = trimmed(line.substr(colon + 1));
    if (namesEqual(name, "Content-Transfer-Encoding")) part.encoding = trimmed(line.substr(colon + 1));
  }
  return part;
}

bool isPlain(std::string_view encoding) {
  return encoding.empty() || namesEqual(encoding, "7bit") || namesEqual(encoding, "8bit") ||
         namesEqual(encoding, "binary");
}

std::optional<BodyPart> find(std::string_view contentType, std::string_view body, int depth) {
  const auto boundary = boundaryOf(contentType);
  if (!boundary || depth > kMultipartDepthMax) return std::nullopt;
  const std::string delimiter = "--" + *boundary;
  auto start = findDelimiter(body, delimiter, 0);
  for (std::size_t parts = 0; start != std::string_view::npos && parts < kMultipartPartsMax; ++parts) {
    const auto afterDelimiter = body.substr(start + delimiter.size());
    if (afterDelimiter.starts_with("--")) break;  // the last one
    const auto lineEnd = body.find('\n', start);
    if (lineEnd == std::string_view::npos) break;
    const auto next = findDelimiter(body, delimiter, lineEnd + 1);
    const auto text = body.substr(lineEnd + 1, next == std::string_view::npos ? next : next - lineEnd - 1);
    // The line end before a delimiter belongs to it, but SDP wants its last line ended: it stays.
    const Part part = splitPart(text);
    if (isMultipart(part.contentType)) {
      if (auto inner = find(part.contentType, part.body, depth + 1)) return inner;
    } else if (namesEqual(mediaType(part.contentType), "application/sdp") && isPlain(part.encoding)) {
      return BodyPart{part.contentType, part.body};
    }
    start = next;
  }
  return std::nullopt;
}

}  // namespace

std::optional<BodyPart> findSdpPart(std::string_view contentType, std::string_view body) {
  if (!isMultipart(contentType)) return std::nullopt;
  return find(contentType, body, 1);
}

}  // namespace crosspoint::sip
