// One connection of the HTTP server: each step reads, parses, hands a request to the owner, or writes its reply.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "io/http/server_impl.h"

namespace crosspoint::http {
namespace {

using State = Connection::State;
using Outcome = Stream::Outcome;

constexpr Duration kLingerMax = std::chrono::seconds(2);
constexpr unsigned kStepsPerTurn = 64;  // of one connection, before others have their turn
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

// False: the client has gone, and the connection is closed, or its socket must first become ready.
bool Server::Impl::isDone(Connection& connection, Outcome outcome) {
  if (outcome == Outcome::Done) return true;
  if (outcome == Outcome::Closed) {
    close(connection);
  } else {
    arm(connection, outcome);
  }
  return false;
}

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
    postTurn(connection);
    break;
  }
  connection.advancing = false;
}

// One at a time: whatever else moves the connection meanwhile must not win it further turns.
void Server::Impl::postTurn(Connection& connection) {
  if (std::exchange(connection.turnPosted, true)) return;
  boost::asio::post(context_,
                    [this, alive = std::weak_ptr(alive_), slot = connection.slot, serial = connection.serial] {
                      if (alive.expired() || !connections_[slot] || connections_[slot]->serial != serial) return;
                      connections_[slot]->turnPosted = false;
                      advance(*connections_[slot]);
                    });
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
    case State::Open:
      return stepSocket(connection);
    case State::Lingering:
      return stepLinger(connection);
  }
  return false;
}

bool Server::Impl::stepHandshake(Connection& connection) {
  if (!isDone(connection, connection.stream.handshake())) return false;
  connection.state = State::Idle;
  setDeadline(connection, config_.limits.idleMax);
  return true;
}

bool Server::Impl::stepRead(Connection& connection) {
  if (connection.state == State::Idle && !connection.in.empty()) return parse(connection);  // pipelined
  const auto result = connection.stream.read(scratch_);
  if (!isDone(connection, result.outcome)) return false;
  connection.in.append({scratch_.data(), result.count});
  return parse(connection);
}

bool Server::Impl::parse(Connection& connection) {
  if (connection.state == State::Idle) {
    // RFC 9112 §2.2: an empty line before a request is ignored.
    const auto begin = connection.in.view().find_first_not_of("\r\n");
    connection.in.take(begin == std::string_view::npos ? connection.in.size() : begin);
    if (connection.in.empty()) return true;
    connection.state = State::Reading;
    connection.reader = std::make_unique<RequestReader>(config_.limits.headerBytesMax, config_.limits.bodyBytesMax);
    setDeadline(connection, config_.limits.requestMax);
  }
  auto& reader = *connection.reader;
  connection.in.take(reader.feed(connection.in.view()));
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
  connection.origin = request.header("Origin");
  connection.head = request.method == "HEAD";
  connection.deadline = TimePoint::max();
  request.remote = connection.remote;
  request.secure = connection.stream.secure();
  connection.webSocketAccept = webSocketAccept(request).value_or("");
  request.webSocket = !connection.webSocketAccept.empty();
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
  if (result.outcome == Outcome::Closed) ++counters.closedWhileWaiting;
  if (!isDone(connection, result.outcome)) return false;
  connection.in.append({scratch_.data(), result.count});
  return true;
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
    connection.in.append({scratch_.data(), result.count});
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
  if (!isDone(connection, result.outcome)) return false;
  connection.sent += result.count;
  if (connection.sent == connection.out.size()) finishReply(connection);
  return true;
}

void Server::Impl::finishReply(Connection& connection) {
  if (connection.stream.wasResetTooSoon()) return close(connection);
  std::string().swap(connection.out);
  connection.served = true;
  if (connection.keepAlive) {
    connection.state = State::Idle;
    setDeadline(connection, config_.limits.idleMax);
  } else {
    linger(connection);
  }
  if (const auto request = std::exchange(connection.request, 0); request != 0) onDelivered(RequestId{request});
}

void Server::Impl::linger(Connection& connection) {
  connection.stream.finish();
  connection.state = State::Lingering;
  setDeadline(connection, kLingerMax);
}

bool Server::Impl::stepLinger(Connection& connection) {
  return isDone(connection, connection.stream.read(scratch_).outcome);
}

// The owner hears of a request it still has, of a reply that was not written to its end, or of its WebSocket.
void Server::Impl::close(Connection& connection) {
  if (std::exchange(connection.closed, true)) return;
  boost::system::error_code ignored;
  connection.descriptor.close(ignored);
  --counters.connections;
  closed_.push_back(std::move(connections_[connection.slot]));
  freeSlots_.push_back(connection.slot);
  const auto request = std::exchange(connection.request, 0);
  if (request == 0) return;
  if (sockets_.erase(request) == 1) {
    --counters.sockets;
    onSocketClosed(RequestId{request});
  } else if (waiting_.erase(request) == 1) {
    --counters.waiting;
    onClosed(RequestId{request});
  } else {
    ++counters.undelivered;
    onUndelivered(RequestId{request});
  }
}

}  // namespace crosspoint::http
