// Inside of the HTTP server: server.cc accepts, sweeps and is the door; server_connection.cc moves one connection
// through its states; server_socket.cc is the state of a WebSocket.
#pragma once
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <optional>
#include <unordered_map>

#include "io/http/connection.h"
#include "io/http/reply_text.h"
#include "io/http/server.h"
#include "io/loop/clock.h"
#include "io/loop/file_descriptor.h"

namespace crosspoint::http {

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
  bool accept(RequestId request);
  void send(RequestId socket, std::string_view message);
  void closeSocket(RequestId socket, std::uint16_t code, std::string_view reason);
  void drain();

  std::function<void(RequestId, std::string&&)> onMessage = [](RequestId, std::string&&) {};
  std::function<void(RequestId)> onSocketClosed = [](RequestId) {};
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
  bool displaceIdler();
  void findIdlers();
  static bool isIdle(const Connection& connection);
  void armSweep();
  void sweep();
  void handleDeadline(Connection& connection);

  bool isDone(Connection& connection, Stream::Outcome outcome);
  void arm(Connection& connection, Stream::Outcome wanted);
  void handleReady(std::uint32_t slot, std::uint64_t serial, bool Connection::* armed);
  void advance(Connection& connection);
  void postTurn(Connection& connection);
  bool step(Connection& connection);
  bool stepHandshake(Connection& connection);
  bool stepRead(Connection& connection);
  bool stepWait(Connection& connection);
  bool stepWrite(Connection& connection);
  bool stepLinger(Connection& connection);
  bool stepSocket(Connection& connection);
  bool writeSocket(Connection& connection);
  void handleSocketEvent(Connection& connection, WebSocketReader::Event&& event);
  void sayClose(Connection& connection, std::uint16_t code, std::string_view reason);
  void endSocket(Connection& connection);
  void tendSocket(Connection& connection, TimePoint now);
  void linger(Connection& connection);
  bool parse(Connection& connection);
  void dispatch(Connection& connection);
  void startReply(Connection& connection, const Response& response);
  void reject(Connection& connection, int status);
  void finishReply(Connection& connection);
  void close(Connection& connection);
  void setDeadline(Connection& connection, Duration after) { connection.deadline = loop::monotonicNow() + after; }
  std::string_view date();

  // A connection without a request that the owner has, as it was when it was looked at.
  struct Idler {
    bool served = false;
    TimePoint since;
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    TimePoint deadline;
  };

  boost::asio::io_context& context_;
  const Config config_;
  const AllowedOrigins allowed_;
  std::optional<TlsContext> tls_;
  boost::asio::posix::stream_descriptor acceptor_;
  boost::asio::steady_timer timer_;
  bool draining_ = false, acceptArmed_ = false;
  std::vector<std::unique_ptr<Connection>> connections_;  // by slot
  std::vector<std::uint32_t> freeSlots_;
  std::vector<Idler> idlers_;  // that may go, the first one last
  TimePoint lookAgainAt_{};
  std::vector<std::unique_ptr<Connection>> closed_;         // until no function of ours can hold them any more
  std::unordered_map<std::uint64_t, Connection*> waiting_;  // by request
  std::unordered_map<std::uint64_t, Connection*> sockets_;  // by the request that opened it
  std::uint64_t lastRequest_ = 0, lastSerial_ = 0;
  std::time_t dateSeconds_ = 0;
  std::string date_;
  static constexpr std::size_t kScratchBytes = 64 * 1024;  // one read
  std::array<char, kScratchBytes> scratch_{};
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // completion handlers hold it weakly: they may run after us
};

}  // namespace crosspoint::http
