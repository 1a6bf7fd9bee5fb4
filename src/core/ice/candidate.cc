#include "core/ice/candidate.h"

#include <algorithm>

namespace crosspoint::ice {
namespace {

std::uint32_t typePreference(CandidateType type) {  // RFC 8445 §5.1.2.2
  switch (type) {
    case CandidateType::Host:
      return 126;
    case CandidateType::PeerReflexive:
      return 110;
    case CandidateType::ServerReflexive:
      return 100;
    case CandidateType::Relayed:
      break;
  }
  return 0;
}

// RFC 8445 §5.1.1.3: equal for the same type, base address, server and transport, else different.
std::string foundationOf(CandidateType type, const IpAddress& base, const std::optional<IpAddress>& server) {
  std::uint32_t hash = 2166136261u;
  auto mix = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 16777619u; };
  mix(static_cast<std::uint8_t>(type));
  for (const std::uint8_t byte : base.bytes()) mix(byte);
  if (server) {
    for (const std::uint8_t byte : server->bytes()) mix(byte);
  }
  return std::to_string(hash);
}

// Nobody's own address, or many hosts': checks sent there at a page's word would go to strangers.
bool isNobodysOwn(const IpAddress& address) {
  if (address.isUnspecified()) return true;
  const std::uint8_t first = address.bytes()[0];
  if (address.isV6()) return first == 0xff;  // RFC 4291 §2.7
  return first == 0 || first >= 0xe0;        // RFC 1122 §3.2.1.3; multicast, reserved and the limited broadcast address
}

}  // namespace

std::uint32_t candidatePriority(CandidateType type, std::size_t preference) {
  const auto local = static_cast<std::uint32_t>(65535 - std::min<std::size_t>(preference, 65535));
  return typePreference(type) << 24 | local << 8 | 255;
}

std::uint64_t pairPriority(Role role, std::uint32_t local, std::uint32_t remote) {
  const std::uint64_t controlling = role == Role::Controlling ? local : remote;
  const std::uint64_t controlled = role == Role::Controlling ? remote : local;
  return (std::min(controlling, controlled) << 32) + 2 * std::max(controlling, controlled) +
         (controlling > controlled ? 1 : 0);
}

Candidate hostCandidate(const SocketAddress& address, std::size_t preference) {
  Candidate candidate;
  candidate.foundation = foundationOf(CandidateType::Host, address.ip, std::nullopt);
  candidate.priority = candidatePriority(CandidateType::Host, preference);
  candidate.address = address;
  candidate.type = CandidateType::Host;
  return candidate;
}

Candidate serverReflexiveCandidate(const SocketAddress& mapped, const SocketAddress& base, const IpAddress& server,
                                   std::size_t preference) {
  Candidate candidate;
  candidate.foundation = foundationOf(CandidateType::ServerReflexive, base.ip, server);
  candidate.priority = candidatePriority(CandidateType::ServerReflexive, preference);
  candidate.address = mapped;
  candidate.type = CandidateType::ServerReflexive;
  candidate.related = base;
  return candidate;
}

bool canPair(const IpAddress& local, const IpAddress& remote) {
  if (local.isV4() != remote.isV4()) return false;
  return local.isV4() || local.isLinkLocal() == remote.isLinkLocal();
}

bool isUsable(const Candidate& candidate) {
  return candidate.transport == CandidateTransport::Udp && candidate.component == 1 && candidate.hostName.empty() &&
         candidate.address.port != 0 && !isNobodysOwn(candidate.address.ip);
}

}  // namespace crosspoint::ice
