#include "gateway/schema.h"

#include <algorithm>
#include <utility>

#include "bridge/attached_data.h"
#include "core/sip/uri.h"

namespace crosspoint::gateway {
namespace {

using Wrong = std::optional<std::string>;  // what was expected
using Store = std::function<Wrong(Configuration&, const Value&)>;

template <typename T, typename Section>
Store text(Section Configuration::* section, T Section::* member, std::string expected,
           std::function<bool(const std::string&, T&)> read) {
  return [=](Configuration& configuration, const Value& value) -> Wrong {
    const auto* string = std::get_if<std::string>(&value);
    T result{};
    if (!string || !read(*string, result)) return expected;
    configuration.*section.*member = std::move(result);
    return std::nullopt;
  };
}

template <typename Section>
Store plainText(Section Configuration::* section, std::string Section::* member) {
  return text<std::string, Section>(section, member, "a text in quotes", [](const std::string& in, std::string& out) {
    out = in;
    return true;
  });
}

// The same for a list of texts, none of which may be wrong.
template <typename T, typename Section>
Store list(Section Configuration::* section, std::vector<T> Section::* member, std::string expected,
           std::function<std::optional<T>(std::string_view)> read) {
  return [=](Configuration& configuration, const Value& value) -> Wrong {
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    if (!texts) return expected;
    std::vector<T> results;
    for (const auto& text : *texts) {
      auto result = read(text);
      if (!result) return expected;
      results.push_back(std::move(*result));
    }
    configuration.*section.*member = std::move(results);
    return std::nullopt;
  };
}

template <typename Section>
Store flag(Section Configuration::* section, bool Section::* member) {
  return [=](Configuration& configuration, const Value& value) -> Wrong {
    const auto* boolean = std::get_if<bool>(&value);
    if (!boolean) return "true or false";
    configuration.*section.*member = *boolean;
    return std::nullopt;
  };
}

template <typename T, typename Section>
Store number(Section Configuration::* section, T Section::* member, std::int64_t min, std::int64_t max,
             std::string what) {
  return [=](Configuration& configuration, const Value& value) -> Wrong {
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (!integer || *integer < min || *integer > max) {
      return what + " from " + std::to_string(min) + " to " + std::to_string(max);
    }
    configuration.*section.*member = T(static_cast<T>(*integer));
    return std::nullopt;
  };
}

template <typename Section>
Store port(Section Configuration::* section, std::uint16_t Section::* member) {
  return number<std::uint16_t>(section, member, 0, 65535, "a port");
}

template <typename Section>
Store address(Section Configuration::* section, IpAddress Section::* member) {
  return text<IpAddress, Section>(section, member, "an IP address like \"127.0.0.1\"",
                                  [](const std::string& in, IpAddress& out) {
                                    const auto parsed = IpAddress::parse(in);
                                    if (parsed) out = *parsed;
                                    return parsed.has_value();
                                  });
}

template <typename Section>
Store publicAddress(Section Configuration::* section, std::optional<IpAddress> Section::* member) {
  return text<std::optional<IpAddress>, Section>(section, member, "an IP address like \"192.0.2.1\", or \"\"",
                                                 [](const std::string& in, std::optional<IpAddress>& out) {
                                                   out = IpAddress::parse(in);
                                                   return in.empty() || (out && !out->isUnspecified());
                                                 });
}

template <typename T, typename Section>
Store choice(Section Configuration::* section, T Section::* member, std::vector<std::pair<std::string, T>> choices) {
  std::string expected = "one of";
  for (const auto& one : choices) expected += (expected == "one of" ? " \"" : ", \"") + one.first + "\"";
  return text<T, Section>(section, member, expected, [choices](const std::string& in, T& out) {
    const auto found = std::find_if(choices.begin(), choices.end(), [&](const auto& one) { return one.first == in; });
    if (found != choices.end()) out = found->second;
    return found != choices.end();
  });
}

bool isSipHop(const std::string& text) {
  const auto uri = sip::Uri::parse(text);
  if (!uri || uri->host.empty() || !uri->user.empty()) return false;
  const auto transport = uri->transport();
  if (uri->scheme == "sips") return transport.empty() || transport == "tls" || transport == "tcp";
  return uri->scheme == "sip" && (transport.empty() || transport == "udp" || transport == "tcp" || transport == "tls");
}

std::optional<SocketAddress> serverAddress(std::string_view text) {
  const auto server = SocketAddress::parse(text);
  return server && server->port != 0 ? server : std::nullopt;
}

std::optional<SocketAddress> stunServerAddress(std::string_view text) {
  if (text.starts_with("stun:")) text.remove_prefix(5);
  return serverAddress(text);
}

std::optional<std::string> origin(std::string_view text) {
  const bool known = text == "*" || text == "loopback" || text == "null";
  return known || text.find("://") != text.npos ? std::optional<std::string>(text) : std::nullopt;
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::vector<Key> makeSchema() {
  using C = Configuration;
  const std::vector<std::pair<std::string, LogLevel>> levels = {
      {"error", LogLevel::Error}, {"warning", LogLevel::Warning}, {"info", LogLevel::Info}, {"debug", LogLevel::Debug}};
  const std::vector<std::pair<std::string, AuthPolicy>> policies = {
      {"none", AuthPolicy::None}, {"open", AuthPolicy::Open}, {"password", AuthPolicy::Password}};
  return {
      {"rsmp", "http-port", port(&C::rsmp, &C::Rsmp::httpPort)},
      {"rsmp", "new-pc-support", number(&C::rsmp, &C::Rsmp::newPcSupport, 0, 1, "a number")},
      {"rsmp", "web-enable-dtls", flag(&C::rsmp, &C::Rsmp::webEnableDtls)},
      {"http", "address", address(&C::http, &C::Http::address)},
      {"http", "root", plainText(&C::http, &C::Http::root)},
      {"http", "allowed-origins",
       list<std::string, C::Http>(&C::http, &C::Http::allowedOrigins,
                                  "a list of origins like [\"https://example.com\"], or [\"loopback\"], or [\"*\"]",
                                  origin)},
      {"http", "session-timeout", number(&C::http, &C::Http::sessionTimeout, 1, 86'400, "seconds")},
      {"http", "poll-hold", number(&C::http, &C::Http::pollHold, 1, 3'600, "seconds")},
      {"http", "behind-proxy", flag(&C::http, &C::Http::behindProxy)},
      {"http", "tls-certificate", plainText(&C::http, &C::Http::tlsCertificate)},
      {"http", "tls-key", plainText(&C::http, &C::Http::tlsKey)},
      {"http", "connections-max", number(&C::http, &C::Http::connectionsMax, 1, 1'000'000, "a number")},
      {"sip", "server",
       text<std::string, C::Sip>(
           &C::sip, &C::Sip::server,
           "\"embedded\", or a URI like \"sip:pbx.example.com:5060;transport=udp\" (udp, tcp or tls)",
           [](const std::string& in, std::string& out) {
             out = in;
             return in == "embedded" || isSipHop(in);
           })},
      {"sip", "outbound-proxy",
       text<std::string, C::Sip>(&C::sip, &C::Sip::outboundProxy,
                                 "a URI like \"sip:edge.example.com;transport=tcp\" (udp, tcp or tls), or \"\"",
                                 [](const std::string& in, std::string& out) {
                                   out = in;
                                   return in.empty() || isSipHop(in);
                                 })},
      {"sip", "options-interval", number(&C::sip, &C::Sip::optionsInterval, 0, 3'600, "seconds, or 0 for none,")},
      {"sip", "follow-redirects", flag(&C::sip, &C::Sip::followRedirects)},
      {"sip", "accept-from",
       list<sip::AddressRange, C::Sip>(&C::sip, &C::Sip::acceptFrom,
                                       "a list of addresses and prefixes like [\"192.0.2.7\", \"10.1.0.0/16\"]",
                                       sip::AddressRange::parse)},
      {"sip", "dns-servers",
       list<SocketAddress, C::Sip>(&C::sip, &C::Sip::dnsServers,
                                   "a list of numeric addresses with port like [\"192.0.2.53:53\"], or []",
                                   serverAddress)},
      {"sip", "tls-port", port(&C::sip, &C::Sip::tlsPort)},
      {"sip", "tls-ca", plainText(&C::sip, &C::Sip::tlsCa)},
      {"sip", "tls-certificate", plainText(&C::sip, &C::Sip::tlsCertificate)},
      {"sip", "tls-key", plainText(&C::sip, &C::Sip::tlsKey)},
      {"sip", "tls-verify", flag(&C::sip, &C::Sip::tlsVerify)},
      {"sip", "domain", plainText(&C::sip, &C::Sip::domain)},
      {"sip", "address", address(&C::sip, &C::Sip::address)},
      {"sip", "public-address", publicAddress(&C::sip, &C::Sip::publicAddress)},
      {"sip", "port", port(&C::sip, &C::Sip::port)},
      {"sip", "register-expires", number(&C::sip, &C::Sip::registerExpires, 10, 86'400, "seconds")},
      {"sip", "no-answer", number(&C::sip, &C::Sip::noAnswer, 1, 3'600, "seconds")},
      {"sip", "session-expires", number(&C::sip, &C::Sip::sessionExpires, 0, 86'400, "seconds, or 0 for none,")},
      {"sip", "min-se", number(&C::sip, &C::Sip::minSe, 90, 86'400, "seconds")},
      {"sip", "attached-data-header",
       text<std::string, C::Sip>(&C::sip, &C::Sip::attachedDataHeader,
                                 "a header's name like \"X-Attached-Data\" that SIP does not use itself",
                                 [](const std::string& in, std::string& out) {
                                   out = in;
                                   return bridge::isAttachedDataHeader(in);
                                 })},
      {"sip-server", "address", address(&C::sipServer, &C::SipServer::address)},
      {"sip-server", "port", port(&C::sipServer, &C::SipServer::port)},
      {"sip-server", "password", plainText(&C::sipServer, &C::SipServer::password)},
      {"media", "address", address(&C::media, &C::Media::address)},
      {"media", "public-address", publicAddress(&C::media, &C::Media::publicAddress)},
      {"media", "ice-port", port(&C::media, &C::Media::icePort)},
      {"media", "rtp-port-min", port(&C::media, &C::Media::rtpPortMin)},
      {"media", "rtp-port-max", port(&C::media, &C::Media::rtpPortMax)},
      {"media", "workers", number(&C::media, &C::Media::workers, 0, 255, "a number")},
      {"media", "stun-servers",
       list<SocketAddress, C::Media>(&C::media, &C::Media::stunServers,
                                     "a list of numeric addresses with port like [\"192.0.2.1:3478\"]",
                                     stunServerAddress)},
      {"media", "early-media", flag(&C::media, &C::Media::earlyMedia)},
      {"media", "nap-us", number(&C::media, &C::Media::nap, 0, 1'000, "microseconds")},
      {"auth", "policy", choice(&C::auth, &C::Auth::policy, policies)},
      {"auth", "anonymous", flag(&C::auth, &C::Auth::anonymous)},
      {"log", "level", choice(&C::log, &C::LogSection::level, levels)},
  };
}

}  // namespace

const std::vector<Key>& schema() {
  static const std::vector<Key> keys = makeSchema();
  return keys;
}

std::string nearest(std::string_view name, const std::vector<std::string_view>& known) {
  const std::size_t limit = std::max<std::size_t>(1, name.size() / 3);
  std::string_view best;
  std::size_t bestDistance = limit + 1;
  for (const auto candidate : known) {
    const auto d = distance(name, candidate);
    if (d < bestDistance) bestDistance = d, best = candidate;
  }
  return std::string(best);
}

Problems contradictions(const Configuration& c, const std::string& file,
                        const std::function<unsigned(std::string_view, std::string_view)>& line) {
  Problems problems;
  const auto say = [&](std::string_view section, std::string_view key, std::string message) {
    problems.push_back({.file = file, .line = line(section, key), .message = std::move(message)});
  };
  const auto& media = c.media;
  if (c.http.tlsCertificate.empty() != c.http.tlsKey.empty()) {
    const bool haveKey = c.http.tlsCertificate.empty();
    say("http", haveKey ? "tls-key" : "tls-certificate",
        "[http] tls-certificate and tls-key belong together: one is missing");
  }
  if (!c.http.address.isLoopback()) {
    if (!c.http.behindProxy && c.http.tlsKey.empty()) {
      say("http", "address",
          "[http] address is not loopback: browsers would talk in the clear; set tls-certificate and tls-key, or say "
          "behind-proxy = true if a proxy in front ends TLS");
    }
    if (c.auth.policy == AuthPolicy::None) {
      say("http", "address",
          "[http] address is not loopback, so say who may sign in: [auth] policy = \"password\" (the SIP server checks "
          "it) "
          "or \"open\" (anyone as any DN)");
    }
  }
  if (c.sip.embedded() && !c.sipServer.address.isLoopback() && c.sipServer.password.empty()) {
    say("sip-server", "address",
        "[sip-server] address is not loopback: set [sip-server] password, or anyone registers as anyone");
  }
  if (c.auth.policy == AuthPolicy::Password && c.sip.embedded() && c.sipServer.password.empty()) {
    say("auth", "policy",
        "[auth] policy is \"password\", but the embedded SIP server takes any: set [sip-server] password");
  }
  const auto server = sip::Uri::parse(c.sip.server);
  const auto serverIp = server ? IpAddress::parse(server->host) : std::nullopt;
  if (!c.sip.embedded() && serverIp && !serverIp->isLoopback()) {
    if (c.sip.address.isLoopback()) {
      say("sip", "address",
          "[sip] address is loopback, so [sip] server cannot be reached from it: set it to an address of this machine");
    }
    if (media.address.isLoopback()) {
      say("media", "address",
          "[media] address is loopback, so phones cannot send to it: set it to an address of this machine");
    }
  }
  if (c.sip.tlsCertificate.empty() && !c.sip.tlsKey.empty()) {
    say("sip", "tls-key", "[sip] tls-key is there, but no tls-certificate that it belongs to");
  }
  if (c.sip.tls() && c.sip.tlsVerify && c.sip.domain.empty() &&
      IpAddress::parse(sip::Uri::parse(c.sip.firstHop())->host)) {
    say("sip", c.sip.outboundProxy.empty() ? "server" : "outbound-proxy",
        "[sip] TLS to an address: set [sip] domain to the name that the server's certificate is for");
  }
  if (c.sip.sessionExpires.count() != 0 && c.sip.sessionExpires < c.sip.minSe) {
    say("sip", "session-expires", "[sip] session-expires must be 0 or at least min-se");  // RFC 4028 §4
  }
  if (c.sip.address.isUnspecified() && !c.sip.publicAddress) {
    say("sip", "address", "[sip] address must be one that the SIP server can send to; or set [sip] public-address");
  }
  if (media.address.isUnspecified() && !media.publicAddress) {
    say("media", "address", "[media] address must be one that browsers can send to; or set [media] public-address");
  }
  if ((media.rtpPortMin == 0) != (media.rtpPortMax == 0)) {
    say("media", media.rtpPortMin == 0 ? "rtp-port-max" : "rtp-port-min",
        "[media] rtp-port-min and rtp-port-max belong together: one is missing");
  } else if (media.rtpPortMin != 0 && media.rtpPortMax < media.rtpPortMin + media.rtpPortMin % 2 + 1) {
    say("media", "rtp-port-max", "[media] rtp-port-min to rtp-port-max holds no even port with the odd one above it");
  }
  if (media.icePort != 0 && media.icePort + std::max<std::int64_t>(media.workers, 1) - 1 > 65535) {
    say("media", "ice-port", "[media] ice-port: each worker takes the next port, and they would pass 65535");
  }
  return problems;
}

}  // namespace crosspoint::gateway
