// One client connection of the server: what it holds in each state. The server changes it; a waiting one holds no
// buffers.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "io/http/request_reader.h"
#include "io/http/stream.h"
#include "io/http/web_socket.h"

namespace crosspoint::http {

// Bytes that were received and not looked at yet. Taking from the front costs little, however often it is done; nothing
// is held when nothing is there.
class Received {
 public:
  std::string_view view() const { return std::string_view(bytes_).substr(taken_); }
  bool empty() const { return taken_ == bytes_.size(); }
  std::size_t size() const { return bytes_.size() - taken_; }
  void append(std::string_view bytes) { bytes_ += bytes; }
  void take(std::size_t count) {
    taken_ += count;
    if (empty()) return clear();
    if (taken_ < bytes_.size() / 2) return;
    bytes_.erase(0, taken_);
    taken_ = 0;
  }
  void clear() {
    std::string().swap(bytes_);
    taken_ = 0;
  }

 private:
  std::string bytes_;
  std::size_t taken_ = 0;
};

// What a connection has more once it is a WebSocket.
struct OpenSocket {
  OpenSocket(std::size_t messageBytesMax, unsigned frames, TimePoint now)
      : reader(messageBytesMax), credit(frames), lastHeard(now), lastWritten(now) {}

  WebSocketReader reader;
  unsigned credit;      // messages that may still go to the owner before one goes to the client, or a second passes
  bool paused = false;  // not read: no credit, or a client that does not read what is there for it
  bool ending = false;  // our Close is the last thing in `out`
  TimePoint lastHeard;
  TimePoint lastWritten;                  // bytes that wait wait since then
  std::optional<TimePoint> partialSince;  // a message has begun and its end has not come
  std::optional<TimePoint> lastPing;
};

//   Handshake ──> Idle ──> Reading ──> Waiting ──> Writing ──> Idle (keep-alive)
//                             │           │         ▲  └─────> Lingering ──> closed
//                             │           └──> Open ┼─────────────▲
//                             └── bad request ──────┘
struct Connection {
  enum class State : std::uint8_t {
    Handshake,  // TLS
    Idle,       // between requests
    Reading,    // a request has begun
    Waiting,    // the owner has it
    Writing,    // the reply goes out
    Open,       // a WebSocket
    Lingering,  // everything is said; bytes that still come are thrown away, so that no reset overtakes the reply
  };

  Connection(boost::asio::io_context& context, int fd, const TlsContext* tls)
      : descriptor(context, fd), stream(fd, tls), state(tls ? State::Handshake : State::Idle) {}

  boost::asio::posix::stream_descriptor descriptor;
  Stream stream;
  SocketAddress remote;
  std::uint32_t slot = 0;
  std::uint64_t serial = 0;
  State state;
  bool readArmed = false, writeArmed = false;
  bool advancing = false, closed = false;
  bool turnPosted = false;  // it goes on when others have had their turn
  bool head = false, keepAlive = false;
  bool served = false;  // a request of it has had its reply
  TimePoint deadline = TimePoint::max();
  std::uint64_t request = 0;  // 0: none is with the owner; of a WebSocket: what it is known by
  std::unique_ptr<RequestReader> reader;
  std::string origin;
  std::string webSocketAccept;  // of a request that asks for a WebSocket
  std::unique_ptr<OpenSocket> socket;
  Received in;           // not parsed yet
  std::string out;       // the reply, or frames
  std::size_t sent = 0;  // of `out`
};

}  // namespace crosspoint::http
