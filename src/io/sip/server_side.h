// The server transactions of a SipTransport: requests from the network, numbered and handed to a worker, and its
// responses.
//
//   request ──> RequestReceived ──> 1xx* ──> final response                       forgotten
//                    │                  └──> 2xx to INVITE ──> AckReceived        forgotten, or after 64*T1 without ACK
//                    └─ CancelReceived, while there is no final response
//
// On the SIP thread only.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/sip/message.h"
#include "io/sip/agent.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

class ServerSide {
 public:
  struct Config {
    std::string userAgent;
    std::size_t transactionsMax = 0;  // with those that are answered and still meet repetitions
    unsigned workers = 1;
    Duration t1{};
    Duration inviteMax{};
  };
  struct Counters {
    std::uint64_t malformed = 0, refused = 0, unknown = 0, strayAcks = 0;
    std::uint64_t strangers = 0;  // requests outside a dialog from where none is accepted
  };
  using Deliver = std::function<void(unsigned worker, Incoming&&)>;
  using Route = std::function<unsigned(const Request&)>;
  using MayStartADialog = std::function<bool(const IpAddress& source)>;

  ServerSide(nta_agent_t* agent, TimerQueue& timers, Config config, MayStartADialog mayStart, Route route,
             Deliver deliver);
  ~ServerSide();

  // A request that belongs to no transaction. Takes the message.
  void handleRequest(msg_t* message, const sip_t* sip);
  void send(unsigned worker, const SendResponse& message);

  std::size_t size() const { return transactions_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Transaction;

  static int handleAckOrCancel(void* transaction, nta_incoming_t* incoming, const sip_t* message);
  void accept(MessagePointer message, Request&& request, unsigned worker);
  void refuse(MessagePointer message, int status);
  void giveUp(std::uint64_t id);
  void forget(std::uint64_t id);

  nta_agent_t* agent_;
  TimerQueue& timers_;
  Config config_;
  MayStartADialog mayStart_;
  Route route_;
  Deliver deliver_;
  Counters counters_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Transaction>> transactions_;
};

}  // namespace crosspoint::sip
