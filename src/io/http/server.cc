#include "io/http/server.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "io/http/server_impl.h"
#include "io/loop/socket_address.h"

namespace crosspoint::http {
namespace {

using State = Connection::State;

constexpr unsigned kAcceptsPerTurn = 64;
// At the limit all connections are looked at for those that may go, so many at a time and no more often than this.
constexpr std::size_t kIdlersPerLook = 256;
constexpr Duration kLookInterval = std::chrono::milliseconds(100);

std::string httpDate(std::time_t seconds) {
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

// ---- listening ----

std::expected<loop::FileDescriptor, std::string> Server::Impl::bindListener() const {
  const auto& bind = config_.bind;
  loop::FileDescriptor fd(::socket(bind.ip.isV4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  loop::KernelAddress kernel{};
  const auto size = loop::toKernel(bind, kernel);
  const int on = 1;
  if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd && ::bind(fd.get(), &kernel.any, size) == 0 && ::listen(fd.get(), SOMAXCONN) == 0) return fd;
  const int error = errno;
  const std::string place = "TCP port " + std::to_string(bind.port) + " of " + bind.ip.toString();
  if (error == EADDRINUSE) return std::unexpected(place + " is already taken");
  return std::unexpected(place + " cannot be used: " + std::generic_category().message(error));
}

std::expected<SocketAddress, std::string> Server::Impl::listen() {
  if (config_.tls) {
    auto loaded = TlsContext::load(*config_.tls);
    if (!loaded) return std::unexpected(loaded.error());
    tls_ = std::move(*loaded);
  }
  auto fd = bindListener();
  if (!fd) return std::unexpected(fd.error());
  const auto address = loop::boundAddress(fd->get());
  if (!address) return std::unexpected("the address of the listening socket is unknown");
  acceptor_.assign(fd->release());
  armAccept();
  armSweep();
  return *address;
}

void Server::Impl::armAccept() {
  if (acceptArmed_ || draining_) return;
  acceptArmed_ = true;
  acceptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
                         if (alive.expired()) return;
                         acceptArmed_ = false;
                         if (!error) acceptMany();
                       });
}

void Server::Impl::acceptMany() {
  closed_.clear();
  for (unsigned i = 0; i < kAcceptsPerTurn && !draining_; ++i) {
    loop::KernelAddress kernel{};
    socklen_t size = sizeof kernel;
    loop::FileDescriptor fd(::accept4(acceptor_.native_handle(), &kernel.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      // No descriptor left: the next sweep tries again, until then clients wait in the kernel's queue.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      continue;  // that client has gone already
    }
    adopt(std::move(fd), loop::fromKernel(kernel).value_or(SocketAddress{}));
  }
  armAccept();
}

void Server::Impl::adopt(loop::FileDescriptor fd, const SocketAddress& remote) {
  if (counters.connections >= config_.limits.connectionsMax && !displaceIdler()) {
    ++counters.refusedAtLimit;
    if (!tls_) {
      const auto text = replyText({.status = 503, .body = "too many connections\n"}, {.date = date()});
      ::send(fd.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return;
  }
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  std::uint32_t slot = 0;
  if (freeSlots_.empty()) {
    slot = static_cast<std::uint32_t>(connections_.size());
    connections_.emplace_back();
  } else {
    slot = freeSlots_.back();
    freeSlots_.pop_back();
  }
  connections_[slot] = std::make_unique<Connection>(context_, fd.release(), tls_ ? &*tls_ : nullptr);
  auto& connection = *connections_[slot];
  connection.slot = slot;
  connection.serial = ++lastSerial_;
  connection.remote = remote;
  ++counters.accepted;
  ++counters.connections;
  setDeadline(connection, connection.state == State::Idle ? config_.limits.idleMax : config_.limits.requestMax);
  if (tls_ && !connection.stream.secure()) return close(connection);
  advance(connection);
}

// At the limit whoever holds a connection without a whole request gives way: first those that have never made one, then
// those that have been so for longest. A stranger cannot keep others out by holding many.
bool Server::Impl::displaceIdler() {
  const auto now = loop::monotonicNow();
  if (idlers_.empty() && now >= lookAgainAt_) {
    lookAgainAt_ = now + kLookInterval;
    findIdlers();
  }
  while (!idlers_.empty()) {
    const Idler idler = idlers_.back();
    idlers_.pop_back();
    auto* connection = connections_[idler.slot].get();
    if (!connection || connection->serial != idler.serial || connection->deadline != idler.deadline) continue;
    if (!isIdle(*connection)) continue;
    ++counters.displaced;
    close(*connection);
    return true;
  }
  return false;
}

// The first to go last.
void Server::Impl::findIdlers() {
  for (const auto& connection : connections_) {
    if (!connection || !isIdle(*connection)) continue;
    const auto patience = connection->state == State::Idle ? config_.limits.idleMax : config_.limits.requestMax;
    idlers_.push_back({.served = connection->served,
                       .since = connection->deadline - patience,
                       .slot = connection->slot,
                       .serial = connection->serial,
                       .deadline = connection->deadline});
  }
  const auto goesFirst = [](const Idler& a, const Idler& b) {
    return a.served != b.served ? b.served : a.since < b.since;
  };
  const auto count = std::min(idlers_.size(), kIdlersPerLook);
  const auto end = idlers_.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(idlers_.begin(), end, idlers_.end(), goesFirst);
  idlers_.erase(end, idlers_.end());
  std::ranges::reverse(idlers_);
}

bool Server::Impl::isIdle(const Connection& connection) {
  return connection.state == State::Handshake || connection.state == State::Idle || connection.state == State::Reading;
}

void Server::Impl::drain() {
  draining_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (const auto& connection : connections_) {
    if (!connection) continue;
    connection->keepAlive = false;
    if (connection->state == State::Idle || connection->state == State::Handshake) close(*connection);
  }
}

// ---- time ----

void Server::Impl::armSweep() {
  const auto& limits = config_.limits;
  const auto shortest = std::min({limits.requestMax, limits.idleMax, limits.writeMax, limits.pingAfter});
  timer_.expires_after(std::clamp<Duration>(shortest / 4, std::chrono::milliseconds(5), std::chrono::seconds(1)));
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
    if (alive.expired() || error) return;
    sweep();
    armSweep();
  });
}

// One look at every connection a second costs less than a timer for each.
void Server::Impl::sweep() {
  closed_.clear();
  const auto now = loop::monotonicNow();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (!connections_[i]) continue;
    if (connections_[i]->state == State::Open) tendSocket(*connections_[i], now);
    if (connections_[i] && connections_[i]->deadline <= now) handleDeadline(*connections_[i]);
  }
  armAccept();
}

void Server::Impl::handleDeadline(Connection& connection) {
  if (connection.state == State::Reading) {
    ++counters.timeouts;
    reject(connection, 408);
    advance(connection);
    return;
  }
  if (connection.state == State::Writing || connection.state == State::Handshake) ++counters.timeouts;
  close(connection);
}

std::string_view Server::Impl::date() {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(loop::wallNow()).time_since_epoch().count();
  if (seconds != dateSeconds_) {
    dateSeconds_ = seconds;
    date_ = httpDate(seconds);
  }
  return date_;
}

// ---- the door ----

Server::Server(boost::asio::io_context& context, Config config)
    : impl_(std::make_unique<Impl>(context, std::move(config))) {}
Server::~Server() = default;

void Server::onRequest(std::function<void(RequestId, Request&&)> callback) { impl_->onRequest = std::move(callback); }
void Server::onClosed(std::function<void(RequestId)> callback) { impl_->onClosed = std::move(callback); }
void Server::onDelivered(std::function<void(RequestId)> callback) { impl_->onDelivered = std::move(callback); }
void Server::onUndelivered(std::function<void(RequestId)> callback) { impl_->onUndelivered = std::move(callback); }
std::expected<SocketAddress, std::string> Server::listen() { return impl_->listen(); }
void Server::respond(RequestId request, Response response) { impl_->respond(request, std::move(response)); }
void Server::onMessage(std::function<void(RequestId, std::string&&)> callback) {
  impl_->onMessage = std::move(callback);
}
void Server::onSocketClosed(std::function<void(RequestId)> callback) { impl_->onSocketClosed = std::move(callback); }
bool Server::accept(RequestId request) { return impl_->accept(request); }
void Server::send(RequestId socket, std::string_view message) { impl_->send(socket, message); }
void Server::closeSocket(RequestId socket, std::uint16_t code, std::string_view reason) {
  impl_->closeSocket(socket, code, reason);
}
void Server::drain() { impl_->drain(); }
Counters Server::counters() const { return impl_->counters; }

}  // namespace crosspoint::http
