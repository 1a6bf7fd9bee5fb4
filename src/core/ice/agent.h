// One ICE agent (RFC 8445, 8838, 7675): finds a pair of addresses on which two sides reach each other, and watches over
// it.
//
// One agent is one component of one data stream (everything is bundled, RTCP is multiplexed), over UDP, IPv4 and IPv6.
// It is a full agent, also towards an ICE-lite peer. Many agents share sockets: the agent owns none, it is told of each
// datagram and gives back what is to be sent. docs/protocols/ice.md says what it deliberately does not do.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/ice/types.h"
#include "core/params/transport.h"
#include "core/stun/client_transaction.h"

namespace crosspoint::ice {

struct AgentConfig {
  struct Timers {
    Duration pacing = std::chrono::milliseconds(50);            // Ta, RFC 8445 §14.2: between two new transactions
    stun::ClientTransaction::Config transaction;                // RFC 8445 §14.3; rto is its lower bound
    Duration nominationDelay = std::chrono::milliseconds(200);  // how long a valid pair waits for a better one
    Duration patience = std::chrono::milliseconds(39500);       // RFC 8863 §4: not Failed before
    Duration overlap =
        std::chrono::seconds(3);  // how long the old generation's addresses stay after a new pair is selected
    Duration consentInterval = std::chrono::seconds(5);
    Duration disconnectedAfter = std::chrono::milliseconds(12500);
    Duration consentLifetime = std::chrono::seconds(30);
  };

  Role role = Role::Controlled;
  IceCredentials local;
  std::uint64_t tieBreaker = 0;         // random
  std::uint32_t transactionPrefix = 0;  // first four bytes of all our transaction ids; see stun::transactionPrefixOf()
  std::vector<LocalSocket> sockets;     // at most kLocalSocketsMax, in order of preference; each SocketId once
  std::vector<SocketAddress> stunServers;  // at most kStunServersMax
  Timers timers;
};

// Shape: hand in events with their time, drain pollOutput() after each, call handleTimeout() at nextTimeout(). Outputs
// drained late do no harm. Not thread-safe. `Random` must outlive the agent.
//
//     Agent agent(config, random, now);
//     agent.setRemoteCredentials(now, theirs);
//     for (const Candidate& candidate : candidates) agent.addRemoteCandidate(now, candidate);
//     while (auto output = agent.pollOutput()) ...
class Agent {
 public:
  using Config = AgentConfig;

  // Gathering starts at once; checks of the peer are answered from now on.
  Agent(Config config, Random& random, TimePoint now);
  ~Agent();
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;

  // The peer's credentials. The same ones again change nothing; others, while a pair is selected, are a restart by the
  // peer: media goes on over the old pair until a new one is selected.
  void setRemoteCredentials(TimePoint now, IceCredentials remote);
  // The peer is ICE-lite: we are the controlling side whatever the configuration said (RFC 8445 §6.1.1).
  void setRemoteLite(TimePoint now);
  // May come before the credentials and at any time after. TCP, mDNS names, components other than 1 and nonsense are
  // counted and ignored; the same candidate again changes nothing.
  void addRemoteCandidate(TimePoint now, const Candidate& candidate);
  // Without it the agent only waits longer before it gives up (each candidate renews its patience).
  void endOfRemoteCandidates(TimePoint now);

  // A new generation (RFC 8445 §9): new local credentials; the remote ones and candidates are forgotten until they are
  // set anew. localCandidates() stay. The old pair is used, and its ufrag answered, until a new pair is selected.
  void restart(TimePoint now, IceCredentials local);

  // A datagram for which stun::looksLikeStun() holds. True if it was meant for this agent, right or wrong.
  bool handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes datagram);
  void handleTimeout(TimePoint now);  // harmless early or late
  std::optional<Output> pollOutput();
  std::optional<TimePoint> nextTimeout() const;  // a stored value

  State state() const;
  Role role() const;
  // Where to send media. Nothing before the first selection and in State::Failed.
  std::optional<SelectedPair> selectedPair() const;
  std::span<const Candidate> localCandidates() const;
  bool gatheringDone() const;
  const IceCredentials& localCredentials() const;
  const std::optional<IceCredentials>& remoteCredentials() const;  // of the newest generation
  const Counters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::ice
