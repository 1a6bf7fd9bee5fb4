// Small values that an ICE agent takes and gives.
#pragma once
#include <cstdint>
#include <string>
#include <variant>

#include "base/datagram.h"
#include "core/params/transport.h"
#include "core/stun/types.h"

namespace crosspoint::ice {

enum class Role : std::uint8_t { Controlling, Controlled };

// A socket that the agent may send from. `address` is what the peer is told: the socket's own, or what a 1:1 NAT makes
// of it.
struct LocalSocket {
  SocketId socket = kNoSocket;
  SocketAddress address;
};

// Where a peer is reached, and from which socket of ours: all that sending needs.
struct SelectedPair {
  SocketId socket = kNoSocket;
  SocketAddress remote;
  bool operator==(const SelectedPair&) const = default;
};

//     New ──> Checking ──> Connected <──> Disconnected
//                │             │               │
//                └─────────────┴──> Failed <───┘        restart() leads from Failed back to Checking
enum class State : std::uint8_t {
  New,           // no remote credentials yet
  Checking,      // looking for a pair
  Connected,     // a pair is selected and the peer consents to what we send
  Disconnected,  // a pair is selected, but the peer has not answered for a while; sending goes on
  Failed,        // nothing found, or consent has expired (RFC 7675 §5.1): nothing may be sent. Final until restart()
};

// Things that happened to an agent since it was made; none of them is an error of ours.
struct Counters {
  std::uint64_t malformed = 0;            // not one well-formed message
  std::uint64_t wrongIntegrity = 0;       // a request that was answered 401, or a response that was dropped
  std::uint64_t wrongRemoteUfrag = 0;     // a check with our ufrag and not theirs: dropped
  std::uint64_t unknownTransactions = 0;  // responses to nothing that we asked, or from elsewhere
  std::uint64_t roleConflicts = 0;        // seen by us or told by the peer
  std::uint64_t candidatesIgnored = 0;    // TCP, mDNS, other component, malformed
  std::uint64_t candidatesRefused = 0;    // kSignalledCandidatesMax, kReflexivePairsMax
  std::uint64_t pairsRefused = 0;         // kPairsMax
  std::uint64_t checksForgotten = 0;      // kChecksInFlightMax
  std::uint64_t addressesRefused = 0;     // kValidatedMax
  std::uint64_t sendsDropped = 0;         // kSendsQueuedMax
};

// --- outputs ---

struct SendDatagram {
  SocketId socket = kNoSocket;
  SocketAddress remote;
  stun::MessageBuffer message;
  Bytes bytes() const { return message.bytes(); }
};

// A local candidate to tell the peer. Host candidates come at once, server-reflexive ones as servers answer.
struct CandidateFound {
  Candidate candidate;
};
struct GatheringDone {};

// The peer has proven to be at `remote` (it knows our password): the owner's demultiplexer may give what comes from
// there to this connection. It says nothing about sending: that starts with SelectedPairChanged. Comes again in each
// new generation.
struct PairValidated {
  SocketId socket = kNoSocket;
  SocketAddress remote;
};

// An address of PairValidated that this connection no longer uses: forget it.
struct PairRetired {
  SocketId socket = kNoSocket;
  SocketAddress remote;
};

// After a restart the ufrag before it stays in use for a while; now requests to it are no longer ours.
struct UfragRetired {
  std::string ufrag;
};

struct SelectedPairChanged {
  SelectedPair pair;
};
struct StateChanged {
  State state = State::New;
};

using Output = std::variant<SendDatagram, CandidateFound, GatheringDone, PairValidated, PairRetired, UfragRetired,
                            SelectedPairChanged, StateChanged>;

}  // namespace crosspoint::ice
