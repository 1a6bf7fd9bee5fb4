// A full ICE agent for one component (RFC 8445) with trickle (RFC 8838), consent freshness (RFC 7675) and restart.
//
//     New ── remote credentials ──> Checking ── a pair is nominated ──> Connected ── no answer for 10 s ──>
//     Disconnected Disconnected ── an answer ──> Connected         Checking, Connected, Disconnected ── 30 s without
//     ──> Failed any ── restart() ──> Checking (the selected pair stays in use until the next one is nominated)
//
// Sans-IO: datagrams and time in, outputs out (drain pollOutput() after every call). The agent owns no socket: many of
// them share one, told apart by ufrag and address. docs/protocols/ice.md says what is left out.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "base/datagram.h"
#include "base/random.h"
#include "base/time.h"
#include "core/params/transport.h"
#include "core/stun/message_view.h"
#include "core/stun/types.h"

namespace crosspoint::ice {

enum class Role : std::uint8_t { Controlling, Controlled };
enum class State : std::uint8_t { New, Checking, Connected, Disconnected, Failed };

struct LocalSocket {
  SocketId socket = kNoSocket;
  SocketAddress address;  // the base of its host candidate
};

// What a far end can make us store. What comes beyond is dropped and counted.
inline constexpr std::size_t kRemoteCandidatesMax = 64;
inline constexpr std::size_t kPairsMax = 100;  // RFC 8445 §6.1.2.5
inline constexpr std::size_t kSocketsMax = 8;
inline constexpr std::size_t kStunServersMax = 4;
inline constexpr std::size_t kOutputsMax = 256;

struct Config {
  Role role = Role::Controlled;
  IceCredentials local;
  std::uint64_t tieBreaker = 0;
  std::vector<LocalSocket> sockets;
  std::vector<SocketAddress> stunServers;
  Duration pacing = std::chrono::milliseconds(20);  // Ta between new checks; RFC 8445 §14.2 allows 5 ms and more
  Duration retransmitAfter =
      std::chrono::milliseconds(200);  // doubled with each; below RFC 8445's 500 ms, as browsers do
  unsigned sendsMax = 7;
  Duration nominateAfter = std::chrono::milliseconds(50);  // wait this long after the first valid pair for a better one
  Duration consentInterval = std::chrono::seconds(5);      // RFC 7675 §5.1, each scaled by 0.8 to 1.2
  Duration consentLifetime = std::chrono::seconds(30);     // RFC 7675 §5.1
  Duration disconnectedAfter = std::chrono::seconds(10);   // without an answer
  Duration checkingMax = std::chrono::seconds(60);         // then Failed if nothing was ever selected
};

struct SendDatagram {
  SocketId socket = kNoSocket;
  SocketAddress remote;
  stun::MessageBuffer message;
};
struct CandidateFound {
  Candidate candidate;
};
struct GatheringDone {};
struct PairValidated {  // an authentic request from, or answer of, this address: it may be believed
  SocketId socket = kNoSocket;
  SocketAddress remote;
};
struct SelectedPairChanged {
  SocketId socket = kNoSocket;
  SocketAddress remote;
};
struct StateChanged {
  State state = State::New;
};
using Output =
    std::variant<SendDatagram, CandidateFound, GatheringDone, PairValidated, SelectedPairChanged, StateChanged>;

struct Counters {
  std::uint64_t requestsReceived = 0, responsesReceived = 0, checksSent = 0;
  std::uint64_t malformed = 0, notAuthentic = 0, roleConflicts = 0, limitsReached = 0;
};

class Agent {
 public:
  struct Selected {
    SocketId socket = kNoSocket;
    SocketAddress remote;
  };

  Agent(const Config& config, Random& random,
        TimePoint now);  // `random` must outlive the agent; gathering starts at once

  // First, or others than before after the far end restarted. The same again: nothing happens.
  void setRemoteCredentials(TimePoint now, const IceCredentials& remote);
  // Names (mDNS), TCP and components other than 1 are ignored.
  void addRemoteCandidate(TimePoint now, const Candidate& candidate);
  void endOfRemoteCandidates(TimePoint) {}
  // RFC 8445 §9: new credentials of ours; pairs are formed anew when the far end's new ones come.
  void restart(TimePoint now, const IceCredentials& local);

