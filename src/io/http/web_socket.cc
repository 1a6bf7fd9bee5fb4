#include "io/http/web_socket.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace crosspoint::http {
namespace {

constexpr std::size_t kControlBytesMax = 125;  // RFC 6455 §5.5
constexpr std::uint16_t kProtocolError = 1002, kUnsupportedData = 1003, kNoStatus = 1005, kInvalidPayload = 1007,
                        kMessageTooBig = 1009;

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return text;
}

// Is `token` in the comma-separated list?
bool lists(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto end = list.find(',');
    auto one = list.substr(0, end);
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (namesEqual(one, token)) return true;
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  }
  return false;
}

bool isControl(Opcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

// §7.4: codes that may stand on the wire.
bool isCloseCode(std::uint16_t code) {
  return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

}  // namespace

std::optional<std::string> webSocketAccept(const Request& request) {
  const auto key = request.header("Sec-WebSocket-Key");
  const bool sixteenBytes =
      key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
      });
  if (request.method != "GET" || !sixteenBytes || !lists(request.header("Upgrade"), "websocket") ||
      !lists(request.header("Connection"), "upgrade") || request.header("Sec-WebSocket-Version") != "13") {
    return std::nullopt;
  }
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // §1.3
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) return std::nullopt;
  return base64({reinterpret_cast<const char*>(digest.data()), size});
}

// ---- writing ----

void appendFrame(std::string& out, Opcode opcode, std::string_view payload) {
  out += static_cast<char>(0x80 | static_cast<std::uint8_t>(opcode));
  const std::uint64_t size = payload.size();
  const int extended = size < 126 ? 0 : size < 65'536 ? 2 : 8;
  out += static_cast<char>(extended == 0 ? size : extended == 2 ? 126 : 127);
  for (int i = extended - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i) & 0xff);
  out += payload;
}

void appendClose(std::string& out, std::uint16_t code, std::string_view reason) {
  if (reason.size() > kControlBytesMax - 2) {
    std::size_t end = kControlBytesMax - 2;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;
    reason = reason.substr(0, end);
  }
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason;
  appendFrame(out, Opcode::Close, payload);
}

// ---- reading ----

bool isUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first < 0x80) continue;
    const int more = first >= 0xc2 && first <= 0xdf   ? 1
                     : first >= 0xe0 && first <= 0xef ? 2
                     : first >= 0xf0 && first <= 0xf4 ? 3
                                                      : 0;
    if (more == 0 || text.size() - i < static_cast<std::size_t>(more)) return false;
    std::uint32_t value = first & (0x3fU >> more);
    for (int k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      value = value << 6 | (next & 0x3f);
    }
    if ((more == 2 && value < 0x800) || (more == 3 && (value < 0x10000 || value > 0x10ffff))) return false;
    if (value >= 0xd800 && value <= 0xdfff) return false;
  }
  return true;
}

void WebSocketReader::feed(std::string_view bytes) {
  if (ended_) return;
  compact();
  in_ += bytes;
}

void WebSocketReader::compact() {
  if (taken_ == in_.size()) {
    std::string().swap(in_);
  } else {
    in_.erase(0, taken_);
  }
  taken_ = 0;
}

std::optional<WebSocketReader::Event> WebSocketReader::violate(std::uint16_t code, std::string why) {
  ended_ = true;
  return Event{.kind = Event::Kind::Violation, .payload = std::move(why), .code = code};
}

// §5.2
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-------+-+-------------+-------------------------------+
//  |F|R|R|R| opcode|M| length (7)  |  extended length (16 or 64)   |
//  +-+-+-+-+-------+-+-------------+-------------------------------+
//  |                       masking key (32)                        |
//  +---------------------------------------------------------------+
std::optional<WebSocketReader::Frame> WebSocketReader::readHeader() {
  const auto bytes = std::string_view(in_).substr(taken_);
  if (bytes.size() < 2) return std::nullopt;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const std::size_t length = at(1) & 0x7f;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  Frame frame{.final = (at(0) & 0x80) != 0,
              .opcode = static_cast<Opcode>(at(0) & 0x0f),
              .length = length,
              .headerBytes = 2 + extended + 4};
  if (bytes.size() < frame.headerBytes) return std::nullopt;
  if (extended > 0) frame.length = 0;
  for (std::size_t i = 0; i < extended; ++i) frame.length = frame.length << 8 | at(2 + i);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(2 + extended), 4, frame.mask);
  return frame;
}

