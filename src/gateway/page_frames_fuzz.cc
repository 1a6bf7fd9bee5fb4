// Any text as a page's WebSocket message.
#include <cstdint>
#include <cstdlib>

#include "gateway/page_frames.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto message = gateway::parseFrame(bridge::RequestId{1}, text);
  if (!message) {
    if (message.error().empty()) std::abort();
    return 0;
  }
  if (!message->number && !message->acknowledged) std::abort();
  if (!text.ends_with(message->body) || message->to.find('\n') != std::string::npos) std::abort();
  return 0;
}
