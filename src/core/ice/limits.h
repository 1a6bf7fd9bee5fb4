// Every bound of an agent, with who loses when it is reached. Reaching one is counted (Counters in types.h).
#pragma once
#include <cstddef>

namespace crosspoint::ice {

inline constexpr std::size_t kLocalSocketsMax = 8;  // the caller's; more is the caller's mistake
inline constexpr std::size_t kStunServersMax = 4;   // the caller's; more is the caller's mistake
inline constexpr std::size_t kLocalCandidatesMax = kLocalSocketsMax * (1 + kStunServersMax);
inline constexpr std::size_t kSignalledCandidatesMax = 32;  // of the remote, per generation: the newest is ignored
inline constexpr std::size_t kReflexiveCandidatesMax =
    16;                                        // peer-reflexive, per generation: an old useless one gives way
inline constexpr std::size_t kPairsMax = 100;  // RFC 8445 §6.1.2.5: the lowest priority that was not yet checked
inline constexpr std::size_t kChecksInFlightMax = 32;        // a cancelled one is forgotten, else the new check waits
inline constexpr std::size_t kConsentChecksInFlightMax = 8;  // 30 s of them at the shortest period, 4 s: the oldest
inline constexpr std::size_t kSendsQueuedMax = 16;      // datagrams not yet polled: the newest, as if lost on the way
inline constexpr std::size_t kFoundationBytesMax = 32;  // RFC 8445 §5.3 (ABNF): such a candidate is ignored

}  // namespace crosspoint::ice
