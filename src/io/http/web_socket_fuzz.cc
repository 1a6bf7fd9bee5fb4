// Any bytes as a client's frames, in pieces whose sizes the input chooses: what comes out is bounded, valid, and does
// not depend on where the pieces were cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/http/web_socket.h"

namespace {

using crosspoint::http::WebSocketReader;

constexpr std::size_t kMessageMax = 600;

std::string eventsOf(std::string_view bytes, std::size_t piece) {
  WebSocketReader reader(kMessageMax);
  std::string told;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    while (const auto event = reader.poll()) {
      using Kind = WebSocketReader::Event::Kind;
      if (event->payload.size() > kMessageMax) std::abort();
      if (event->kind == Kind::Text && !crosspoint::http::isUtf8(event->payload)) std::abort();
      if (event->kind >= Kind::Close && event->code < 1000) std::abort();
      told += std::to_string(static_cast<int>(event->kind)) + ":" + event->payload + ":" + std::to_string(event->code) +
              "\n";
      std::string out;
      crosspoint::http::appendClose(out, 1000, event->payload);
      if (out.size() > 127) std::abort();
    }
    if (reader.buffered() > 2 * kMessageMax + 14 + piece) std::abort();
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (eventsOf(bytes, data[0] + 1U) != eventsOf(bytes, std::max<std::size_t>(bytes.size(), 1))) std::abort();
  return 0;
}
