// One call's media as the load program drives it: a page's end with SRTP and a far end with plain RTP, both on
// loopback. Every packet carries the time when it was sent, so that what arrives tells loss and delay.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "base/datagram.h"
#include "core/srtp/context.h"
#include "peer/peer.h"

namespace crosspoint::bench {

inline constexpr std::size_t kPayloadBytes = 160;  // 20 ms of G.711
inline constexpr Duration kPacketTime = std::chrono::milliseconds(20);

// What protects and unprotects at the page's end: a whole WebRTC peer (the gateway), or just keys (the floor).
class PageEnd {
 public:
  virtual ~PageEnd() = default;
  virtual bool protect(Datagram& datagram) = 0;                 // also sets `remote`
  virtual bool receive(TimePoint now, Datagram& datagram) = 0;  // true: plain RTP is left
};

struct Tally {
  std::uint64_t sent = 0, received = 0;
  std::vector<std::uint32_t> delays;  // microseconds, of the first packets
};

struct Flow {
  std::unique_ptr<PageEnd> page;
  SocketId pageSocket = kNoSocket;
  SocketId farSocket = kNoSocket;
  SocketAddress farTarget;  // where the far end sends
  std::uint32_t pageSsrc = 0, farSsrc = 0;
  std::uint16_t sequence = 0;  // of both ends
  std::uint32_t timestamp = 0;
};

}  // namespace crosspoint::bench
