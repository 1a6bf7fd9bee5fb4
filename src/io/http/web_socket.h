// WebSocket frames (RFC 6455), the server's side, without a socket: bytes of a client into messages, and messages into
// bytes. No extension and no subprotocol.
//
//   WebSocketReader reader(128 * 1024);
//   reader.feed(bytes);
//   while (auto event = reader.poll()) …;   // after Close or Violation nothing follows
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/http/message.h"

namespace crosspoint::http {

// The value of Sec-WebSocket-Accept (section 4.2.2); nothing if the request does not ask for a WebSocket as
// section 4.2.1 wants it.
std::optional<std::string> webSocketAccept(const Request& request);

enum class Opcode : std::uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

// One unmasked frame, whole.
void appendFrame(std::string& out, Opcode opcode, std::string_view payload);
// A Close frame; a reason that does not fit (section 5.5: 123 bytes) is cut between two characters.
void appendClose(std::string& out, std::uint16_t code, std::string_view reason);

bool isUtf8(std::string_view text);  // RFC 3629: no surrogates, nothing longer than needed

class WebSocketReader {
 public:
  struct Event {
    enum class Kind : std::uint8_t {
      Text,       // a whole message
      Ping,       // to be answered with the same payload
      Pong,       //
      Close,      // the client closes: `code` (1005: it said none) and the reason
      Violation,  // what the client sent is against the RFC or a limit: `code` to close with, and why
    };
    Kind kind{};
    std::string payload;
    std::uint16_t code = 0;
  };

  explicit WebSocketReader(std::size_t messageBytesMax) : messageBytesMax_(messageBytesMax) {}

  // Keeps what it has not looked at yet; bounded, if the owner polls before it feeds again, by a message and what was
  // fed.
  void feed(std::string_view bytes);
  std::optional<Event> poll();
  std::size_t buffered() const { return in_.size() - taken_ + message_.size(); }

 private:
  struct Frame {  // its header
    bool final = false;
    Opcode opcode{};
    std::uint64_t length = 0;
    std::size_t headerBytes = 0;
    char mask[4] = {};
  };
  std::optional<Event> violate(std::uint16_t code, std::string why);
  // Nothing: more bytes are needed, or it is a violation.
  std::optional<Frame> readHeader();
  const char* wrongWith(const Frame& frame) const;
  std::optional<Event> take(const Frame& frame, std::string payload);
  std::optional<Event> takeClose(std::string payload);
  std::optional<Event> takeData(const Frame& frame, std::string payload);
  void compact();

  std::size_t messageBytesMax_;
  std::string in_;
  std::size_t taken_ = 0;   // of `in_`
  std::string message_;     // fragments so far
  bool inMessage_ = false;  // a first fragment has come, the last one has not
  bool ended_ = false;
};

}  // namespace crosspoint::http
