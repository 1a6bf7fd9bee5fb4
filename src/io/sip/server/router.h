// The deciding half of the embedded server: what becomes of a request that belongs to no transaction. Registrations are
// taken, challenges made, users looked up; what is to be sent on goes to the Proxy.
//
// On the SIP thread only.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "io/sip/server/digest.h"
#include "io/sip/server/pending_calls.h"
#include "io/sip/server/proxy.h"
#include "io/sip/server/registrar.h"

namespace crosspoint::sip {

class Router {
 public:
  struct Config {
    SocketAddress self;
    std::vector<IpAddress> others;  // further addresses that reach us at the same port
    bool everyAddress = false;      // bound to 0.0.0.0 or [::]: the loopback reaches us, too
    std::vector<std::string> domains;
    bool challengeCalls = true;
    std::map<std::string, std::string> fixedUsers;  // user -> URI: reachable without registration
  };
  struct Counters {
    std::uint64_t requests = 0, malformed = 0, refused = 0, unauthorized = 0;
  };

  Router(nta_agent_t* agent, Registrar& registrar, const DigestPolicy& policy, Proxy& proxy, Config config);

  void handle(MessagePointer message);
  const Counters& counters() const { return counters_; }

 private:
  void handleRequest(MessagePointer message);
  void handleRegister(MessagePointer message);
  void handleForUs(MessagePointer message, const Uri& uri, const std::string& mark);
  void handleInDialog(MessagePointer message, const Uri& uri, const std::string& mark);
  void handleUser(MessagePointer message, const std::string& user, const std::string& mark);
  void send(MessagePointer message, const std::vector<Target>& targets, const std::string& mark);
  void reply(MessagePointer message, int status);
  void replyToRegister(MessagePointer message, const std::string& user);
  // False, and the request is answered: it did not prove to come from `user`.
  bool authenticate(MessagePointer& message, const std::string& user, bool proxy);

  void removeOwnRoutes(msg_t* message, sip_t* sip) const;
  bool isOwnIp(const Uri& uri) const;
  bool isOwnAddress(const Uri& uri) const;
  bool isOwnDomain(const Uri& uri) const;
  Target targetOf(const Binding& binding) const;

  nta_agent_t* agent_;
  Registrar& registrar_;
  const DigestPolicy& policy_;
  Proxy& proxy_;
  Config config_;
  PendingCalls pendingMedia_;  // of the fixed users
  Counters counters_;
};

}  // namespace crosspoint::sip
