#include "gateway/visitors.h"

#include <algorithm>
#include <array>

#include "base/address.h"

namespace crosspoint::gateway {
namespace {

constexpr std::array<std::string_view, 5> kSignalling = {"/sign_in", "/wait", "/message", "/sign_out", "/signalling"};

// "https://page.example:8443" → "page.example:8443"
std::string_view authorityOf(std::string_view origin) {
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos) return {};
  origin.remove_prefix(scheme + 3);
  return origin.substr(0, origin.find('/'));
}

bool isAddress(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return IpAddress::parse(host).has_value();
}

}  // namespace

std::vector<std::string> allowedOrigins(const Configuration& configuration) {
  if (!configuration.http.allowedOrigins.empty()) return configuration.http.allowedOrigins;
  return {configuration.auth.policy == AuthPolicy::None ? "loopback" : "*"};
}

bool isLoopbackName(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  return address ? address->isLoopback() : http::isLocalhost(host);
}

bool namesAddress(const http::Request& request) {
  const auto host = http::hostOf(request.header("Host"));
  return host.empty() || isAddress(host) || http::isLocalhost(host);
}

Visitors::Visitors(const Configuration& configuration)
    : allowed_(allowedOrigins(configuration)),
      anyName_(configuration.http.behindProxy || !configuration.http.address.isLoopback()) {
  for (const auto& origin : configuration.http.allowedOrigins) {
    names_.emplace_back(http::hostOf(authorityOf(origin)));
  }
}

std::optional<http::Response> Visitors::refuse(const http::Request& request) const {
  if (!nameIsOurs(request)) {
    return http::Response{.status = 421,
                          .body =
                              "this gateway is for this machine: use localhost or its address; [http] behind-proxy "
                              "says that a proxy passes requests on\n"};
  }
  if (std::ranges::find(kSignalling, request.path) == kSignalling.end() || pageMaySignal(request)) return std::nullopt;
  return http::Response{.status = 403, .body = "pages from there may not sign in here: see [http] allowed-origins\n"};
}

bool Visitors::nameIsOurs(const http::Request& request) const {
  if (anyName_ || namesAddress(request)) return true;
  const auto host = http::hostOf(request.header("Host"));
  return std::ranges::any_of(names_, [&](const std::string& name) { return http::namesEqual(name, host); });
}

bool Visitors::pageMaySignal(const http::Request& request) const {
  const auto origin = request.header("Origin");
  if (origin.empty()) {
    // A GET of an image or a link has no Origin. Browsers that say where it comes from are believed.
    return request.header("Sec-Fetch-Site") != "cross-site" || allowed_.allowsAny();
  }
  if (allowed_.allows(origin)) return true;
  const auto authority = authorityOf(origin);
  if (authority.empty()) return false;
  return http::namesEqual(authority, request.header("Host")) ||
         http::namesEqual(authority, request.header("X-Forwarded-Host"));
}

}  // namespace crosspoint::gateway
