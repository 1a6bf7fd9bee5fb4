// One ICE agent (RFC 8445, 8838, 7675): finds a pair of addresses on which two sides reach each other, and watches over
// it.
//
// One agent is one component of one data stream (everything is bundled, RTCP is multiplexed), over UDP, IPv4 and IPv6.
// It is a full agent, also towards an ICE-lite peer. Many agents share sockets: the agent owns none, it is told of each
// datagram and gives back what is to be sent. docs/protocols/ice.md says what it deliberately does not do.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/ice/check_list.h"
#include "core/ice/checks_in_flight.h"
#include "core/ice/consent.h"
#include "core/ice/gatherer.h"
#include "core/ice/send_queue.h"
#include "core/ice/types.h"
#include "core/ice/validated_addresses.h"
#include "core/params/transport.h"
#include "core/stun/client_transaction.h"
#include "core/stun/message_view.h"

namespace crosspoint::ice {

struct AgentConfig {
  struct Timers {
    Duration pacing = std::chrono::milliseconds(50);  // Ta, RFC 8445 §14.2: between two new transactions
    // RFC 8445 §14.3; rto is its lower bound. Doubling stops at 2 s, so that a lossy path is found in time: 17 requests
    // in the 39.5 s in which the RFC has 7.
    stun::ClientTransaction::Config transaction{.intervalMax = std::chrono::seconds(2), .sendsMax = 17};
    // For STUN servers: gathering ends 5.5 s after a server that never answers was asked.
    stun::ClientTransaction::Config gathering{.sendsMax = 4, .lastWait = 4};
    Duration nominationDelay = std::chrono::milliseconds(200);  // how long a valid pair waits for a better one
    Duration patience = std::chrono::milliseconds(39500);       // RFC 8863 §4: not Failed before
    Duration overlap = std::chrono::seconds(3);  // how long the old generation's addresses stay after the new selection
    // A nominated pair of lower priority is followed only when nothing was heard on the selected one for this long.
    Duration switchAfterSilence = std::chrono::milliseconds(500);
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

  // Our credentials have been sent to the peer. Giving up is counted from here (or from the peer's first check, which
  // shows the same), because an answer may follow an offer by minutes: until then the agent waits without limit.
  void localDescriptionSent(TimePoint now);

  // A new generation (RFC 8445 §9): new local credentials; the remote ones and candidates are forgotten until they are
  // set anew, unless the peer has begun it by new ones: then this is our half of it. localCandidates() stay. The old
  // pair is used, and its ufrag answered, until a new pair is selected.
  void restart(TimePoint now, IceCredentials local);

  // A datagram for which stun::looksLikeStun() holds. True if it was meant for this agent, right or wrong.
  bool handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes datagram);
  // Authentic media of the peer came this way. Called for every packet.
  void handleMedia(TimePoint now, const SelectedPair& from) {
    if (route_ && route_->pair == from) route_->heardAt = now;
  }
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
  Counters counters() const;

 private:
  // Where media goes, with the credentials of the generation that found it.
  struct Route {
    IceCredentials local, remote;
    SelectedPair pair;
    std::uint64_t priority = 0;
    std::uint32_t generation = 0;
    TimePoint heardAt;  // the last authentic message or media of the peer on this pair
    Consent consent;
  };
  struct Retiring {  // the generation before, while its last packets may be under way
    IceCredentials local;
    TimePoint until;
  };
  // Whose password signs a request.
  struct Addressee {
    enum class Kind : std::uint8_t { Newest, Older, WrongRemote, Stranger };
    Kind kind = Kind::Stranger;
    std::string_view password;
  };

  // agent.cc: generations, outputs
  void beginGeneration();
  void retireUfrag(const std::string& ufrag);
  void startPatience(TimePoint now);
  std::optional<Output> pollCandidate();

  // agent_time.cc: what is due, and when something is due again
  void settle(TimePoint now);
  void startNext(TimePoint now);
  void startCheck(TimePoint now, PairId id);
  void considerNomination(TimePoint now);
  bool drainChecks();
  void drainGatherer();
  void drainConsent(TimePoint now);
  void judge(TimePoint now);
  void loseRoute(TimePoint now);
  void fail();
  void updateDeadline(TimePoint now);
  stun::ClientTransaction::Config transactionConfig(std::size_t competing) const;

  // agent_receive.cc: requests and responses
  bool handleRequest(TimePoint now, std::uint8_t local, const SocketAddress& remote, const stun::MessageView& request);
  void handleAuthenticRequest(TimePoint now, std::uint8_t local, const SocketAddress& remote,
                              const stun::MessageView& request);
  Addressee addresseeOf(std::string_view username) const;
  bool losesRoleConflict(const stun::MessageView& request);
  void learnFrom(TimePoint now, std::uint8_t local, const SocketAddress& remote, const stun::MessageView& request);
  void followNomination(TimePoint now, PairId id);
  bool handleResponse(TimePoint now, std::uint8_t local, const SocketAddress& remote,
                      const stun::MessageView& response);
  void handleCheckResponse(TimePoint now, Check check, const SelectedPair& from, const stun::MessageView& response);
  void handleConsentResponse(TimePoint now, const SelectedPair& from, const stun::MessageView& response);
  void handleRoleConflict(Role roleOfCheck);
  void refuse(const SelectedPair& to, const stun::MessageView& request, stun::ErrorCode code,
              std::optional<std::string_view> password);
  void switchRole();
  bool mayReplaceRoute(TimePoint now, const Pair& pair) const;
  void select(TimePoint now, PairId id);
  SelectedPair pathOf(const Pair& pair) const;

  Config config_;  // role, credentials and tie-breaker as they are now
  Random* random_;
  Gatherer gatherer_;
  TimePoint nextStartAt_;  // pacing: no new transaction before

  // The newest generation.
  std::uint32_t generation_ = 0;
  std::optional<IceCredentials> remote_;
  bool endOfCandidates_ = false;
  bool peerKnowsUs_ = false;
  bool begunByPeer_ = false;  // it has new credentials of the peer and old ones of ours
  CheckList pairs_;
  ChecksInFlight checks_;
  bool completed_ = false;                  // it has selected a pair: only triggered checks from now on
  std::optional<PairId> nominating_;        // our check with USE-CANDIDATE is due or under way
  std::optional<TimePoint> nominateAt_;     // then the best valid pair will do
  std::optional<TimePoint> patienceUntil_;  // not Failed before; runs while there is no route
  bool failed_ = false;

  std::optional<Route> route_;
  std::optional<Retiring> retiring_;
  ValidatedAddresses validated_;

  // Outputs: what waits, and what was told last.
  SendQueue sends_;
  std::vector<std::string> retiredUfrags_;
  std::size_t candidatesTold_ = 0;
  bool gatheringDoneTold_ = false;
  std::optional<SelectedPair> pairTold_;
  State stateTold_ = State::New;

  Counters counters_;
  std::optional<TimePoint> deadline_;
};

}  // namespace crosspoint::ice
