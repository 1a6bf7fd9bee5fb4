#include "io/sip/connections.h"

#include <dirent.h>
#include <linux/tcp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "io/loop/socket_address.h"

namespace crosspoint::sip {
namespace {

constexpr std::uint8_t kCloseWait = 8;  // TCP_CLOSE_WAIT of the kernel's tcp_states.h: the far end has closed
constexpr std::uint8_t kListen = 10;

// sofia-sip takes what has arrived on a connection at once, and keeps with each message a copy of all that came behind
// it: a megabyte of small requests would cost it a gigabyte. So no more than this arrives at once (the kernel doubles
// it, for its own needs).
constexpr int kReceiveBytes = 16 * 1024;

struct Connection {
  int fd = -1;
  bool farEndClosed = false;
  bool saidNothing = false;
  std::uint32_t silentMilliseconds = 0;
};

// Whether it is one of ours, listening or accepted.
std::optional<tcp_info> ownSocket(const std::vector<SocketAddress>& listening, int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  const auto local = loop::boundAddress(fd);
  const auto isOurs = [&](const SocketAddress& ours) {
    return local->port == ours.port && (ours.ip.isUnspecified() || local->ip == ours.ip);
  };
  if (!local || std::ranges::none_of(listening, isOurs)) return std::nullopt;
  return info;
}

Connection connectionOf(int fd, const tcp_info& info) {
  return Connection{.fd = fd,
                    .farEndClosed = info.tcpi_state == kCloseWait,
                    .saidNothing = info.tcpi_bytes_received == 0,
                    .silentMilliseconds = info.tcpi_last_data_recv};
}

template <typename Visit>
void visitOwnSockets(const std::vector<SocketAddress>& listening, Visit visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"),
                                                   [](DIR* open) { return ::closedir(open); });
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (const auto info = ownSocket(listening, fd)) visit(fd, *info);
  }
}

}  // namespace

Connections::Connections(TimerQueue& timers, const Config& config) : timers_(timers), config_(config) {
  visitOwnSockets(config_.listening, [](int fd, const tcp_info& info) {
    if (info.tcpi_state == kListen) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  });
  next_ = timers_.after(config_.interval, [this] { look(); });
}

void Connections::look() {
  std::vector<Connection> connections;
  visitOwnSockets(config_.listening, [&](int fd, const tcp_info& info) {
    if (info.tcpi_state != kListen) connections.push_back(connectionOf(fd, info));
  });
  const auto closed = std::partition(connections.begin(), connections.end(),
                                     [](const Connection& connection) { return !connection.farEndClosed; });
  for (auto it = closed; it != connections.end(); ++it) ::shutdown(it->fd, SHUT_RDWR);
  connections.erase(closed, connections.end());
  if (connections.size() > config_.max) {
    std::ranges::sort(connections, [](const Connection& a, const Connection& b) {
      return a.saidNothing != b.saidNothing ? a.saidNothing : a.silentMilliseconds > b.silentMilliseconds;
    });
    connections.resize(connections.size() - config_.max);
    for (const auto& connection : connections) ::shutdown(connection.fd, SHUT_RDWR);
  }
  next_ = timers_.after(config_.interval, [this] { look(); });
}

}  // namespace crosspoint::sip