// Known from the header, so that the rest of a wrong frame is not waited for.
const char* WebSocketReader::wrongWith(const Frame& frame) const {
  const bool data = frame.opcode == Opcode::Text || frame.opcode == Opcode::Binary;
  if (isControl(frame.opcode)) {
    if (frame.opcode > Opcode::Pong) return "an opcode that means nothing";
    return !frame.final || frame.length > kControlBytesMax ? "a control frame that is fragmented or too long" : nullptr;
  }
  if (!data && frame.opcode != Opcode::Continuation) return "an opcode that means nothing";
  if (data && inMessage_) return "a message inside of another";
  if (!data && !inMessage_) return "a continuation of nothing";
  return nullptr;
}

std::optional<WebSocketReader::Event> WebSocketReader::poll() {
  while (!ended_) {
    if (in_.size() - taken_ < 2) return std::nullopt;
    if ((in_[taken_] & 0x70) != 0) return violate(kProtocolError, "reserved bits are set");  // §5.2: no extension
    if ((in_[taken_ + 1] & 0x80) == 0) return violate(kProtocolError, "a frame that is not masked");  // §5.1
    const auto frame = readHeader();
    if (!frame) return std::nullopt;
    if (const char* wrong = wrongWith(*frame)) return violate(kProtocolError, wrong);
    if (frame->opcode == Opcode::Binary) return violate(kUnsupportedData, "text only");
    if (!isControl(frame->opcode) && frame->length > messageBytesMax_ - message_.size())
      return violate(kMessageTooBig, "a message may have " + std::to_string(messageBytesMax_) + " bytes");
    if (in_.size() - taken_ - frame->headerBytes < frame->length) return std::nullopt;
    std::string payload = in_.substr(taken_ + frame->headerBytes, frame->length);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ frame->mask[i & 3]);
    taken_ += frame->headerBytes + payload.size();
    if (taken_ == in_.size()) compact();
    if (auto event = take(*frame, std::move(payload))) return event;
  }
  return std::nullopt;
}

std::optional<WebSocketReader::Event> WebSocketReader::take(const Frame& frame, std::string payload) {
  switch (frame.opcode) {
    case Opcode::Ping:
      return Event{.kind = Event::Kind::Ping, .payload = std::move(payload)};
    case Opcode::Pong:
      return Event{.kind = Event::Kind::Pong, .payload = std::move(payload)};
    case Opcode::Close:
      return takeClose(std::move(payload));
    default:
      return takeData(frame, std::move(payload));
  }
}

std::optional<WebSocketReader::Event> WebSocketReader::takeClose(std::string payload) {
  if (payload.size() == 1) return violate(kProtocolError, "half a close code");
  Event event{.kind = Event::Kind::Close, .code = kNoStatus};
  if (payload.size() >= 2) {
    event.code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                            static_cast<unsigned char>(payload[1]));
    event.payload = payload.substr(2);
    if (!isCloseCode(event.code) || !isUtf8(event.payload))
      return violate(kProtocolError, "a close code or reason that is none");
  }
  ended_ = true;
  return event;
}

std::optional<WebSocketReader::Event> WebSocketReader::takeData(const Frame& frame, std::string payload) {
  inMessage_ = !frame.final;
  if (message_.empty()) {
    message_ = std::move(payload);
  } else {
    message_ += payload;
  }
  if (inMessage_) return std::nullopt;
  std::string whole;
  whole.swap(message_);
  if (!isUtf8(whole)) return violate(kInvalidPayload, "not UTF-8");  // §8.1
  return Event{.kind = Event::Kind::Text, .payload = std::move(whole)};
}

}  // namespace crosspoint::http
