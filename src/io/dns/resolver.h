// Questions to the DNS: services (SRV, RFC 2782) and addresses (A, AAAA, and the hosts file). Nothing is remembered
// here.
//
//   Resolver resolver({}, [&](int fd, bool read, bool write) { watch(fd, read, write); });
//   resolver.findServices("_sip._udp.example.com", [](auto services) { ... });
//   // when a watched descriptor is ready, and when nextTimeout() has passed:
//   resolver.handleReady(fd, readable, writable);   resolver.handleTimeout();
//
// It owns its sockets but no loop: whoever owns it watches them. One thread. A callback comes exactly once, perhaps
// within the call that asks; it may ask further questions, but not destroy the resolver. Destroying the resolver calls
// back every open question with Failed.
//
// For names that an operator wrote down. A name that a stranger chose is no business of this class: each question costs
// a datagram and a place in a table.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"

namespace crosspoint::dns {

inline constexpr std::size_t kServicesMax = 32;   // of one answer; what follows is ignored
inline constexpr std::size_t kAddressesMax = 16;  // of one answer

struct Service {  // RFC 2782
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string host;
  bool operator==(const Service&) const = default;
};

struct Addresses {
  std::vector<IpAddress> list;  // not empty
  std::chrono::seconds lifetime{};
};

enum class Error : std::uint8_t {
  None,    // the DNS says that there is no such name, or nothing of that kind at it
  Failed,  // nobody answered, or with what cannot be read
};

class Resolver {
 public:
  struct Config {
    std::vector<SocketAddress> servers;        // empty: the system's (/etc/resolv.conf)
    std::chrono::milliseconds timeout{1'500};  // for the first try at one server
    int tries = 2;                             // at each server
  };
  // Watch `fd` for reading, writing, both; or, both false, no longer: it will be closed then.
  using Watch = std::function<void(int fd, bool read, bool write)>;
  using ServicesFound = std::function<void(std::expected<std::vector<Service>, Error>)>;
  using AddressesFound = std::function<void(std::expected<Addresses, Error>)>;

  Resolver(const Config& config, Watch watch);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // A service that "." offers is none (RFC 2782: "decidedly not available"): that answer is Error::None.
  void findServices(const std::string& name, ServicesFound found);
  void findAddresses(const std::string& name, bool v6, AddressesFound found);

  void handleReady(int fd, bool readable, bool writable);
  void handleTimeout();
  // From now; nothing if no question is open.
  std::optional<Duration> nextTimeout() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::dns
