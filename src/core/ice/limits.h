// Every bound of an agent, with who loses when it is reached. Reaching one is counted (Counters in types.h).
#pragma once
#include <cstddef>

namespace crosspoint::ice {

// The caller's; more is the caller's mistake.
inline constexpr std::size_t kLocalSocketsMax = 8;
inline constexpr std::size_t kStunServersMax = 4;

// Of the remote, per generation: the newest is ignored.
inline constexpr std::size_t kSignalledCandidatesMax = 32;
// Peer-reflexive ones, per generation: the oldest that is neither selected nor, if there is a choice, being
// checked gives way.
inline constexpr std::size_t kReflexivePairsMax = 16;
// RFC 8445 §6.1.2.5: of the new pair and those not yet proven the one with the lowest priority.
inline constexpr std::size_t kPairsMax = 100;
// A cancelled one is forgotten, else the new check waits.
inline constexpr std::size_t kChecksInFlightMax = 32;
// 30 s of them at the shortest period, 4 s: the oldest is forgotten.
inline constexpr std::size_t kConsentChecksInFlightMax = 8;
// Addresses that the owner's demultiplexer is told of: the oldest but the selected one is retired.
inline constexpr std::size_t kValidatedMax = 16;
// Retirements that the owner has not polled yet; while there are so many, no new address is validated.
inline constexpr std::size_t kRetiredMax = 32;
// Datagrams not yet polled: the newest is dropped, as if it were lost on the way.
inline constexpr std::size_t kSendsQueuedMax = 16;

}  // namespace crosspoint::ice
