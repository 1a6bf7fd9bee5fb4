#include "io/sip/server/media_port.h"

#include <sys/socket.h>

#include "base/datagram.h"
#include "io/loop/socket_address.h"

namespace crosspoint::sip {
namespace {

constexpr int kTries = 50;     // for two neighbouring free ports
constexpr int kBurstMax = 32;  // datagrams read in one go, so that media does not hold up signalling

}  // namespace

std::unique_ptr<MediaPort> MediaPort::open(su_root_t* root, const IpAddress& address, Receive receive) {
  std::unique_ptr<MediaPort> port(new MediaPort(root, std::move(receive)));
  for (int i = 0; i < kTries; ++i) {
    if (port->bindPair(address)) return port->registerBoth() ? std::move(port) : nullptr;
  }
  return nullptr;
}

MediaPort::~MediaPort() {
  if (rtpIndex_ >= 0) su_root_deregister(root_, rtpIndex_);
  if (rtcpIndex_ >= 0) su_root_deregister(root_, rtcpIndex_);
}

bool MediaPort::bindPair(const IpAddress& address) {
  const auto bindTo = [&](loop::FileDescriptor& socket, std::uint16_t port) {
    socket = loop::FileDescriptor(
        ::socket(address.isV6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    loop::KernelAddress wanted;
    const socklen_t size = loop::toKernel({address, port}, wanted);
    return socket && ::bind(socket.get(), &wanted.any, size) == 0;
  };
  if (!bindTo(rtp_, 0)) return false;
  rtpPort_ = loop::boundAddress(rtp_.get()).value_or(SocketAddress()).port;
  return rtpPort_ % 2 == 0 && rtpPort_ > 0 && bindTo(rtcp_, static_cast<std::uint16_t>(rtpPort_ + 1));
}

bool MediaPort::registerBoth() {
  su_wait_t rtp[1] = {}, rtcp[1] = {};
  if (su_wait_create(rtp, rtp_.get(), SU_WAIT_IN) != 0 || su_wait_create(rtcp, rtcp_.get(), SU_WAIT_IN) != 0)
    return false;
  rtpIndex_ = su_root_register(root_, rtp, &MediaPort::rtpReady, this, 0);
  rtcpIndex_ = su_root_register(root_, rtcp, &MediaPort::rtcpReady, this, 0);
  return rtpIndex_ >= 0 && rtcpIndex_ >= 0;
}

int MediaPort::rtpReady(void*, su_wait_t*, void* self) {
  static_cast<MediaPort*>(self)->readAll(MediaSocket::Rtp);
  return 0;
}

int MediaPort::rtcpReady(void*, su_wait_t*, void* self) {
  static_cast<MediaPort*>(self)->readAll(MediaSocket::Rtcp);
  return 0;
}

void MediaPort::readAll(MediaSocket socket) {
  const int descriptor = socket == MediaSocket::Rtp ? rtp_.get() : rtcp_.get();
  std::array<std::uint8_t, kDatagramBytesMax> buffer;
  for (int i = 0; i < kBurstMax; ++i) {
    loop::KernelAddress from;
    socklen_t fromSize = sizeof from;
    const auto size = ::recvfrom(descriptor, buffer.data(), buffer.size(), 0, &from.any, &fromSize);
    // An ICMP error of an earlier datagram is reported here once; the next turn reads on.
    if (size < 0) return;
    const auto source = loop::fromKernel(from);
    if (source) receive_(socket, MutableBytes(buffer).first(static_cast<std::size_t>(size)), *source);
  }
}

void MediaPort::send(MediaSocket socket, const SocketAddress& to, Bytes datagram) {
  loop::KernelAddress address;
  const socklen_t size = loop::toKernel(to, address);
  const int descriptor = socket == MediaSocket::Rtp ? rtp_.get() : rtcp_.get();
  // What the kernel has no room for is lost, as on any network.
  ::sendto(descriptor, datagram.data(), datagram.size(), MSG_DONTWAIT, &address.any, size);
}

}  // namespace crosspoint::sip
