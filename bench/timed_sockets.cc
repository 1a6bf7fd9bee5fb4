#include "bench/timed_sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "io/loop/clock.h"
#include "io/loop/socket_address.h"

namespace crosspoint::bench {
namespace {

void check(bool done, const char* what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

WallTime receivedAt(msghdr& header) {
  const auto* control = CMSG_FIRSTHDR(&header);
  if (control == nullptr || control->cmsg_type != SCM_TIMESTAMPNS) return loop::wallNow();
  timespec stamp;
  std::memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
  return WallTime(std::chrono::seconds(stamp.tv_sec) + std::chrono::nanoseconds(stamp.tv_nsec));
}

}  // namespace

TimedSockets::TimedSockets() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { check(static_cast<bool>(epoll_), "epoll"); }

SocketId TimedSockets::open() {
  loop::FileDescriptor fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(fd), "socket");
  loop::KernelAddress address{};
  const auto size = loop::toKernel({IpAddress::v4(0x7f000001), 0}, address);
  check(::bind(fd.get(), &address.any, size) == 0, "bind");
  const int yes = 1;
  check(::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes) == 0, "SO_TIMESTAMPNS");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = sockets_.size()}};
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0, "epoll_ctl");
  const auto bound = loop::boundAddress(fd.get()).value();
  sockets_.push_back({std::move(fd), bound});
  return SocketId{static_cast<std::uint32_t>(sockets_.size() - 1)};
}

void TimedSockets::send(SocketId from, const SocketAddress& to, Bytes bytes) {
  loop::KernelAddress address{};
  const auto size = loop::toKernel(to, address);
  const int fd = sockets_[static_cast<std::size_t>(from)].fd.get();
  ::sendto(fd, bytes.data(), bytes.size(), MSG_DONTWAIT, &address.any, size);
}

void TimedSockets::receive(const std::function<void(WallTime, Datagram&)>& take) {
  std::array<epoll_event, 512> ready;
  const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    receiveOn(static_cast<std::uint32_t>(ready[static_cast<std::size_t>(i)].data.u64), take);
  }
}

void TimedSockets::receiveOn(std::uint32_t index, const std::function<void(WallTime, Datagram&)>& take) {
  loop::KernelAddress address{};
  alignas(cmsghdr) std::array<char, 64> control;
  iovec vector{.iov_base = buffer_.data(), .iov_len = kDatagramBytesMax};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = sizeof address;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const auto size = ::recvmsg(sockets_[index].fd.get(), &header, MSG_DONTWAIT);
  const auto remote = loop::fromKernel(address);
  if (size < 0 || !remote) return;
  Datagram datagram{.socket = SocketId{index},
                    .remote = *remote,
                    .data = buffer_.data(),
                    .size = static_cast<std::uint32_t>(size),
                    .capacity = kDatagramCapacity};
  take(receivedAt(header), datagram);
}

}  // namespace crosspoint::bench
