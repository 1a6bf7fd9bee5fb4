// A connection that has become a WebSocket (RFC 6455): what goes in and out of it, and how it ends.
#include "io/http/server_impl.h"

#include <utility>

namespace crosspoint::http {
namespace {

using State = Connection::State;
using Outcome = Stream::Outcome;
using Event = WebSocketReader::Event;

// While more than this waits to be read by the client, nothing is read from it.
constexpr std::size_t kUnreadPause = 64 * 1024;
// So many messages of a client may be with the owner unanswered; see OpenSocket::credit.
constexpr unsigned kFramesAheadMax = 64;
constexpr std::uint16_t kNormalClosure = 1000, kNoStatus = 1005, kPolicyViolation = 1008;

}  // namespace

bool Server::Impl::accept(RequestId request) {
  const auto found = waiting_.find(static_cast<std::uint64_t>(request));
  if (found == waiting_.end() || found->second->webSocketAccept.empty()) return false;
  auto& connection = *found->second;
  waiting_.erase(found);
  --counters.waiting;
  ++counters.sockets;
  ++counters.socketsOpened;
  sockets_[static_cast<std::uint64_t>(request)] = &connection;
  connection.out =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
      connection.webSocketAccept + "\r\n\r\n";
  std::string().swap(connection.webSocketAccept);
  connection.sent = 0;
  connection.state = State::Open;
  connection.deadline = TimePoint::max();
  connection.socket =
      std::make_unique<OpenSocket>(config_.limits.messageBytesMax, kFramesAheadMax, loop::monotonicNow());
  connection.socket->reader.feed(connection.in.view());
  connection.in.clear();
  if (!connection.advancing) advance(connection);
  return true;
}

void Server::Impl::send(RequestId request, std::string_view message) {
  const auto found = sockets_.find(static_cast<std::uint64_t>(request));
  if (found == sockets_.end() || found->second->socket->ending) return;
  auto& connection = *found->second;
  const auto unread = connection.out.size() - connection.sent;
  if (unread + message.size() > config_.limits.socketQueueBytesMax) {
    ++counters.slowReaders;
    return close(connection);
  }
  if (unread == 0) connection.socket->lastWritten = loop::monotonicNow();
  appendFrame(connection.out, Opcode::Text, message);
  connection.socket->credit = std::min(connection.socket->credit + 1, kFramesAheadMax);
  if (!connection.advancing) advance(connection);
}

void Server::Impl::closeSocket(RequestId request, std::uint16_t code, std::string_view reason) {
  const auto found = sockets_.find(static_cast<std::uint64_t>(request));
  if (found == sockets_.end() || found->second->socket->ending) return;
  sayClose(*found->second, code, reason);
  if (!found->second->advancing) advance(*found->second);
}

void Server::Impl::sayClose(Connection& connection, std::uint16_t code, std::string_view reason) {
  appendClose(connection.out, code, reason);
  connection.socket->ending = true;
  setDeadline(connection, config_.limits.writeMax);
}

bool Server::Impl::stepSocket(Connection& connection) {
  auto& socket = *connection.socket;
  if (!connection.out.empty() && !writeSocket(connection)) return false;
  if (socket.ending) {
    if (connection.out.empty()) endSocket(connection);
    return connection.out.empty();
  }
  socket.paused = socket.credit == 0 || connection.out.size() - connection.sent > kUnreadPause;
  if (socket.paused) return false;
  if (auto event = socket.reader.poll()) {
    handleSocketEvent(connection, std::move(*event));
    return true;
  }
  if (socket.reader.buffered() == 0) {
    socket.partialSince.reset();
  } else if (!socket.partialSince) {
    socket.partialSince = loop::monotonicNow();
  }
  const auto result = connection.stream.read(scratch_);
  if (!isDone(connection, result.outcome)) return false;
  socket.lastHeard = loop::monotonicNow();
  socket.reader.feed({scratch_.data(), result.count});
  return true;
}

// As much as the client takes. False: it has gone.
bool Server::Impl::writeSocket(Connection& connection) {
  while (connection.sent < connection.out.size()) {
    const auto result = connection.stream.write(std::string_view(connection.out).substr(connection.sent));
    if (!isDone(connection, result.outcome)) break;
    connection.sent += result.count;
    connection.socket->lastWritten = loop::monotonicNow();
  }
  if (connection.closed) return false;
  if (connection.sent == connection.out.size()) {
    std::string().swap(connection.out);
    connection.sent = 0;
  } else if (connection.sent > connection.out.size() / 2) {
    connection.out.erase(0, connection.sent);
    connection.sent = 0;
  }
  return true;
}

void Server::Impl::handleSocketEvent(Connection& connection, Event&& event) {
  switch (event.kind) {
    case Event::Kind::Text:
      connection.socket->partialSince.reset();
      --connection.socket->credit;
      ++counters.socketMessages;
      onMessage(RequestId{connection.request}, std::move(event.payload));
      break;
    case Event::Kind::Ping:
      appendFrame(connection.out, Opcode::Pong, event.payload);
      break;
    case Event::Kind::Pong:
      break;
    case Event::Kind::Close:
      sayClose(connection, event.code == kNoStatus ? kNormalClosure : event.code, "");
      break;
    case Event::Kind::Violation:
      ++counters.badRequests;
      sayClose(connection, event.code, event.payload);
      break;
  }
}

// Our Close is out: what the client still says is thrown away until it closes too.
void Server::Impl::endSocket(Connection& connection) {
  connection.socket.reset();
  linger(connection);
  const auto request = std::exchange(connection.request, 0);
  sockets_.erase(request);
  --counters.sockets;
  onSocketClosed(RequestId{request});
}

// Once a sweep.
void Server::Impl::tendSocket(Connection& connection, TimePoint now) {
  auto& socket = *connection.socket;
  const auto& limits = config_.limits;
  const bool stuck = !connection.out.empty() && now - socket.lastWritten >= limits.writeMax;
  if (stuck || (!socket.ending && now - socket.lastHeard >= limits.silenceMax && !socket.paused)) {
    ++counters.timeouts;
    return close(connection);
  }
  socket.credit = kFramesAheadMax;
  if (!socket.ending && !socket.paused && socket.partialSince && now - *socket.partialSince >= limits.requestMax) {
    ++counters.timeouts;
    sayClose(connection, kPolicyViolation, "a message took too long");
    return advance(connection);
  }
  const auto quietSince = std::max(socket.lastHeard, socket.lastPing.value_or(socket.lastHeard));
  const bool ping = !socket.ending && now - quietSince >= limits.pingAfter && connection.out.empty();
  if (ping) {
    socket.lastPing = socket.lastWritten = now;
    appendFrame(connection.out, Opcode::Ping, {});
  }
  if (ping || socket.paused) advance(connection);
}

}  // namespace crosspoint::http
