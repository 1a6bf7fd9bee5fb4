#include "io/loop/socket_address.h"

#include <algorithm>
#include <cstring>

namespace crosspoint::loop {

socklen_t toKernel(const SocketAddress& address, KernelAddress& out) {
  const auto bytes = address.ip.bytes();
  if (address.ip.isV4()) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::memcpy(&out.v4.sin_addr, bytes.data(), bytes.size());
    return sizeof out.v4;
  }
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  std::memcpy(&out.v6.sin6_addr, bytes.data(), bytes.size());
  return sizeof out.v6;
}

std::optional<SocketAddress> fromKernel(const KernelAddress& address) {
  if (address.any.sa_family == AF_INET) {
    return SocketAddress{IpAddress::v4(ntohl(address.v4.sin_addr.s_addr)), ntohs(address.v4.sin_port)};
  }
  if (address.any.sa_family != AF_INET6) return std::nullopt;
  const auto port = ntohs(address.v6.sin6_port);
  const Bytes bytes(address.v6.sin6_addr.s6_addr, 16);
  if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
    return SocketAddress{IpAddress::v4(loadBigEndian<std::uint32_t>(bytes.data() + 12)), port};
  }
  return SocketAddress{IpAddress::v6(bytes), port};
}

std::optional<SocketAddress> boundAddress(int fd) {
  KernelAddress address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, &address.any, &size) != 0) return std::nullopt;
  return fromKernel(address);
}

}  // namespace crosspoint::loop
