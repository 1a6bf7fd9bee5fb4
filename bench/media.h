// The load program's media loop: sends every flow's packets at their times, receives everything, keeps the tally.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "bench/flow.h"
#include "io/loop/worker_loop.h"
#include "io/udp/udp_sockets.h"

namespace crosspoint::bench {

class Media final : public loop::WorkerLoop::Client {
 public:
  Media();

  udp::UdpSockets& sockets() { return sockets_; }
  SocketId open() { return sockets_.open({IpAddress::v4(0x7f000001), 0}, udp::Traffic::Call).value(); }
  // What arrives on the flow's sockets goes to it from now on; it sends when run() says so.
  Flow& add(Flow flow);
  // Runs the loop on this thread for this long. `sending`: packets flow, spread evenly over 20 ms.
  void run(Duration time, bool sending);
  // Runs until `done` says so; false if `limit` passed first.
  bool runUntil(Duration limit, const std::function<bool()>& done);
  // Called at every wake-up: timers of the pages' peers, mailboxes.
  std::function<void(TimePoint)> tick;

  Tally& tally() { return tally_; }  // of both directions

 private:
  void receive(TimePoint now, std::span<Datagram> batch);
  void sendDue(TimePoint now);
  void sendFromPage(Flow& flow);
  void sendFromFarEnd(Flow& flow);
  std::uint32_t write(MutableBytes buffer, const Flow& flow, std::uint32_t ssrc) const;
  void count(TimePoint now, Bytes packet);
  Duration turn(std::uint64_t number) const;
  void handleReady(TimePoint now, std::uint32_t key) override { sockets_.handleReady(now, SocketId{key}); }
  void handleWakeUp(TimePoint now) override;
  std::optional<TimePoint> nextTimeout() const override;

  loop::WorkerLoop loop_;
  udp::UdpSockets sockets_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::vector<std::uint32_t> bySocket_;  // flow index * 2, + 1 for the far end; kNone
  bool sending_ = false;
  TimePoint began_{}, ends_{};
  std::uint64_t turns_ = 0;  // to send, taken since `began_`
  const std::function<bool()>* done_ = nullptr;
  Tally tally_;
};

}  // namespace crosspoint::bench
