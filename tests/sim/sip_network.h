// The SIP server and everybody's transaction layer as one model in virtual time: registers, routes by user or by
// contact, keeps what io/sip promises (src/core/sip/message.h): requests arrive once, responses in any order, a 2xx is
// repeated until its ACK, what is lost ends as a timeout. It asks for credentials, redirects, forks an INVITE to
// several phones at once or one after the other, answers in the place of the far end, and is away now and then. Every
// message that leaves an agent is checked against the RFCs (core/sip/agent_rules.h, sdp_rules.h).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/random.h"
#include "core/sip/agent_rules.h"
#include "core/sip/message.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"
#include "tests/sim/sdp_rules.h"

namespace crosspoint::sim {

// The content type of an INFO that becomes something else on its way, which phones' own user agents do not send: a
// NOTIFY with its body as the event, or where that is "options" an OPTIONS inside the dialog.
inline constexpr std::string_view kNotifyType = "simulation/notify";

class SipNetwork {
 public:
  using Receiver = std::function<void(sip::Incoming&&)>;
  // What the agent at one address does not know, or insists on: the network takes it out of its messages, and out of
  // those to it.
  struct Manners {
    bool noReliable = false, noUpdates = false, noTimers = false;
    bool insistsOnReliable = false;  // its calls demand 100rel
  };
  struct Counters {
    std::uint64_t challenges = 0, redirects = 0, forks = 0, forwards = 0, cancelledBranches = 0, branchEnds = 0;
    std::uint64_t answersInPlace = 0, responsesLost = 0, restarts = 0, probesAnswered = 0, sdpAnswersChecked = 0;
  };

  SipNetwork(Clock& clock, Network& network, Random& random, unsigned lostPermille)
      : clock_(clock), network_(network), random_(random), lostPermille_(lostPermille) {}

  // A user agent that is reached at host:port; `user`: also registered under this name without a REGISTER.
  void attach(const std::string& hostPort, Receiver receiver) { agents_[hostPort] = std::move(receiver); }
  void locate(const std::string& user, const std::string& hostPort) { locations_[user] = hostPort; }
  void manners(const std::string& hostPort, const Manners& manners) { manners_[hostPort] = manners; }
  // Its descriptions keep RFC 3264, and it answers OPTIONS at any time.
  void watch(const std::string& hostPort);
  // A number that rings at several phones.
  void group(const std::string& user, std::vector<std::string> hostPorts) { groups_[user] = std::move(hostPorts); }
  void send(const std::string& fromHostPort, sip::Outgoing&& outgoing);
  // The server is gone for a while, and has forgotten who was registered when it comes back.
  void restart(Duration away);
  bool availableSince(Duration time) const { return clock_.now() - awayUntil_ >= time; }
  bool isRegistered(const std::string& user) const { return registered_.contains(user); }

  // One end of the call with this Call-ID has hung up, and the other cannot know.
  bool byeWasLost(const std::string& callId) const { return byesLost_.contains(callId); }
  bool byeOfUserWasLost(const std::string& user) const { return usersOfLostByes_.contains(user); }

  // Somebody else may be in the call with this Call-ID than who was called.
  bool wasDiverted(const std::string& callId) const { return diverted_.contains(callId); }

  const std::string& fault() const { return fault_; }
  Counters counters() const;

 private:
  struct Fork {
    std::size_t open = 0;  // branches without a final response
    bool won = false;
    std::vector<std::uint64_t> branches;
  };
  struct Transaction {
    std::string client;  // host:port; empty: the server itself
    sip::ClientTransactionId id{};
    std::string server;
    sip::Request request;
    TimePoint sentAt{};
    bool answered = false;  // with a final response
    bool acknowledged = false;
    std::shared_ptr<Fork> fork;  // with another branch
    int forwards = 0;            // from phone to phone
  };
  void send(const std::string& from, sip::SendRequest&&);
  void send(const std::string& from, sip::SendAck&&);
  void send(const std::string& from, sip::CancelRequest&&);
  void send(const std::string& from, sip::SendResponse&&);
  std::uint64_t forward(const std::string& from, const sip::SendRequest&, const std::string& to,
                        std::shared_ptr<Fork> fork = {}, int forwards = 0);
  void forwardToGroup(const std::string& from, const sip::SendRequest&, const std::vector<std::string>& group);
  bool passesOn(Transaction& transaction, const sip::Response& response);
  bool forwardElsewhere(const Transaction& transaction, const sip::Response& refusal);
  void endOtherBranches(const Transaction& winner, std::uint64_t number);
  void tellBranchEnd(const Transaction& transaction, const sip::Response& refusal);
  void handleProbeAnswer(const Transaction& transaction, const sip::Response& response);
  void probe(const std::string& to);
  void applyManners(sip::Request& request, const std::string& from, const std::string& to) const;
  void applyManners(sip::Response& response, const std::string& from, const std::string& to) const;
  void forgetLater(std::uint64_t number);

  // A final response of the server itself, instead of passing the request on (sip_obstacles.cc).
  std::optional<sip::Response> obstacle(const sip::Request&);
  std::optional<sip::Response> challenge(const sip::Request&);
  std::optional<sip::Response> redirection(const sip::Request&);
  std::optional<sip::Response> answerInPlace(const sip::Request&);

  void registerUser(const std::string& from, const sip::SendRequest&);
  void repeat(std::uint64_t number, const sip::Response& response, Duration after, TimePoint until);
  void failLater(const std::string& from, sip::ClientTransactionId id, Duration after);
  void deliver(const std::string& to, sip::Incoming incoming);
  std::string route(const sip::Request&) const;
  bool lost() { return random_.below(1000) < lostPermille_; }
  bool away() const { return clock_.now() < awayUntil_; }

  Clock& clock_;
  Network& network_;
  Random& random_;
  unsigned lostPermille_;
  std::unordered_map<std::string, Receiver> agents_;
  std::map<std::string, std::string> locations_;
  std::unordered_set<std::string> registered_;                   // by REGISTER
  std::unordered_map<std::uint64_t, Transaction> transactions_;  // by number of the server transaction
  std::multimap<std::pair<std::string, std::uint64_t>, std::uint64_t> byClient_;
  std::unordered_map<std::string, std::vector<std::string>> groups_;
  std::unordered_map<std::string, Manners> manners_;               // by host:port
  std::unordered_map<std::string, sip::test::RuleChecker> rules_;  // by host:port
  std::string watched_;                                            // host:port
  SdpRules sdpRules_;                                              // of that one
  TimePoint awayUntil_{};
  std::uint64_t last_ = 0;
  std::unordered_set<std::string> byesLost_, usersOfLostByes_;
  std::unordered_set<std::string> diverted_;
  Counters counters_;
  std::string fault_;
};

// The server's own response to a request.
sip::Response serverResponse(const sip::Request& request, int status, std::string reason);

}  // namespace crosspoint::sim
