// Priorities and foundations of candidates and pairs (RFC 8445 §5.1, §6.1.2.3).
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "core/ice/types.h"
#include "core/params/transport.h"

namespace crosspoint::ice {

// RFC 8445 §5.1.2.1 for component 1; `preference` 0 is the best socket, each following one comes after it.
std::uint32_t candidatePriority(CandidateType type, std::size_t preference);

// RFC 8445 §6.1.2.3; `role` is ours.
std::uint64_t pairPriority(Role role, std::uint32_t local, std::uint32_t remote);

Candidate hostCandidate(const SocketAddress& address, std::size_t preference);
Candidate serverReflexiveCandidate(const SocketAddress& mapped, const SocketAddress& base, const IpAddress& server,
                                   std::size_t preference);

// Whether a connectivity check from one to the other makes sense: same family, and IPv6 link-local addresses only among
// themselves (RFC 8445 §6.1.2.2).
bool canPair(const IpAddress& local, const IpAddress& remote);

// Whether a signalled candidate is one that we check at all: UDP, component 1, an address and not a name, a port.
bool isUsable(const Candidate& candidate);

}  // namespace crosspoint::ice