  // True if it was STUN for this agent, whatever came of it.
  bool handleDatagram(TimePoint now, SocketId socket, const SocketAddress& remote, Bytes bytes);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();

  State state() const { return state_; }
  Role role() const { return config_.role; }
  bool gathered() const { return gathered_; }
  const IceCredentials& localCredentials() const { return config_.local; }
  const std::vector<Candidate>& localCandidates() const { return localCandidates_; }
  const std::optional<Selected>& selected() const { return selected_; }
  std::optional<Duration> roundTripTime() const { return roundTrip_; }
  // Whether anything but STUN is believed from there. One comparison for the address used last.
  bool isValidated(SocketId socket, const SocketAddress& remote) const;
  const Counters& counters() const { return counters_; }

 private:
  enum class PairState : std::uint8_t { Waiting, InProgress, Succeeded, Failed };
  struct Pair {
    std::size_t socket = 0;  // index in config_.sockets
    Candidate remote;
    std::uint64_t priority = 0;
    PairState state = PairState::Waiting;
    bool triggered = false;     // to be checked before others
    bool useCandidate = false;  // the next check nominates
    bool nominated = false;     // the far end's USE-CANDIDATE was seen, or ours was answered
    stun::TransactionId transaction{};
    TimePoint sentAt{}, resendAt{};
    unsigned sends = 0;
    bool checkNominates = false;  // what the open transaction carried
  };
  struct Gather {  // one Binding request to one STUN server
    std::size_t socket = 0;
    SocketAddress server;
    stun::TransactionId transaction{};
    TimePoint resendAt{};
    unsigned sends = 0;
    bool done = false;
  };
  struct Consent {
    TimePoint lastAnswer{}, nextCheck{};
    std::array<stun::TransactionId, 8> sent{};
    std::array<TimePoint, 8> sentAt{};
    std::size_t next = 0;
  };

  void handleRequest(TimePoint now, std::size_t socket, const SocketAddress& remote, const stun::MessageView& message);
  void handleResponse(TimePoint now, std::size_t socket, const SocketAddress& remote, const stun::MessageView& message);
  bool handleGathered(const stun::MessageView& message);
  bool handleConsent(TimePoint now, const SocketAddress& remote, const stun::MessageView& message);
  bool resolveConflict(TimePoint now, std::size_t socket, const SocketAddress& remote,
                       const stun::MessageView& message);
  void respond(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request);
  void refuse(std::size_t socket, const SocketAddress& remote, const stun::MessageView& request, stun::ErrorCode code,
              std::string_view reason);
  void switchRole();
  Pair* findPair(std::size_t socket, const SocketAddress& remote);
  Pair* makePair(std::size_t socket, const Candidate& remote);
  void pairUp(const Candidate& remote);
  void sendCheck(TimePoint now, Pair& pair);
  void sendGather(TimePoint now, Gather& gather);
  void runChecks(TimePoint now);
  void nominate(TimePoint now);
  void select(TimePoint now, const Pair& pair);
  void runConsent(TimePoint now);
  void validated(std::size_t socket, const SocketAddress& remote);
  void setState(State state);
  std::uint64_t pairPriority(std::uint32_t local, std::uint32_t remote) const;
  std::uint32_t hostPriority(std::size_t socket) const;
  stun::TransactionId newTransaction();
  stun::MessageBuffer makeCheck(const stun::TransactionId& id, std::uint32_t priority, bool useCandidate) const;
  std::optional<std::size_t> socketIndex(SocketId socket) const;
  void push(Output output);

  Config config_;
  Random& random_;
  State state_ = State::New;
  std::optional<IceCredentials> remote_;
  std::vector<Candidate> localCandidates_;
  std::vector<Candidate> remoteCandidates_;
  std::vector<Pair> pairs_;
  std::vector<Gather> gathers_;
  bool gathered_ = false;
  std::optional<Selected> selected_;
  std::uint64_t selectedPriority_ = 0;
  bool settled_ = false;  // a pair of the present credentials is selected
  std::optional<TimePoint> firstValidAt_;
  TimePoint nextCheckAt_{}, checkingSince_{};
  Consent consent_;
  std::optional<Duration> roundTrip_;
  struct Address {
    SocketId socket;
    SocketAddress remote;
  };
  std::vector<Address> validated_;
  std::deque<Output> outputs_;
  Counters counters_;
};

}  // namespace crosspoint::ice
