// The HTTP/1.1 server of the control thread: keep-alive, hanging GETs and WebSockets by the thousand, CORS, optionally
// TLS.
//
//   http::Server server(context, {.bind = *SocketAddress::parse("127.0.0.1:0")});
//   server.onRequest([&](http::RequestId id, http::Request&& request) { server.respond(id, {.body = "hello\n"}); });
//   if (auto listening = server.listen(); !listening) die(listening.error());
//   context.run();
//
// Every request gets exactly one respond(), at once or much later, unless onClosed() came first. Then exactly one of
// onDelivered() (the reply was handed to the kernel and the client had not gone) or onUndelivered() follows. Requests
// of one connection are handled one after the other. A request that HTTP itself forbids is answered here (400, 408,
// 413, 417, 431, 501) and never shown to the owner; so is OPTIONS.
//
// A request that asks for a WebSocket may be answered with accept() instead. From then on its number names the socket:
// messages of the client come by onMessage(), send() and closeSocket() are the owner's, and onSocketClosed() is the
// last that is heard of it, whoever ended it. A client that sends faster than the owner answers is read more slowly;
// one that does not read is closed.
//
// Every function is called on the thread that runs `context`, and so are the callbacks; they may call respond(). The
// Server must be destroyed on that thread (or after it ended), and before `context`.
#pragma once
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "io/http/message.h"

namespace boost::asio {
class io_context;
}

namespace crosspoint::http {

struct TlsConfig {
  std::string certificateFile;  // PEM, the chain, leaf first
  std::string keyFile;          // PEM
};

struct Limits {
  // The process has 20,000 descriptors. At the limit connections that wait for nothing give way to newer ones; where
  // there is none such the newcomer is told 503 and closed.
  std::size_t connectionsMax = 18'000;
  std::size_t headerBytesMax = 8 * 1024;  // 431
  std::size_t bodyBytesMax = 128 * 1024;  // 413
  // From the first byte to the last of a request, a TLS handshake, or a message on a WebSocket: 408, closed.
  Duration requestMax = std::chrono::seconds(20);
  Duration idleMax = std::chrono::seconds(75);     // between two requests of a connection: closed
  Duration writeMax = std::chrono::seconds(30);    // a client that does not read its reply: closed
  std::size_t messageBytesMax = 130 * 1024;        // of a WebSocket: a body and its header
  std::size_t socketQueueBytesMax = 1024 * 1024;   // frames that a client has not read: closed
  Duration pingAfter = std::chrono::seconds(25);   // of silence on a WebSocket
  Duration silenceMax = std::chrono::seconds(60);  // then it is dropped
};

struct Config {
  SocketAddress bind;                               // port 0: the system chooses
  std::vector<std::string> allowedOrigins = {"*"};  // see AllowedOrigins
  std::optional<TlsConfig> tls;
  Limits limits;
};

struct Counters {
  std::uint64_t connections = 0;  // gauge
  std::uint64_t waiting = 0;      // gauge: requests without their reply
  std::uint64_t accepted = 0, refusedAtLimit = 0, displaced = 0;
  std::uint64_t requests = 0, badRequests = 0, timeouts = 0;
  std::uint64_t closedWhileWaiting = 0, undelivered = 0;
  std::uint64_t sockets = 0;  // gauge: open WebSockets
  std::uint64_t socketsOpened = 0, socketMessages = 0, slowReaders = 0;
};

class Server {
 public:
  Server(boost::asio::io_context& context, Config config);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void onRequest(std::function<void(RequestId, Request&&)> callback);
  void onClosed(std::function<void(RequestId)> callback);       // the client went away before the reply
  void onDelivered(std::function<void(RequestId)> callback);    // the reply was written
  void onUndelivered(std::function<void(RequestId)> callback);  // the client went away while it was written

  void onMessage(std::function<void(RequestId socket, std::string&&)> callback);
  void onSocketClosed(std::function<void(RequestId socket)> callback);

  // Starts to accept. The address it listens on, or one sentence that says why not ("port 8086 of 127.0.0.1 is already
  // taken").
  std::expected<SocketAddress, std::string> listen();
  // Unknown numbers (the client has gone) are ignored.
  void respond(RequestId request, Response response);
  // Opens the WebSocket that the request asks for. False: it has gone, or asks for none.
  bool accept(RequestId request);
  // Unknown numbers are ignored.
  void send(RequestId socket, std::string_view message);
  void closeSocket(RequestId socket, std::uint16_t code, std::string_view reason);
  // Stops to accept and closes idle connections; those with a request or a reply under way are closed behind the reply.
  // WebSockets are the owner's to close.
  void drain();

  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::http
