// Where a request may go, in which order (RFC 3263 §4, RFC 2782), and which of the places have failed lately.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "io/dns/resolver.h"

namespace crosspoint::sip {

inline constexpr std::size_t kHopsMax = 16;  // of one destination; what follows is ignored

struct Hop {
  SocketAddress address;
  std::string transport;  // "udp", "tcp", "tls"
  std::string name;       // the host that was configured: what a certificate must be for; empty for a numeric one
  bool operator==(const Hop&) const = default;
};

// RFC 2782: lowest priority first; among equals a draw by weight for each next place.
std::vector<dns::Service> inOrder(std::vector<dns::Service> services, Random& random);

// Hops that have failed stand behind the others for a while.
class AvoidList {
 public:
  void avoid(TimePoint now, const Hop& hop, Duration howLong);
  void forgive(const Hop& hop);
  bool isAvoided(TimePoint now, const Hop& hop) const;
  // The same hops, the avoided ones last, otherwise in the order in which they stand.
  std::vector<Hop> sorted(TimePoint now, std::vector<Hop> hops) const;
  std::size_t size() const { return until_.size(); }

 private:
  static constexpr std::size_t kMax = 256;  // beyond, the one whose time is over first is forgotten

  std::map<std::pair<std::string, std::string>, TimePoint> until_;  // by address and transport
};

}  // namespace crosspoint::sip
