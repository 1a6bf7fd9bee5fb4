#include "io/http/server.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <ctime>
#include <unordered_map>

#include "io/http/connection.h"
#include "io/http/reply_text.h"
#include "io/loop/clock.h"
#include "io/loop/file_descriptor.h"
#include "io/loop/socket_address.h"

namespace crosspoint::http {
namespace {

using State = Connection::State;
using Outcome = Stream::Outcome;

constexpr Duration kLingerMax = std::chrono::seconds(2);
constexpr unsigned kAcceptsPerTurn = 64;
constexpr unsigned kStepsPerTurn = 64;            // of one connection, before others have their turn
constexpr std::size_t kScratchBytes = 64 * 1024;  // one read
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string httpDate(std::time_t seconds) {
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

class Server::Impl {
 public:
  Impl(boost::asio::io_context& context, Config config)
      : context_(context),
        config_(std::move(config)),
        allowed_(config_.allowedOrigins),
        acceptor_(context),
        timer_(context) {}

  std::expected<SocketAddress, std::string> listen();
  void respond(RequestId request, Response response);
  void drain();

  std::function<void(RequestId, Request&&)> onRequest = [](RequestId, Request&&) {};
  std::function<void(RequestId)> onClosed = [](RequestId) {};
  std::function<void(RequestId)> onDelivered = [](RequestId) {};
  std::function<void(RequestId)> onUndelivered = [](RequestId) {};
  Counters counters;

 private:
  std::expected<loop::FileDescriptor, std::string> bindListener() const;
  void armAccept();
  void acceptMany();
  void adopt(loop::FileDescriptor fd, const SocketAddress& remote);
  void armSweep();
  void sweep();
  void handleDeadline(Connection& connection);

  void arm(Connection& connection, Outcome wanted);
  void handleReady(std::uint32_t slot, std::uint64_t serial, bool Connection::* armed);
  void advance(Connection& connection);
  bool step(Connection& connection);
  bool stepHandshake(Connection& connection);
  bool stepRead(Connection& connection);
  bool stepWait(Connection& connection);
  bool stepWrite(Connection& connection);
  bool stepLinger(Connection& connection);
  bool parse(Connection& connection);
  void dispatch(Connection& connection);
  void startReply(Connection& connection, const Response& response);
  void reject(Connection& connection, int status);
  void finishReply(Connection& connection);
  void close(Connection& connection);
  void setDeadline(Connection& connection, Duration after) { connection.deadline = loop::monotonicNow() + after; }
  std::string_view date();

  boost::asio::io_context& context_;
  const Config config_;
  const AllowedOrigins allowed_;
  std::optional<TlsContext> tls_;
  boost::asio::posix::stream_descriptor acceptor_;
  boost::asio::steady_timer timer_;
  bool draining_ = false, acceptArmed_ = false;
  std::vector<std::unique_ptr<Connection>> connections_;  // by slot
  std::vector<std::uint32_t> freeSlots_;
  std::vector<std::unique_ptr<Connection>> closed_;         // until no function of ours can hold them any more
  std::unordered_map<std::uint64_t, Connection*> waiting_;  // by request
  std::uint64_t lastRequest_ = 0, lastSerial_ = 0;
  std::time_t dateSeconds_ = 0;
  std::string date_;
  std::array<char, kScratchBytes> scratch_{};
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // completion handlers hold it weakly: they may run after us
};

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
  if (counters.connections >= config_.limits.connectionsMax) {
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
  const auto shortest = std::min({limits.requestMax, limits.idleMax, limits.writeMax});
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

// ---- one connection ----

void Server::Impl::arm(Connection& connection, Outcome wanted) {
  const bool write = wanted == Outcome::WantWrite;
  const auto flag = write ? &Connection::writeArmed : &Connection::readArmed;
  if (std::exchange(connection.*flag, true)) return;
  using Descriptor = boost::asio::posix::stream_descriptor;
  connection.descriptor.async_wait(write ? Descriptor::wait_write : Descriptor::wait_read,
                                   [this, alive = std::weak_ptr(alive_), slot = connection.slot,
                                    serial = connection.serial, flag](const boost::system::error_code&) {
                                     if (!alive.expired()) handleReady(slot, serial, flag);
                                   });
}

void Server::Impl::handleReady(std::uint32_t slot, std::uint64_t serial, bool Connection::* armed) {
  closed_.clear();
  auto* connection = connections_[slot].get();
  if (!connection || connection->serial != serial) return;
  connection->*armed = false;
  advance(*connection);
}

void Server::Impl::advance(Connection& connection) {
  if (connection.advancing) return;
  connection.advancing = true;
  unsigned steps = 0;
  while (!connection.closed && step(connection)) {
    if (++steps < kStepsPerTurn) continue;
    boost::asio::post(context_,
                      [this, alive = std::weak_ptr(alive_), slot = connection.slot, serial = connection.serial] {
                        if (alive.expired() || !connections_[slot] || connections_[slot]->serial != serial) return;
                        advance(*connections_[slot]);
                      });
    break;
  }
  connection.advancing = false;
}

// True: there may be more to do at once. False: it waits for the client, for the owner, or is closed.
bool Server::Impl::step(Connection& connection) {
  switch (connection.state) {
    case State::Handshake:
      return stepHandshake(connection);
    case State::Idle:
    case State::Reading:
      return stepRead(connection);
    case State::Waiting:
      return stepWait(connection);
    case State::Writing:
      return stepWrite(connection);
    case State::Lingering:
      return stepLinger(connection);
  }
  return false;
}

bool Server::Impl::stepHandshake(Connection& connection) {
  const auto outcome = connection.stream.handshake();
  if (outcome == Outcome::Done) {
    connection.state = State::Idle;
    setDeadline(connection, config_.limits.idleMax);
    return true;
  }
  if (outcome == Outcome::Closed) {
    close(connection);
  } else {
    arm(connection, outcome);
  }
  return false;
}

bool Server::Impl::stepRead(Connection& connection) {
  if (connection.state == State::Idle && !connection.in.empty()) return parse(connection);  // pipelined
  const auto result = connection.stream.read(scratch_);
  if (result.outcome == Outcome::Closed) {
    close(connection);
    return false;
  }
  if (result.outcome != Outcome::Done) {
    arm(connection, result.outcome);
    return false;
  }
  connection.in.append(scratch_.data(), result.count);
  return parse(connection);
}

bool Server::Impl::parse(Connection& connection) {
  if (connection.state == State::Idle) {
    // RFC 9112 §2.2: an empty line before a request is ignored.
    const auto begin = connection.in.find_first_not_of("\r\n");
    connection.in.erase(0, begin == std::string::npos ? connection.in.size() : begin);
    if (connection.in.empty()) return true;
    connection.state = State::Reading;
    connection.reader = std::make_unique<RequestReader>(config_.limits.headerBytesMax, config_.limits.bodyBytesMax);
    setDeadline(connection, config_.limits.requestMax);
  }
  auto& reader = *connection.reader;
  connection.in.erase(0, reader.feed(connection.in));
  if (reader.state() == RequestReader::State::Failed) {
    ++counters.badRequests;
    reject(connection, reader.failure());
  } else if (reader.state() == RequestReader::State::Complete) {
    dispatch(connection);
  } else if (reader.takeExpectContinue()) {
    connection.stream.write(kContinue);
  }
  return true;
}

void Server::Impl::dispatch(Connection& connection) {
  Request request = connection.reader->take();
  connection.keepAlive = connection.reader->keepAlive() && !draining_;
  connection.reader.reset();
  connection.in.shrink_to_fit();
  connection.origin = request.header("Origin");
  connection.head = request.method == "HEAD";
  connection.deadline = TimePoint::max();
  request.remote = connection.remote;
  request.secure = connection.stream.secure();
  ++counters.requests;
  if (request.method == "OPTIONS") {
    startReply(connection, preflightReply(request));
    return;
  }
  connection.state = State::Waiting;
  connection.request = ++lastRequest_;
  waiting_[connection.request] = &connection;
  ++counters.waiting;
  onRequest(RequestId{connection.request}, std::move(request));
}

// What the client sends meanwhile is kept up to one header's size; then reading stops, and with it the watch for its
// going.
bool Server::Impl::stepWait(Connection& connection) {
  if (connection.in.size() >= config_.limits.headerBytesMax) return false;
  const auto room = std::min(scratch_.size(), config_.limits.headerBytesMax - connection.in.size());
  const auto result = connection.stream.read(std::span(scratch_).first(room));
  if (result.outcome == Outcome::Done) {
    connection.in.append(scratch_.data(), result.count);
    return true;
  }
  if (result.outcome == Outcome::Closed) {
    ++counters.closedWhileWaiting;
    close(connection);
  } else {
    arm(connection, result.outcome);
  }
  return false;
}

void Server::Impl::respond(RequestId request, Response response) {
  const auto found = waiting_.find(static_cast<std::uint64_t>(request));
  if (found == waiting_.end()) return;
  auto& connection = *found->second;
  waiting_.erase(found);
  --counters.waiting;
  if (response.close) connection.keepAlive = false;
  startReply(connection, response);
  if (connection.advancing) return;
  // A client that went away a moment ago must not swallow the reply.
  if (connection.in.size() < config_.limits.headerBytesMax) {
    const auto result = connection.stream.read(std::span(scratch_).first(config_.limits.headerBytesMax));
    if (result.outcome == Outcome::Closed) return close(connection);
    connection.in.append(scratch_.data(), result.count);
  }
  advance(connection);
}

void Server::Impl::startReply(Connection& connection, const Response& response) {
  connection.out = replyText(response, {.origin = connection.origin,
                                        .allowed = &allowed_,
                                        .head = connection.head,
                                        .keepAlive = connection.keepAlive,
                                        .date = date()});
  connection.sent = 0;
  connection.state = State::Writing;
  setDeadline(connection, config_.limits.writeMax);
}

void Server::Impl::reject(Connection& connection, int status) {
  connection.origin = connection.reader ? connection.reader->origin() : std::string{};
  connection.reader.reset();
  connection.in.clear();
  connection.head = connection.keepAlive = false;
  startReply(connection, {.status = status, .body = std::string(reasonPhrase(status)) + "\n"});
}

bool Server::Impl::stepWrite(Connection& connection) {
  const auto result = connection.stream.write(std::string_view(connection.out).substr(connection.sent));
  if (result.outcome == Outcome::Closed) {
    close(connection);
    return false;
  }
  if (result.outcome != Outcome::Done) {
    arm(connection, result.outcome);
    return false;
  }
  connection.sent += result.count;
  if (connection.sent == connection.out.size()) finishReply(connection);
  return true;
}

void Server::Impl::finishReply(Connection& connection) {
  if (connection.stream.wasReset()) return close(connection);
  std::string().swap(connection.out);
  if (connection.keepAlive) {
    connection.state = State::Idle;
    setDeadline(connection, config_.limits.idleMax);
  } else {
    connection.stream.finish();
    connection.state = State::Lingering;
    setDeadline(connection, kLingerMax);
  }
  if (const auto request = std::exchange(connection.request, 0); request != 0) onDelivered(RequestId{request});
}

bool Server::Impl::stepLinger(Connection& connection) {
  const auto result = connection.stream.read(scratch_);
  if (result.outcome == Outcome::Done) return true;
  if (result.outcome == Outcome::Closed) {
    close(connection);
  } else {
    arm(connection, result.outcome);
  }
  return false;
}

// The owner hears of a request it still has, or of a reply that was not written to its end.
void Server::Impl::close(Connection& connection) {
  if (std::exchange(connection.closed, true)) return;
  boost::system::error_code ignored;
  connection.descriptor.close(ignored);
  --counters.connections;
  closed_.push_back(std::move(connections_[connection.slot]));
  freeSlots_.push_back(connection.slot);
  const auto request = std::exchange(connection.request, 0);
  if (request == 0) return;
  if (waiting_.erase(request) == 1) {
    --counters.waiting;
    onClosed(RequestId{request});
  } else {
    ++counters.undelivered;
    onUndelivered(RequestId{request});
  }
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
void Server::drain() { impl_->drain(); }
Counters Server::counters() const { return impl_->counters; }

}  // namespace crosspoint::http
