#include "io/udp/udp_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "io/loop/socket_address.h"

namespace crosspoint::udp {
namespace {

constexpr unsigned kSystemPairTries = 200;

std::error_code lastError() { return {errno, std::generic_category()}; }

void addTo(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
  // Only this thread writes: no locked instruction is needed.
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

std::expected<loop::FileDescriptor, std::error_code> bindSocket(const SocketAddress& address, int bufferBytes) {
  const int family = address.ip.isV4() ? AF_INET : AF_INET6;
  loop::FileDescriptor fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(lastError());
  if (family == AF_INET6) {
    const int only = 1;
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &bufferBytes, sizeof bufferBytes);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &bufferBytes, sizeof bufferBytes);
  loop::KernelAddress kernel{};
  const auto size = loop::toKernel(address, kernel);
  if (::bind(fd.get(), &kernel.any, size) != 0) return std::unexpected(lastError());
  return fd;
}

}  // namespace

struct UdpSockets::Arrays {
  struct Message {
    loop::KernelAddress address;
    iovec vector;
  };

  Arrays(std::size_t batch, std::size_t outMax)
      : buffers(new std::uint8_t[batch * kDatagramCapacity]),
        inHeaders(batch),
        inMessages(batch),
        datagrams(batch),
        copies(new std::uint8_t[outMax * kDatagramCapacity]),
        outHeaders(outMax),
        outMessages(outMax),
        nextOut(outMax),
        run(outMax) {
    for (std::size_t i = 0; i < batch; ++i) {
      inMessages[i].vector = {.iov_base = buffer(i), .iov_len = kDatagramBytesMax};
      wire(inHeaders[i], inMessages[i]);
    }
    for (std::size_t i = 0; i < outMax; ++i) wire(outHeaders[i], outMessages[i]);
  }
  static void wire(mmsghdr& header, Message& message) {
    header.msg_hdr.msg_name = &message.address;
    header.msg_hdr.msg_namelen = sizeof(loop::KernelAddress);
    header.msg_hdr.msg_iov = &message.vector;
    header.msg_hdr.msg_iovlen = 1;
  }
  std::uint8_t* buffer(std::size_t index) { return buffers.get() + index * kDatagramCapacity; }
  std::uint8_t* copy(std::size_t index) { return copies.get() + index * kDatagramCapacity; }
  bool isOurs(const std::uint8_t* data, std::size_t size) const {
    const auto* begin = buffers.get();
    const auto* end = begin + datagrams.size() * kDatagramCapacity;
    return !std::less<>{}(data, begin) && !std::less<>{}(end, data + size);
  }

  std::unique_ptr<std::uint8_t[]> buffers;
  std::vector<mmsghdr> inHeaders;
  std::vector<Message> inMessages;
  std::vector<Datagram> datagrams;
  std::unique_ptr<std::uint8_t[]> copies;
  std::vector<mmsghdr> outHeaders;
  std::vector<Message> outMessages;
  std::vector<std::uint32_t> nextOut;  // of the same socket
  std::vector<mmsghdr> run;            // of one socket, side by side for sendmmsg
};

UdpSockets::UdpSockets(loop::WorkerLoop& loop, Config config)
    : loop_(loop), config_(config), arrays_(std::make_unique<Arrays>(config.batch, config.outMax)) {
  touched_.reserve(config.outMax);
}

UdpSockets::~UdpSockets() = default;

UdpSockets::Socket* UdpSockets::find(SocketId socket) {
  const auto index = static_cast<std::uint32_t>(socket);
  if (index >= sockets_.size() || !sockets_[index].fd || sockets_[index].closing) return nullptr;
  return &sockets_[index];
}

SocketId UdpSockets::adopt(loop::FileDescriptor fd, const SocketAddress& address, Traffic traffic) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(sockets_.size());
    sockets_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  sockets_[index] = Socket{.fd = std::move(fd), .address = address, .traffic = traffic};
  counters_.openSockets.store(++open_, std::memory_order_relaxed);
  return SocketId{index};
}

std::expected<SocketId, std::error_code> UdpSockets::open(const SocketAddress& bind, Traffic traffic) {
  if (open_ >= config_.socketsMax) return std::unexpected(std::make_error_code(std::errc::too_many_files_open));
  auto fd = bindSocket(bind, traffic == Traffic::Shared ? config_.sharedBufferBytes : config_.callBufferBytes);
  if (!fd) return std::unexpected(fd.error());
  const int number = fd->get();
  const auto bound = loop::boundAddress(number);
  if (!bound) return std::unexpected(lastError());
  const auto id = adopt(std::move(*fd), *bound, traffic);
  if (!loop_.add(number, static_cast<std::uint32_t>(id))) {
    const auto error = lastError();
    close(id);
    return std::unexpected(error);
  }
  return id;
}

