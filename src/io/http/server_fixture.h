// A server and clients on raw sockets, all on one thread: every wait is for an event of the server.
#pragma once
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/http/server.h"
#include "io/http/web_socket.h"
#include "io/loop/file_descriptor.h"
#include "io/loop/socket_address.h"

namespace crosspoint::http {

inline const std::string kGet = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
inline const std::string kWait = "GET /wait?id=1 HTTP/1.1\r\nHost: a\r\n\r\n";

inline std::size_t residentBytes() {
  std::size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * 4096;
}

inline const std::string kUpgrade =
    "GET /signalling?id=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// As a client writes it.
inline std::string maskedFrame(Opcode opcode, std::string_view payload) {
  std::string plain;
  appendFrame(plain, opcode, payload);
  const std::string mask = "\x12\x34\x56\x78";
  std::string frame = plain.substr(0, plain.size() - payload.size()) + mask;
  frame[1] = static_cast<char>(frame[1] | 0x80);
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i & 3]);
  return frame;
}

class Client {
 public:
  explicit Client(const SocketAddress& server) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    loop::KernelAddress kernel{};
    const auto size = loop::toKernel(server, kernel);
    EXPECT_EQ(::connect(fd_.get(), &kernel.any, size), 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Appends what has arrived to `received`.
  void poll() {
    char buffer[65536];
    for (;;) {
      const auto count = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (count < 0) return;
      if (count == 0) {
        ended = true;
        return;
      }
      received.append(buffer, static_cast<std::size_t>(count));
    }
  }
  void abort() {  // with a reset
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fd_.reset();
  }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

  std::string received;
  bool ended = false;

 private:
  loop::FileDescriptor fd_;
};

// A server whose owner answers "/now" at once with the request's body, and keeps everything else.
class ServerFixture : public testing::Test {
 public:
  void start(Config config = {}) {
    config.bind = *SocketAddress::parse("127.0.0.1:0");
    server.emplace(context, std::move(config));
    server->onRequest([this](RequestId id, Request&& request) {
      if (request.path == "/now") {
        server->respond(id, {.body = "<" + request.body + ">"});
      } else {
        kept.push_back(id);
      }
      if (keepRequests) requests.push_back(std::move(request));
    });
    server->onClosed([this](RequestId id) { closed.push_back(id); });
    server->onDelivered([this](RequestId id) { delivered.push_back(id); });
    server->onUndelivered([this](RequestId id) { undelivered.push_back(id); });
    server->onMessage([this](RequestId id, std::string&& text) { messages.push_back({id, std::move(text)}); });
    server->onSocketClosed([this](RequestId id) { socketsClosed.push_back(id); });
    const auto listening = server->listen();
    ASSERT_TRUE(listening) << listening.error();
    address = *listening;
  }
  void runUntil(const std::function<bool()>& reached) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!reached()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing happened";
      context.restart();
      context.run_one_for(std::chrono::milliseconds(100));
    }
  }
  // Until the client has `text`, and everything before it.
  void expectReceived(Client& client, std::string_view text) {
    runUntil([&] {
      client.poll();
      return client.received.find(text) != std::string::npos;
    });
  }
  void expectEnd(Client& client) {
    runUntil([&] {
      client.poll();
      return client.ended;
    });
  }

  boost::asio::io_context context;
  std::optional<Server> server;
  SocketAddress address;
  std::vector<Request> requests;
  bool keepRequests = true;
  std::vector<RequestId> kept, closed, delivered, undelivered, socketsClosed;
  std::vector<std::pair<RequestId, std::string>> messages;
};

}  // namespace crosspoint::http
