// The forwarding half of the embedded server: a transaction-stateful, record-routing, forking proxy (RFC 3261 §16). It
// is told where to send; who may be called is decided before.
//
//   forward() ─> one branch per target ─> 1xx passed on ─> 2xx passed on, the other branches are cancelled
//                                                       └> every branch failed: the best answer is passed on (§16.7)
//   CANCEL, timer C ─> every branch is cancelled (as soon as it has given a provisional response)
//
// On the SIP thread only.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "io/sip/agent.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

// One place where a request may go.
struct Target {
  std::string requestUri;  // empty: as it is
  std::string nextHop;     // URI to send to, numeric
  std::string fallback;    // tried if `nextHop` cannot be reached (a TCP connection that is gone); may be empty
};

class Proxy {
 public:
  struct Config {
    std::size_t transactionsMax = 20'000;  // and twice as many with those that are answered and meet repetitions
    Duration t1{};
    Duration timerC{};
    SocketAddress self;  // in Record-Route
    std::string secret;  // makes our branches unguessable
  };

  Proxy(nta_agent_t* agent, TimerQueue& timers, Config config);
  ~Proxy();

  // Takes the request. `targets` is not empty. `mark` is what loopMark() gave for the request as it came in.
  void forward(MessagePointer request, const std::vector<Target>& targets, const std::string& mark);
  // An ACK for a 2xx: sent on once, without transaction.
  void forwardAck(MessagePointer request, const Target& target);
  // A response without transaction. A further 2xx to an INVITE is sent on, anything else dropped (§16.7 step 1,
  // §16.11).
  void forwardStray(MessagePointer response);

  // What a request is routed by, as a short text. A request that comes back with one of our marks in a Via, the same as
  // now, has gone in a circle (§16.3 step 4).
  std::string loopMark(const sip_t* request) const;
  bool isLoop(const sip_t* request, const std::string& mark) const;

  std::size_t size() const { return contexts_.size(); }
  bool full() const;

 private:
  struct Branch;
  struct Context;

  static int handleResponse(void* branch, nta_outgoing_t*, const sip_t* message);
  static int handleAckOrCancel(void* context, nta_incoming_t*, const sip_t* message);
  bool addBranch(Context& context, const Target& target);
  MessagePointer copyFor(msg_t* request, const Target& target);
  // `in` and `out`: the transports over which it came and goes.
  void addRecordRoute(msg_t* message, const std::string& in, const std::string& out);
  void handleFinal(Context& context, Branch& branch, const sip_t* message);
  void handleAnswer(Context& context);
  void cancelBranches(Context& context);
  void cancelBranch(Context& context, Branch& branch);
  void pass(Context& context, MessagePointer response);
  void settle(Context& context);
  void finish(Context& context, int status);
  void forget(std::uint64_t id);

  nta_agent_t* agent_;
  TimerQueue& timers_;
  Config config_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Context>> contexts_;
};

}  // namespace crosspoint::sip
