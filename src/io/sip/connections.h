// What sofia-sip leaves open: TCP connections that others made to our listening addresses.
//
// Behind something that is no SIP message sofia-sip stops reading a connection, and so never learns that the far end
// has closed it: its descriptor would be held until the idle time is over. And it accepts for as long as there are
// descriptors. A look every `interval` finds both. Shutting the socket down is all that is done to it: epoll then
// reports it as hung up, and sofia-sip closes it. And it reads all that has arrived on a connection at once, at a cost
// that grows with its square: what is accepted from here on has a small receive buffer.
//
// On the SIP thread, which alone closes these sockets: a descriptor that was looked at is still the same one.
#pragma once
#include <cstdint>
#include <vector>

#include "base/address.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

class Connections {
 public:
  struct Config {
    std::vector<SocketAddress> listening;
    std::size_t max = 2'000;  // losers: those that have sent nothing, then those silent for longest
    Duration interval = std::chrono::seconds(2);
  };

  // `timers` must outlive this object.
  Connections(TimerQueue& timers, const Config& config);
  ~Connections() { timers_.cancel(next_); }
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

 private:
  void look();

  TimerQueue& timers_;
  const Config config_;
  TimerQueue::Id next_ = TimerQueue::Id::None;
};

}  // namespace crosspoint::sip
