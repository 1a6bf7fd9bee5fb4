// The client transactions of a SipTransport: requests of the core on their way, and what comes back for them.
//
//   send() ──> hops ──> nta transaction ──> ResponseReceived (1xx)* ──> ResponseReceived (final)      forgotten at once
//                ^          │                                      └─> ResponseReceived (2xx to INVITE) … again for
//                each └──────────┘                                          further 2xx until 64*T1 have passed
//                forgotten then
//             cannot be reached, silent                            └─> TransactionFailed               forgotten at
//             once for `hopTimeout`, or 503
//
// Where a name leads to several hops (RFC 3263 §4.3) the next one is tried as long as nothing but a 503 has been heard;
// each try is a transaction of its own with the same request. The last hop gets what is left of 64*T1. A hop that
// failed stands behind the others for a while.
//
// On the SIP thread only.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/sip/message.h"
#include "io/sip/agent.h"
#include "io/sip/locator.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

class ClientSide {
 public:
  struct Config {
    std::string userAgent;
    std::optional<Uri> server;  // where a request goes whose destination names a host that is not ours to ask for
    std::size_t transactionsMax = 0;
    Duration t1{};
    Duration inviteMax{};
    Duration hopTimeout{};
    Duration unavailableMax = std::chrono::minutes(5);  // of a 503's Retry-After
  };
  // What is known of the latest failure to reach an address, for people ("certificate has expired"); may be empty.
  using Explain = std::function<std::string(bool tls)>;
  struct Counters {
    std::uint64_t failed = 0, unknown = 0;
    std::uint64_t failovers = 0;  // a further hop was tried
  };
  using Deliver = std::function<void(unsigned worker, Incoming&&)>;

  // `timers` and `locator` must outlive this object.
  ClientSide(nta_agent_t* agent, TimerQueue& timers, Locator& locator, Config config, Explain explain, Deliver deliver);
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
  void handleUnreached(Transaction& transaction, TransactionFailed::Cause cause);
  // True: the answer is none, another hop is tried.
  bool goesElsewhere(Transaction& transaction, const Response& response);
  void sendCancelNow(Transaction& transaction);
  // The key by value: what holds it goes.
  void fail(Key key, TransactionFailed::Cause cause, std::string reason = {});
  void forget(Key key);

  void locate(const Uri& destination, Locator::Found found);
  // Goes on with the next hop, or fails.
  void tryNext(Key key, TransactionFailed::Cause cause, std::string reason);
  bool start(Transaction& transaction);
  void giveHopUp(Transaction& transaction, Duration avoidFor);
  bool isLastHop(const Transaction& transaction) const;
  void armHopTimer(Transaction& transaction);
  // sofia-sip forgets to say when a TLS handshake has failed: it just closes. Looked for while somebody waits.
  void armTlsLook();
  void lookForLostTls();
  bool hasConnection(const Hop& hop) const;
  nta_outgoing_t* create(Transaction& transaction, const Request& request);

  nta_agent_t* agent_;
  TimerQueue& timers_;
  Locator& locator_;
  Config config_;
  Explain explain_;
  Deliver deliver_;
  Counters counters_;
  std::map<Key, std::unique_ptr<Transaction>> transactions_;
  std::set<Key> silentOverTls_;  // nothing was heard yet
  TimerQueue::Id tlsLook_ = TimerQueue::Id::None;
  std::unordered_map<std::string, Transaction*> invitesByBranch_;  // several of one INVITE, if it tried several hops
};

}  // namespace crosspoint::sip