std::expected<PortPair, std::error_code> UdpSockets::openPair(const IpAddress& address, std::uint16_t portMin,
                                                              std::uint16_t portMax) {
  if (portMin == 0) return openSystemPair(address);
  const unsigned first = portMin + portMin % 2U;
  const unsigned pairs = portMax > first ? (portMax - first + 1U) / 2U : 0;
  for (unsigned i = 0; i < pairs; ++i) {
    const auto port = static_cast<std::uint16_t>(first + 2 * ((nextPair_ + i) % pairs));
    auto pair = openPairAt(address, port);
    if (pair) {
      nextPair_ = (nextPair_ + i + 1) % pairs;
      return pair;
    }
    if (pair.error() != std::errc::address_in_use) return pair;
  }
  return std::unexpected(std::make_error_code(std::errc::address_in_use));
}

std::expected<PortPair, std::error_code> UdpSockets::openPairAt(const IpAddress& address, std::uint16_t rtpPort) {
  auto rtp = open({address, rtpPort}, Traffic::Call);
  if (!rtp) return std::unexpected(rtp.error());
  auto rtcp = open({address, static_cast<std::uint16_t>(rtpPort + 1)}, Traffic::Call);
  if (!rtcp) {
    close(*rtp);
    return std::unexpected(rtcp.error());
  }
  return PortPair{.rtp = *rtp, .rtcp = *rtcp};
}

// The system chooses one port of the pair, its neighbour is free or it is not. Chosen ones that did not fit stay open
// until the search ends, so that each is met once.
std::expected<PortPair, std::error_code> UdpSockets::openSystemPair(const IpAddress& address) {
  std::vector<SocketId> unfit;
  std::expected<PortPair, std::error_code> result = std::unexpected(std::make_error_code(std::errc::address_in_use));
  for (unsigned i = 0; i < kSystemPairTries; ++i) {
    const auto chosen = open({address, 0}, Traffic::Call);
    if (!chosen) {
      result = std::unexpected(chosen.error());
      break;
    }
    const auto port = this->address(*chosen).port;
    const auto other = open({address, static_cast<std::uint16_t>(port ^ 1U)}, Traffic::Call);
    if (other) {
      result = port % 2 == 0 ? PortPair{.rtp = *chosen, .rtcp = *other} : PortPair{.rtp = *other, .rtcp = *chosen};
      break;
    }
    unfit.push_back(*chosen);
    if (other.error() != std::errc::address_in_use) {
      result = std::unexpected(other.error());
      break;
    }
  }
  for (const auto socket : unfit) close(socket);
  return result;
}

void UdpSockets::close(SocketId socket) {
  if (auto* found = find(socket)) {
    found->closing = true;
    closing_.push_back(static_cast<std::uint32_t>(socket));
    counters_.openSockets.store(--open_, std::memory_order_relaxed);
  }
}

void UdpSockets::finishClosing() {
  for (const auto index : closing_) {
    sockets_[index] = {};
    free_.push_back(index);
  }
  closing_.clear();
}

SocketAddress UdpSockets::address(SocketId socket) const {
  const auto index = static_cast<std::uint32_t>(socket);
  if (index >= sockets_.size() || !sockets_[index].fd) return {};
  return sockets_[index].address;
}

// One more attempt that finds nothing costs about half of what a datagram costs, and a call's socket hardly ever has
// two waiting. So it is asked for one, and for more only while it is ready at every wake-up (a video frame).
std::size_t UdpSockets::readMax(Socket& socket) const {
  const std::size_t room = config_.batch - filled_;
  if (socket.traffic == Traffic::Shared) return room;
  const bool busy = socket.readRound + 1 == round_;
  socket.readMax = busy ? std::min(socket.readMax * 2, config_.batch) : 1;
  socket.readRound = round_;
  return std::min(room, socket.readMax);
}

