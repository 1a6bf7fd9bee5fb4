// The client transactions of a SipTransport: requests of the core on their way, and what comes back for them.
//
//   send() ──> nta transaction ──> ResponseReceived (1xx)* ──> ResponseReceived (final)      forgotten at once
//                                                         └─> ResponseReceived (2xx to INVITE) … again for each further
//                                                             2xx until 64*T1 have passed     forgotten then
//                                                         └─> TransactionFailed               forgotten at once
//
// On the SIP thread only.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/sip/message.h"
#include "io/sip/agent.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

class ClientSide {
 public:
  struct Config {
    std::string userAgent;
    std::vector<std::string> resolvableHosts;
    std::size_t transactionsMax = 0;
    Duration t1{};
    Duration inviteMax{};
    bool udp = true;
  };
  struct Counters {
    std::uint64_t failed = 0, unknown = 0;
  };
  using Deliver = std::function<void(unsigned worker, Incoming&&)>;

  ClientSide(nta_agent_t* agent, TimerQueue& timers, Config config, Deliver deliver);
  ~ClientSide();

  void send(unsigned worker, SendRequest&& message);
  void send(const SendAck& message);
  void cancel(unsigned worker, const CancelRequest& message);
  // A response that nta has no transaction for: perhaps a further 2xx.
  void handleStray(const sip_t* message);

  std::size_t size() const { return transactions_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Transaction;
  using Key = std::pair<unsigned, ClientTransactionId>;

  static int handleResponse(void* transaction, nta_outgoing_t* outgoing, const sip_t* message);
  void handle(Transaction& transaction, const sip_t* message);
  void handUp(Transaction& transaction, Response&& response);
  void sendCancelNow(Transaction& transaction);
  // The key by value: what holds it goes.
  void fail(Key key, TransactionFailed::Cause cause);
  void forget(Key key);
  nta_outgoing_t* create(Transaction& transaction, const Request& request);
  // The URI to send to as sofia-sip reads it; nothing for one that must not be asked for in the DNS.
  url_t* routeUrl(su_home_t* home, const Uri& destination) const;

  nta_agent_t* agent_;
  TimerQueue& timers_;
  Config config_;
  Deliver deliver_;
  Counters counters_;
  std::map<Key, std::unique_ptr<Transaction>> transactions_;
  std::unordered_map<std::string, Transaction*> invitesByBranch_;
};

}  // namespace crosspoint::sip
