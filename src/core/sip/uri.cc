// SIP URIs: bounded parsing, and writing that always gives one well-formed line (RFC 3261 §19.1, §25.1).
#include "core/sip/uri.h"

#include <algorithm>

#include "base/scan.h"
#include "core/params/media.h"

namespace crosspoint::sip {
namespace {

constexpr std::string_view kMarks = "-_.!~*'()";
constexpr std::string_view kUserExtra = "&=+$,;?/";      // user-unreserved
constexpr std::string_view kParameterExtra = "[]/:&+$";  // param-unreserved
constexpr std::string_view kHeaderExtra = "[]/?:+$";     // hnv-unreserved
constexpr std::string_view kHostExtra = "[]:";
constexpr std::string_view kTelExtra = "+&=$,/#";

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isHex(char c) { return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
int hexValue(char c) { return isDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

bool allowed(char c, std::string_view extra) {
  return isDigit(c) || isLetter(c) || kMarks.find(c) != std::string_view::npos ||
         extra.find(c) != std::string_view::npos;
}

void appendEscape(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += {'%', kHex[byte >> 4], kHex[byte & 15]};
}

bool isEscapeAt(std::string_view text, std::size_t i) {
  return text[i] == '%' && i + 2 < text.size() && isHex(text[i + 1]) && isHex(text[i + 2]);
}

// Text that may hold escapes already: those stay, whatever else is not allowed becomes one.
void appendEscaped(std::string& out, std::string_view text, std::string_view extra) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (allowed(text[i], extra) || isEscapeAt(text, i)) {
      out += text[i];
    } else {
      appendEscape(out, text[i]);
    }
  }
}

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return lower;
}

bool onlyVisible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c != '<' && c != '>' && c != '"' && c != 0x7f; });
}

std::optional<Parameters> parseParameters(std::string_view text, char separator) {
  Parameters parameters;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = std::min(item.find('='), item.size());
    if (equals == 0 || parameters.size() == kUriParametersMax) return std::nullopt;
    parameters.push_back(
        {std::string(item.substr(0, equals)), std::string(item.substr(std::min(equals + 1, item.size())))});
  }
  return parameters;
}

bool parseHostAndPort(std::string_view text, Uri& uri) {
  std::size_t hostEnd = 0;
  if (text.starts_with('[')) {
    hostEnd = text.find(']');
    if (hostEnd == std::string_view::npos) return false;
    const auto inside = text.substr(1, hostEnd - 1);
    if (inside.empty() || !std::ranges::all_of(inside, [](char c) { return isHex(c) || c == ':' || c == '.'; }))
      return false;
    ++hostEnd;
  } else {
    while (hostEnd < text.size() && (isDigit(text[hostEnd]) || isLetter(text[hostEnd]) || text[hostEnd] == '-' ||
                                     text[hostEnd] == '.' || text[hostEnd] == '_')) {
      ++hostEnd;
    }
  }
  if (hostEnd == 0) return false;
  uri.host = text.substr(0, hostEnd);
  text.remove_prefix(hostEnd);
  if (text.empty()) return true;
  if (text[0] != ':') return false;
  text.remove_prefix(1);
  const auto port = toNumber<std::uint16_t>(text);
  if (!port || *port == 0) return false;
  uri.port = *port;
  return true;
}

}  // namespace

std::optional<std::string_view> findParameter(const Parameters& parameters, std::string_view name) {
  for (const auto& parameter : parameters) {
    if (namesEqual(parameter.name, name)) return parameter.value;
  }
  return std::nullopt;
}

void setParameter(Parameters& parameters, std::string_view name, std::string value) {
  for (auto& parameter : parameters) {
    if (!namesEqual(parameter.name, name)) continue;
    parameter.value = std::move(value);
    return;
  }
  parameters.push_back({std::string(name), std::move(value)});
}

std::optional<Uri> Uri::parse(std::string_view text) {
  if (text.size() > kUriBytesMax || !onlyVisible(text)) return std::nullopt;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Uri uri;
  uri.scheme = lowerCase(text.substr(0, colon));
  if (uri.scheme != "sip" && uri.scheme != "sips" && uri.scheme != "tel") return std::nullopt;
  text.remove_prefix(colon + 1);

  if (uri.scheme == "tel") {
    const auto end = std::min(text.find(';'), text.size());
    uri.user = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto parameters = parseParameters(text, ';');
    if (uri.user.empty() || !parameters) return std::nullopt;
    uri.parameters = std::move(*parameters);
    return uri;
  }
  // A "@" stands unescaped only between user and host, while ";" and "?" may be part of the user.
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    const std::string_view userInfo = text.substr(0, at);
    uri.user = userInfo.substr(0, userInfo.find(':'));
    if (uri.user.empty()) return std::nullopt;
    text.remove_prefix(at + 1);
  }
  if (const auto question = text.find('?'); question != std::string_view::npos) {
    auto headers = parseParameters(text.substr(question + 1), '&');
    if (!headers) return std::nullopt;
    uri.headers = std::move(*headers);
    text = text.substr(0, question);
  }
  const auto hostEnd = std::min(text.find(';'), text.size());
  if (!parseHostAndPort(text.substr(0, hostEnd), uri)) return std::nullopt;
  auto parameters = parseParameters(text.substr(std::min(hostEnd + 1, text.size())), ';');
  if (!parameters) return std::nullopt;
  uri.parameters = std::move(*parameters);
  return uri;
}

std::string Uri::toString() const {
  std::string out = scheme == "sips" || scheme == "tel" ? scheme : "sip";
  out += ':';
  if (scheme == "tel") {
    appendEscaped(out, user, kTelExtra);
  } else {
    if (!user.empty()) {
      appendEscaped(out, user, kUserExtra);
      out += '@';
    }
    appendEscaped(out, host, kHostExtra);
    if (port != 0) out += ':' + std::to_string(port);
  }
  for (const auto& parameter : parameters) {
    out += ';';
    appendEscaped(out, parameter.name, kParameterExtra);
    if (parameter.value.empty()) continue;
    out += '=';
    appendEscaped(out, parameter.value, kParameterExtra);
  }
  char separator = '?';
  for (const auto& header : headers) {
    out += separator;
    separator = '&';
    appendEscaped(out, header.name, kHeaderExtra);
    out += '=';
    appendEscaped(out, header.value, kHeaderExtra);
  }
  return out;
}

std::string Uri::transport() const { return lowerCase(findParameter(parameters, "transport").value_or("")); }

std::string escapeUser(std::string_view plain) {
  std::string out;
  for (const char c : plain) {
    if (allowed(c, kUserExtra)) {
      out += c;
    } else {
      appendEscape(out, c);
    }
  }
  return out;
}

std::string unescape(std::string_view escaped) {
  std::string out;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (!isEscapeAt(escaped, i)) {
      out += escaped[i];
      continue;
    }
    out += static_cast<char>(hexValue(escaped[i + 1]) << 4 | hexValue(escaped[i + 2]));
    i += 2;
  }
  return out;
}

std::string withoutControls(std::string_view text) {
  std::string out;
  std::ranges::copy_if(text, std::back_inserter(out),
                       [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
  return out;
}

}  // namespace crosspoint::sip
