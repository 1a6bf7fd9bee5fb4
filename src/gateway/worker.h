// One media worker: a thread with its loop, its UDP sockets, its RTP ports and its bridge. Others talk to it by mailbox
// only.
//
//   auto worker = Worker::open({.number = 0, …}, control);        // binds the ICE socket
//   (*worker)->start(bridgeConfig, log, dtls, sendSip);           // from here on it runs
//   (*worker)->postPage(bridge::PageRequest{...});                // any thread
//   (*worker)->stop();                                            // joins
#pragma once
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "bridge/bridge.h"
#include "io/loop/mailbox.h"
#include "io/loop/system_random.h"
#include "io/loop/worker_loop.h"
#include "io/udp/udp_sockets.h"

namespace crosspoint::gateway {

// ---- to a worker ----
struct PageClosed {  // the client went away, before the reply or while it was written
  bridge::RequestId request{};
};
struct PageDelivered {
  bridge::RequestId request{};
};
struct CountersWanted {
  std::uint64_t query = 0;
};
struct ShutDown {};  // end every call and registration, then say WorkerIdle
using WorkerInput = std::variant<bridge::PageRequest, PageClosed, PageDelivered, CountersWanted, ShutDown>;

// ---- from a worker to the control thread ----
struct CountersReport {
  std::uint64_t query = 0;
  bridge::Counters counters;
};
struct WorkerIdle {
  unsigned worker = 0;
};
using WorkerOutput = std::variant<bridge::PageReply, CountersReport, WorkerIdle>;
using ControlMailbox = loop::Mailbox<WorkerOutput>;

class Worker final : private loop::WorkerLoop::Client, private bridge::RtpPorts {
 public:
  struct Config {
    unsigned number = 0;
    IpAddress address;        // bound, for ICE and for RTP
    IpAddress publicAddress;  // told to others
    std::uint16_t icePort = 0;
    std::uint16_t rtpPortMin = 0, rtpPortMax = 0;
    Duration nap{0};
    std::size_t socketsMax = 9'000;
    std::size_t pageMailboxMax = 100'000;
    std::size_t sipMailboxMax = 65'536;
  };
  using SendSip = std::function<bool(sip::Outgoing&&)>;  // false: not sent, and nothing will be heard of it

  // One sentence if the ICE socket cannot be bound.
  static std::expected<std::unique_ptr<Worker>, std::string> open(const Config& config, ControlMailbox& control);
  Worker(const Config& config, ControlMailbox& control);
  ~Worker() override;  // stops

  // `config.worker` and `config.iceSockets` are filled in here. The others must outlive the worker.
  void start(bridge::Config config, Log& log, const dtls::Context& dtls, SendSip sendSip);
  void stop();

  // Any thread, before start() as well. False: no room, it is lost.
  bool postPage(WorkerInput&& input) { return pages_.post(std::move(input)); }
  // What a client may send without waiting for an answer. It never takes the room of what must arrive.
  bool postFrame(bridge::SocketMessage&& message) {
    return pages_.post(bridge::PageRequest(std::move(message)), config_.pageMailboxMax / 2);
  }
  bool postSip(sip::Incoming&& incoming) { return sip_.post(std::move(incoming)); }

  // Any thread.
  const udp::UdpCounters& udpCounters() const { return sockets_.counters(); }
  std::uint64_t wakeUps() const { return loop_.wakeUps(); }
  std::uint64_t refusedPosts() const { return pages_.refused() + sip_.refused(); }
  SocketAddress iceAddress() const { return sockets_.address(iceSocket_); }

 private:
  void handleReady(TimePoint now, std::uint32_t key) override;
  void handleWakeUp(TimePoint now) override;
  std::optional<TimePoint> nextTimeout() const override;
  std::optional<bridge::RtpPortPair> open() override;
  void close(const bridge::RtpPortPair& pair) override;

  void handleMailboxes(TimePoint now);
  void handleInput(TimePoint now, WorkerInput&& input);
  void drainBridge(TimePoint now);
  void sendSip(TimePoint now, sip::Outgoing&& message);

  const Config config_;
  ControlMailbox& control_;
  loop::WorkerLoop loop_;
  udp::UdpSockets sockets_;
  loop::Mailbox<WorkerInput> pages_;
  loop::Mailbox<sip::Incoming> sip_;
  SocketId iceSocket_ = kNoSocket;

  loop::SystemRandom random_;
  SendSip sendSip_;
  std::unique_ptr<bridge::Bridge> bridge_;
  std::vector<WorkerInput> takenPages_;
  std::vector<sip::Incoming> takenSip_;
  bool shuttingDown_ = false, saidIdle_ = false;
  std::thread thread_;
};

}  // namespace crosspoint::gateway
