// The load program's UDP sockets on loopback, each packet with the time at which the kernel received it, so that a
// delay does not depend on when the load program looks.
//
// Plain system calls and nothing of io/udp, which is under measurement. Nothing here sleeps: a relay that sends to
// somebody who sleeps on the socket pays for waking him up, and that is not a relay's work.
#pragma once
#include <array>
#include <functional>
#include <vector>

#include "base/datagram.h"
#include "base/time.h"
#include "io/loop/file_descriptor.h"

namespace crosspoint::bench {

class TimedSockets {
 public:
  TimedSockets();

  SocketId open();
  SocketAddress address(SocketId socket) const { return sockets_[static_cast<std::size_t>(socket)].address; }
  void send(SocketId from, const SocketAddress& to, Bytes bytes);
  // One datagram of every socket that has some.
  void receive(const std::function<void(WallTime received, Datagram& datagram)>& take);

 private:
  struct Socket {
    loop::FileDescriptor fd;
    SocketAddress address;
  };
  void receiveOn(std::uint32_t index, const std::function<void(WallTime, Datagram&)>& take);

  loop::FileDescriptor epoll_;
  std::vector<Socket> sockets_;  // by SocketId
  std::array<std::uint8_t, kDatagramCapacity> buffer_;
};

}  // namespace crosspoint::bench
