// Our addresses as the kernel wants them, and back.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "base/address.h"

namespace crosspoint::loop {

union KernelAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// The number of bytes of `out` that count.
socklen_t toKernel(const SocketAddress& address, KernelAddress& out);
// Nothing for another family than IPv4 and IPv6. An IPv4-mapped IPv6 address becomes the IPv4 one.
std::optional<SocketAddress> fromKernel(const KernelAddress& address);
// Where a socket is bound.
std::optional<SocketAddress> boundAddress(int fd);

}  // namespace crosspoint::loop
