#include "io/http/reply_text.h"

#include <algorithm>

namespace crosspoint::http {
namespace {

void appendHeader(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ");
  for (const char c : value) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) text += c;
  }
  text += "\r\n";
}

std::string_view withoutSlash(std::string_view origin) {
  if (origin.ends_with('/')) origin.remove_suffix(1);
  return origin;
}

bool isLoopbackOrigin(std::string_view origin) {
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos || !origin.starts_with("http")) return false;
  auto host = hostOf(origin.substr(scheme + 3));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  return address ? address->isLoopback() : isLocalhost(host);
}

bool hasHeader(const Response& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const Header& header) { return namesEqual(header.name, name); });
}

}  // namespace

std::string_view hostOf(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool isLocalhost(std::string_view host) {
  constexpr std::string_view kName = "localhost";
  if (host.size() < kName.size() || !namesEqual(host.substr(host.size() - kName.size()), kName)) return false;
  return host.size() == kName.size() || host[host.size() - kName.size() - 1] == '.';
}

AllowedOrigins::AllowedOrigins(std::vector<std::string> origins) : origins_(std::move(origins)) {
  any_ = std::find(origins_.begin(), origins_.end(), "*") != origins_.end();
  loopback_ = std::find(origins_.begin(), origins_.end(), "loopback") != origins_.end();
}

bool AllowedOrigins::allows(std::string_view origin) const {
  if (origin.empty()) return false;
  return any_ || (loopback_ && isLoopbackOrigin(origin)) ||
         std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& one) { return namesEqual(withoutSlash(one), origin); });
}

std::string replyText(const Response& response, const ReplyContext& context) {
  const bool bodiless = response.status == 204 || response.status == 304;  // RFC 9110 §8.6
  const std::size_t bodySize = bodiless || context.head ? 0 : response.body.size();
  std::string text;
  text.reserve(512 + bodySize);
  text.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(reasonPhrase(response.status));
  text += "\r\n";
  appendHeader(text, "Date", context.date);
  if (!bodiless) {
    appendHeader(text, "Content-Type", response.contentType);
    appendHeader(text, "Content-Length", std::to_string(response.body.size()));
  }
  appendHeader(text, "Connection", context.keepAlive ? "keep-alive" : "close");
  appendHeader(text, "X-Content-Type-Options", "nosniff");
  if (!hasHeader(response, "Cache-Control")) appendHeader(text, "Cache-Control", "no-store");
  if (context.allowed && context.allowed->allows(context.origin)) {
    appendHeader(text, "Access-Control-Allow-Origin", context.origin);
    appendHeader(text, "Access-Control-Allow-Credentials", "true");
    appendHeader(text, "Access-Control-Expose-Headers", "Pragma, X-Crosspoint-Sequence");
  }
  appendHeader(text, "Vary", "Origin");
  for (const Header& header : response.headers) appendHeader(text, header.name, header.value);
  text += "\r\n";
  if (bodySize > 0) text += response.body;
  return text;
}

Response preflightReply(const Request& request) {
  Response response;
  response.headers.push_back({"Allow", "GET, HEAD, POST, OPTIONS"});
  response.headers.push_back({"Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"});
  const auto wanted = request.header("Access-Control-Request-Headers");
  if (!wanted.empty()) response.headers.push_back({"Access-Control-Allow-Headers", std::string(wanted)});
  response.headers.push_back({"Access-Control-Max-Age", "600"});
  return response;
}

}  // namespace crosspoint::http