// One system call: what is left unread is reported again. Datagrams longer than kDatagramBytesMax are cut by the kernel
// and dropped.
void UdpSockets::handleReady(TimePoint now, SocketId socket) {
  if (filled_ == config_.batch) deliver(now);
  auto* found = find(socket);
  if (!found) return;
  auto& arrays = *arrays_;
  const auto first = filled_;
  const int count = ::recvmmsg(found->fd.get(), arrays.inHeaders.data() + first, static_cast<unsigned>(readMax(*found)),
                               MSG_DONTWAIT, nullptr);
  if (count > 0) filled_ += static_cast<std::size_t>(count);
  for (int i = 0; i < count; ++i) {
    const auto at = first + static_cast<std::size_t>(i);
    const auto remote = loop::fromKernel(arrays.inMessages[at].address);
    arrays.inHeaders[at].msg_hdr.msg_namelen = sizeof(loop::KernelAddress);  // the kernel has written the real one
    if (!remote || (arrays.inHeaders[at].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      addTo(counters_.receivedTooLong, 1);
      continue;
    }
    arrays.datagrams[received_++] = {.socket = socket,
                                     .remote = *remote,
                                     .data = arrays.buffer(at),
                                     .size = arrays.inHeaders[at].msg_len,
                                     .capacity = kDatagramCapacity};
  }
}

void UdpSockets::deliver(TimePoint now) {
  if (received_ > 0) {
    addTo(counters_.received, received_);
    addTo(counters_.receivedBatches, 1);
    if (handler_) handler_(now, std::span(arrays_->datagrams).first(received_));
  }
  flush();
  received_ = filled_ = 0;
  ++round_;
}

void UdpSockets::forward(const Datagram& datagram) {
  if (!arrays_->isOurs(datagram.data, datagram.size)) {
    send(datagram.socket, datagram.remote, datagram.bytes());
    return;
  }
  queue(datagram.socket, datagram.remote, datagram.data, datagram.size);
}

void UdpSockets::send(SocketId from, const SocketAddress& to, Bytes bytes) {
  if (bytes.size() > kDatagramBytesMax) {
    addTo(counters_.outDropped, 1);
    return;
  }
  if (out_ == config_.outMax) sendQueued();
  std::uint8_t* copy = arrays_->copy(out_);
  std::copy(bytes.begin(), bytes.end(), copy);
  queue(from, to, copy, bytes.size());
}

void UdpSockets::queue(SocketId from, const SocketAddress& to, std::uint8_t* data, std::size_t size) {
  if (out_ == config_.outMax) sendQueued();
  auto* socket = find(from);
  if (!socket || size > kDatagramBytesMax || to.ip.isV4() != socket->address.ip.isV4()) {
    addTo(counters_.outDropped, 1);
    return;
  }
  auto& arrays = *arrays_;
  const auto index = static_cast<std::uint32_t>(out_++);
  auto& message = arrays.outMessages[index];
  message.vector = {.iov_base = data, .iov_len = size};
  arrays.outHeaders[index].msg_hdr.msg_namelen = loop::toKernel(to, message.address);
  arrays.nextOut[index] = kNone;
  if (socket->firstOut == kNone) {
    socket->firstOut = index;
    touched_.push_back(static_cast<std::uint32_t>(from));
  } else {
    arrays.nextOut[socket->lastOut] = index;
  }
  socket->lastOut = index;
}

void UdpSockets::flush() {
  sendQueued();
  finishClosing();
}

void UdpSockets::sendQueued() {
  for (const auto index : touched_) sendQueueOf(sockets_[index]);
  touched_.clear();
  out_ = 0;
}

// In the order of queueing. A datagram whose address the kernel refuses is skipped, those behind it still go.
void UdpSockets::sendQueueOf(Socket& socket) {
  auto& arrays = *arrays_;
  std::size_t count = 0;
  for (auto i = socket.firstOut; i != kNone; i = arrays.nextOut[i]) arrays.run[count++] = arrays.outHeaders[i];
  socket.firstOut = socket.lastOut = kNone;
  std::size_t done = 0, sent = 0;
  while (done < count) {
    const int taken =
        ::sendmmsg(socket.fd.get(), arrays.run.data() + done, static_cast<unsigned>(count - done), MSG_DONTWAIT);
    if (taken > 0) {
      done += static_cast<std::size_t>(taken);
      sent += static_cast<std::size_t>(taken);
    } else if (errno == EAGAIN) {
      break;  // the socket's send buffer is full
    } else if (errno != EINTR) {
      ++done;
    }
  }
  addTo(counters_.sent, sent);
  addTo(counters_.sendRefused, count - sent);
}

}  // namespace crosspoint::udp
