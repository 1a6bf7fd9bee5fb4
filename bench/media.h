// The load program's media loop: sends every flow's packets at their times, receives everything, keeps the tally.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
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
  // Takes the flow up; it begins to send when start() is called.
  void add(Flow flow);
  std::size_t size() const { return flows_.size(); }
  // Runs the loop on this thread for this long. `sending`: packets flow, spread evenly over 20 ms.
  void run(Duration time, bool sending);
  // Runs until `done` says so; false if `limit` passed first.
  bool runUntil(Duration limit, const std::function<bool()>& done);
  // Called at every wake-up: timers of the pages' peers, mailboxes.
  std::function<void(TimePoint)> tick;

  Tally& toFarEnd() { return toFarEnd_; }
  Tally& toPage() { return toPage_; }
  void clearTallies() { toFarEnd_ = {}, toPage_ = {}; }

 private:
  void receive(TimePoint now, std::span<Datagram> batch);
  void send(TimePoint now, Flow& flow);
  static void count(TimePoint now, Tally& tally, Bytes packet);
  void handleReady(TimePoint now, std::uint32_t key) override { sockets_.handleReady(now, SocketId{key}); }
  void handleWakeUp(TimePoint now) override;
  std::optional<TimePoint> nextTimeout() const override;

  loop::WorkerLoop loop_;
  udp::UdpSockets sockets_;
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> bySocket_;  // flow index * 2, + 1 for the far end; kNone
  bool sending_ = false;
  std::size_t nextFlow_ = 0;  // flows send in a ring, in the order of their phases
  TimePoint ends_{};
  const std::function<bool()>* done_ = nullptr;
  Tally toFarEnd_, toPage_;
};

}  // namespace crosspoint::bench
