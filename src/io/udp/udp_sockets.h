// All UDP sockets of one worker: received in batches into one reused array of buffers, sent in batches from it.
//
//   handleReady(socket)   reads into the buffers; when they are all full, or at
//   deliver(now)          hands the batch to the engine, then
//   flush()               sends what forward() and send() have queued, and closes what close() has named.
//
// Nothing here allocates per packet. One thread (the worker's) calls everything, or any thread before the loop runs.
// What the kernel refuses to send is counted and dropped: UDP promises nothing.
#pragma once
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "base/datagram.h"
#include "base/time.h"
#include "io/loop/file_descriptor.h"
#include "io/loop/worker_loop.h"

namespace crosspoint::udp {

// What a socket is for decides how much the kernel holds for it.
enum class Traffic : std::uint8_t {
  Shared,  // many peers (ICE)
  Call,    // one peer (RTP or RTCP of a call)
};

struct PortPair {
  SocketId rtp = kNoSocket;   // even port
  SocketId rtcp = kNoSocket;  // the port above
};

// Written by the worker, readable from any thread.
struct UdpCounters {
  std::atomic<std::uint64_t> received{0}, receivedBatches{0}, receivedTooLong{0};
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> sendRefused{0};  // EAGAIN, ENOBUFS, ECONNREFUSED, ENETUNREACH, …
  std::atomic<std::uint64_t> outDropped{0};   // no room in the out batch, an unknown socket, or a datagram too long
  std::atomic<std::uint64_t> openSockets{0};  // gauge
};

class UdpSockets final : public DatagramSink {
 public:
  using Handler = std::function<void(TimePoint now, std::span<Datagram> batch)>;

  struct Config {
    std::size_t socketsMax = 9'000;
    std::size_t batch = 128;                  // received datagrams per batch
    std::size_t outMax = 512;                 // queued datagrams; a full queue is sent at once
    int sharedBufferBytes = 4 * 1024 * 1024;  // SO_RCVBUF and SO_SNDBUF; the kernel may give less
    int callBufferBytes = 128 * 1024;
  };

  // `loop` must outlive this object. Sockets are added to it with their SocketId as key.
  UdpSockets(loop::WorkerLoop& loop, Config config);
  ~UdpSockets() override;

  void setHandler(Handler handler) { handler_ = std::move(handler); }

  // Port 0: the system chooses.
  std::expected<SocketId, std::error_code> open(const SocketAddress& bind, Traffic traffic);
  // An even port in portMin … portMax and the odd one above it. portMin 0: the system chooses.
  std::expected<PortPair, std::error_code> openPair(const IpAddress& address, std::uint16_t portMin,
                                                    std::uint16_t portMax);
  // What was queued on it is still sent; its number is not used again before the next flush(). Unknown numbers are
  // ignored.
  void close(SocketId socket);
  // Where it is bound; port 0 if there is no such socket.
  SocketAddress address(SocketId socket) const;
  std::size_t openSockets() const { return open_; }

  // From WorkerLoop::Client::handleReady.
  void handleReady(TimePoint now, SocketId socket);
  // Hands what was received to the handler and flushes. Call it at the end of every wake-up.
  void deliver(TimePoint now);
  // Sends everything that is queued. For outputs made outside of a batch (timers, mailbox).
  void flush();

  void forward(const Datagram& datagram) override;
  void send(SocketId from, const SocketAddress& to, Bytes bytes) override;

  const UdpCounters& counters() const { return counters_; }

 private:
  struct Socket {
    loop::FileDescriptor fd;
    SocketAddress address;
    bool closing = false;
    Traffic traffic = Traffic::Shared;
    std::uint32_t firstOut = kNone, lastOut = kNone;  // its part of the out queue, by index
    std::uint32_t readRound = 0;                      // when it was read last
    std::size_t readMax = 1;                          // how many it was asked for then
  };
  struct Arrays;  // the kernel's message headers, addresses and vectors, and the buffers
  static constexpr std::uint32_t kNone = 0xffffffff;

  Socket* find(SocketId socket);
  SocketId adopt(loop::FileDescriptor fd, const SocketAddress& address, Traffic traffic);
  std::size_t readMax(Socket& socket) const;
  std::expected<PortPair, std::error_code> openPairAt(const IpAddress& address, std::uint16_t rtpPort);
  std::expected<PortPair, std::error_code> openSystemPair(const IpAddress& address);
  void queue(SocketId from, const SocketAddress& to, std::uint8_t* data, std::size_t size);
  void sendQueued();
  void sendQueueOf(Socket& socket);
  void finishClosing();

  loop::WorkerLoop& loop_;
  const Config config_;
  Handler handler_;
  std::vector<Socket> sockets_;         // by SocketId
  std::vector<std::uint32_t> free_;     // numbers that can be used again
  std::vector<std::uint32_t> closing_;  // numbers to be closed by the next flush
  std::vector<std::uint32_t> touched_;  // numbers with something in the out queue
  std::size_t open_ = 0;
  std::unique_ptr<Arrays> arrays_;
  std::size_t filled_ = 0;    // buffers used since the last deliver()
  std::size_t received_ = 0;  // datagrams waiting for deliver()
  std::size_t out_ = 0;       // datagrams waiting for flush()
  std::uint32_t round_ = 2;   // counts wake-ups
  unsigned nextPair_ = 0;     // where the search for a free pair goes on
  UdpCounters counters_;
};

}  // namespace crosspoint::udp
