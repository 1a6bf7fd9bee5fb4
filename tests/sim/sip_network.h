// The SIP server and everybody's transaction layer as one model in virtual time: registers, routes by user or by
// contact, keeps what io/sip promises (src/core/sip/message.h): requests arrive once, responses in any order, a 2xx is
// repeated until its ACK, a lost request ends as a timeout. Now and then it asks for credentials, redirects, or forks
// an INVITE to two phones at once. Every message that leaves an agent is checked against the RFCs
// (core/sip/agent_rules.h).
#pragma once
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "base/random.h"
#include "core/sip/agent_rules.h"
#include "core/sip/message.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"

namespace crosspoint::sim {

// The content type of an INFO that becomes a NOTIFY on its way, with its body as the event: phones' own user agents
// send none.
inline constexpr std::string_view kNotifyType = "simulation/notify";

class SipNetwork {
 public:
  using Receiver = std::function<void(sip::Incoming&&)>;
  SipNetwork(Clock& clock, Network& network, Random& random, unsigned lostPermille)
      : clock_(clock), network_(network), random_(random), lostPermille_(lostPermille) {}

  // A user agent that is reached at host:port; `user`: also registered under this name without a REGISTER.
  void attach(const std::string& hostPort, Receiver receiver) { agents_[hostPort] = std::move(receiver); }
  void locate(const std::string& user, const std::string& hostPort) { locations_[user] = hostPort; }
  // A number that rings at two phones.
  void group(const std::string& user, std::vector<std::string> hostPorts) { groups_[user] = std::move(hostPorts); }
  void send(const std::string& fromHostPort, sip::Outgoing&& outgoing);

 private:
  struct Fork {
    std::size_t open = 0;  // branches without a final response
    bool won = false;
  };
  struct Transaction {
    std::string client;  // host:port
    sip::ClientTransactionId id{};
    std::string server;
    sip::Request request;
    bool answered = false;  // with a final response
    bool acknowledged = false;
    std::shared_ptr<Fork> fork;  // with another branch
  };
  void send(const std::string& from, sip::SendRequest&&);
  void send(const std::string& from, sip::SendAck&&);
  void send(const std::string& from, sip::CancelRequest&&);
  void send(const std::string& from, sip::SendResponse&&);
  void forward(const std::string& from, const sip::SendRequest&, const std::string& to,
               std::shared_ptr<Fork> fork = {});
  // A final response of the server itself, instead of passing the request on.
  std::optional<sip::Response> obstacle(const sip::Request&);
  void registerUser(const std::string& from, const sip::SendRequest&);
  void repeat(std::uint64_t number, const sip::Response& response, Duration after, TimePoint until);
  void deliver(const std::string& to, sip::Incoming incoming);
  std::string route(const sip::Request&) const;

  Clock& clock_;
  Network& network_;
  Random& random_;
  unsigned lostPermille_;
  std::unordered_map<std::string, Receiver> agents_;
  std::unordered_map<std::string, std::string> locations_;
  std::unordered_map<std::uint64_t, Transaction> transactions_;  // by number of the server transaction
  std::multimap<std::pair<std::string, std::uint64_t>, std::uint64_t> byClient_;
  std::unordered_map<std::string, std::vector<std::string>> groups_;
  std::unordered_map<std::string, sip::test::RuleChecker> rules_;  // by host:port
  std::uint64_t last_ = 0;
};

}  // namespace crosspoint::sim
