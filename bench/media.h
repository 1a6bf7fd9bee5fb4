// The load program's media loop: sends every flow's packets at their times, receives everything, keeps the tally.
//
// It looks every 100 us and sleeps in between, whatever has come: see timed_sockets.h.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "bench/flow.h"
#include "bench/timed_sockets.h"

namespace crosspoint::bench {

class Media {
 public:
  Media();

  TimedSockets& sockets() { return sockets_; }
  // What arrives on the flow's sockets goes to it from now on; it sends when run() says so.
  Flow& add(Flow flow);
  // Runs for this long on this thread. `sending`: packets flow, spread evenly over 20 ms.
  void run(Duration time, bool sending);
  // Runs until `done` says so; false if `limit` passed first.
  bool runUntil(Duration limit, const std::function<bool()>& done);
  // Called every time: timers of the pages' peers, mailboxes.
  std::function<void(TimePoint)> tick;

  Tally& tally() { return tally_; }  // of both directions

 private:
  void step(TimePoint now, bool sending);
  void receive(TimePoint now, WallTime received, Datagram& datagram);
  void count(WallTime received, Bytes packet);
  void sendFromPage(Flow& flow);
  void sendFromFarEnd(Flow& flow);
  Duration turn(std::uint64_t number) const;

  TimedSockets sockets_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::vector<std::uint32_t> bySocket_;  // flow index * 2, + 1 for the far end; kNone
  TimePoint began_{};
  std::uint64_t turns_ = 0;  // to send, taken since `began_`
  Tally tally_;
};

}  // namespace crosspoint::bench
