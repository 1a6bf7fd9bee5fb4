// The program's configuration: one TOML file, every key with a default, every mistake with its place and a suggestion.
//
//   auto configuration = readConfiguration("crosspoint.toml");
//   if (!configuration) for (const Problem& p : configuration.error()) print(p.toString());   // exit status 2
//
// deploy/crosspoint.toml shows every key with its default and what it means.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/log.h"
#include "io/sip/access.h"

namespace crosspoint::gateway {

enum class AuthPolicy : std::uint8_t {
  None,      // nothing was said: whoever reaches us may sign in as any DN; on loopback only
  Open,      // the same, said on purpose
  Password,  // a DN signs in with a password only, which the SIP server checks
};

struct Configuration {
  struct Rsmp {
    std::uint16_t httpPort = 8086;
    std::int64_t newPcSupport = 1;
    bool webEnableDtls = true;
  } rsmp;
  struct Http {
    IpAddress address = IpAddress::v4(0x7f000001);
    std::string root;                         // empty: found beside the program
    std::vector<std::string> allowedOrigins;  // empty: see allowedOrigins() of visitors.h
    std::chrono::seconds sessionTimeout{60};
    std::chrono::seconds pollHold{25};
    bool behindProxy = false;
    std::string tlsCertificate, tlsKey;
    std::int64_t connectionsMax = 12'000;
  } http;
  struct Sip {
    std::string server = "embedded";
    std::string domain;
    IpAddress address = IpAddress::v4(0x7f000001);
    std::optional<IpAddress> publicAddress;
    std::uint16_t port = 0;
    std::chrono::seconds registerExpires{300};
    std::chrono::seconds noAnswer{180};
    std::chrono::seconds sessionExpires{1800};
    std::chrono::seconds minSe{90};
    std::string attachedDataHeader = "X-Attached-Data";
    std::string outboundProxy;                 // empty: the server itself
    std::chrono::seconds optionsInterval{30};  // 0: none are sent
    bool followRedirects = true;
    std::vector<sip::AddressRange> acceptFrom;  // empty: the addresses of server and outbound proxy
    std::vector<SocketAddress> dnsServers;      // empty: the system's
    std::uint16_t tlsPort = 0;
    std::string tlsCa, tlsCertificate, tlsKey;
    bool tlsVerify = true;
    // Where requests go first, as it was written.
    const std::string& firstHop() const { return outboundProxy.empty() ? server : outboundProxy; }
    bool tls() const;  // whether that is reached over TLS
    bool embedded() const { return server == "embedded"; }
  } sip;
  struct SipServer {
    IpAddress address = IpAddress::v4(0x7f000001);
    std::uint16_t port = 5060;
    std::string password;
  } sipServer;
  struct Media {
    IpAddress address = IpAddress::v4(0x7f000001);
    std::optional<IpAddress> publicAddress;
    std::uint16_t icePort = 0;
    std::uint16_t rtpPortMin = 0, rtpPortMax = 0;
    std::int64_t workers = 0;  // 0: one per core
    std::vector<SocketAddress> stunServers;
    bool earlyMedia = false;
    std::chrono::microseconds nap{0};
  } media;
  struct Auth {
    AuthPolicy policy = AuthPolicy::None;
    bool anonymous = true;
  } auth;
  struct LogSection {
    LogLevel level = LogLevel::Info;
  } log;
};

struct Problem {
  std::string file;              // or "--set"
  unsigned line = 0;             // 0: no line of its own
  std::string message;           // one sentence
  std::string toString() const;  // "file:line: message"
};
using Problems = std::vector<Problem>;

// `text` as if it were the content of `file`.
std::expected<Configuration, Problems> parseConfiguration(std::string_view text, const std::string& file);
// An empty name: the defaults. `overrides` are lines "section.key = value" in TOML's notation, which win over the file;
// a value that is no TOML is taken as text.
std::expected<Configuration, Problems> readConfiguration(const std::string& file,
                                                         const std::vector<std::string>& overrides = {});

}  // namespace crosspoint::gateway
