// One client connection of the server: what it holds in each state. The server changes it; a waiting one holds no
// buffers.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/time.h"
#include "io/http/request_reader.h"
#include "io/http/stream.h"

namespace crosspoint::http {

//   Handshake ──> Idle ──> Reading ──> Waiting ──> Writing ──> Idle (keep-alive)
//                             │                     ▲  └─────> Lingering ──> closed
//                             └── bad request ──────┘
struct Connection {
  enum class State : std::uint8_t {
    Handshake,  // TLS
    Idle,       // between requests
    Reading,    // a request has begun
    Waiting,    // the owner has it
    Writing,    // the reply goes out
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
  bool head = false, keepAlive = false;
  TimePoint deadline = TimePoint::max();
  std::uint64_t request = 0;  // 0: none is with the owner
  std::unique_ptr<RequestReader> reader;
  std::string origin;
  std::string in;        // received, not parsed yet
  std::string out;       // the reply
  std::size_t sent = 0;  // of `out`
};

}  // namespace crosspoint::http
