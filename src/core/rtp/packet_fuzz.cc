// RTP packets as strangers send them: what parse() accepts can be walked, rewritten and stripped within its bytes, as
// an event too.
#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "core/rtp/rewriter.h"
#include "core/rtp/telephone_event.h"

using namespace crosspoint;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  (void)rtp::classify(bytes);
  const auto packet = rtp::PacketView::parse(bytes);
  if (!packet) return 0;
  std::size_t seen = packet->payload().size() + packet->paddingBytes();
  for (std::size_t i = 0; i < packet->csrcCount(); ++i) seen += packet->csrc(i) & 1;
  for (auto reader = packet->extensions(); auto element = reader.next();) {
    for (std::uint8_t byte : element->data) seen += byte & 1;
  }
  ByteVector copy(data, data + size);
  rtp::Rewriter rewriter({.ssrc = 1, .firstSequenceNumber = static_cast<std::uint16_t>(seen)});
  rewriter.rewrite(TimePoint{}, copy, 96);
  rewriter.rewrite(TimePoint{} + 1h, copy, 96);
  rtp::convertEventDuration(copy, 48000, 8000);
  rtp::EventStarts starts;
  if (starts.handle(copy)) {
    rtp::EventStart start(copy, 8000);
    rtp::Rewriter fresh({.ssrc = 2});  // nothing has been sent, so that there is room before the end
    if (!fresh.insert(TimePoint{}, start.bytes(), 96) || starts.handle(copy)) __builtin_trap();
  }
  const auto stripped = rtp::PacketView::parse(rtp::withoutExtension(copy));
  if (!stripped || stripped->hasExtension() || stripped->payload().size() != packet->payload().size()) __builtin_trap();
  return 0;
}
