// The changes that telephone events need (RFC 4733 §2.3, §2.5.1).
#include "core/rtp/telephone_event.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "core/rtp/rewriter.h"

namespace crosspoint::rtp {
namespace {

constexpr std::uint8_t kEndBit = 0x80;
constexpr std::uint8_t kExtensionBit = 0x10;
constexpr std::uint8_t kPaddingBit = 0x20;
constexpr std::uint32_t kPacketsPerSecond =
    50;  // §2.5.1.2: the interval of the audio, which is 20 ms nearly everywhere
constexpr std::uint32_t kDurationMax = 0xffff;

// The event's bytes; nothing if `packet` has none.
MutableBytes eventIn(MutableBytes packet) {
  const auto view = PacketView::parse(packet);
  if (!view || view->payload().size() < kEventBytes) return {};
  return packet.subspan(view->header().size(), kEventBytes);
}

}  // namespace

void convertEventDuration(MutableBytes packet, std::uint32_t fromClockRate, std::uint32_t toClockRate) {
  if (fromClockRate == toClockRate) return;
  const MutableBytes event = eventIn(packet);
  if (event.empty()) return;
  const std::uint64_t duration = loadBigEndian<std::uint16_t>(event.data() + 2);
  const std::uint64_t converted = duration * toClockRate / fromClockRate;
  storeBigEndian(event.data() + 2, static_cast<std::uint16_t>(std::min<std::uint64_t>(converted, kDurationMax)));
}

bool EventStarts::handle(MutableBytes packet) {
  const MutableBytes event = eventIn(packet);
  if (event.empty()) return false;
  const auto view = PacketView::parse(packet);
  const bool end = (event[1] & kEndBit) != 0;
  const bool marked = view->marker();
  if (end) setMarker(packet, false);

  const bool sameSource = known_ && view->ssrc() == ssrc_;
  const auto ahead = static_cast<std::int16_t>(view->sequenceNumber() - sequenceNumber_);
  if (sameSource && ahead <= 0 && ahead >= -kSequenceMisorderMax) return false;  // late, or twice
  const std::uint32_t moved = view->timestamp() - timestamp_;
  // §2.5.1.3: an event too long for its duration's field goes on in segments, each with a timestamp of its own.
  const bool segment = sameSource && !ended_ && !marked && event[0] == event_ && moved <= kDurationMax;
  const bool starts = !sameSource || event[0] != event_ || (moved != 0 && !segment);

  ended_ = end || (ended_ && !starts);
  known_ = true;
  event_ = event[0];
  sequenceNumber_ = view->sequenceNumber();
  timestamp_ = view->timestamp();
  ssrc_ = view->ssrc();
  if (starts && !end) setMarker(packet, true);
  return starts && end;
}

EventStart::EventStart(Bytes end, std::uint32_t clockRate) {
  const auto view = PacketView::parse(end);
  CROSSPOINT_CHECK(view && view->payload().size() >= kEventBytes);
  const std::size_t header = kFixedHeaderBytes + 4 * view->csrcCount();
  std::memcpy(bytes_.data(), end.data(), header);
  std::memcpy(bytes_.data() + header, view->payload().data(), kEventBytes);
  size_ = header + kEventBytes;
  bytes_[0] &= static_cast<std::uint8_t>(~(kExtensionBit | kPaddingBit));
  setMarker(bytes(), true);
  std::uint8_t* event = bytes_.data() + header;
  event[1] &= static_cast<std::uint8_t>(~kEndBit);
  const std::uint32_t duration = loadBigEndian<std::uint16_t>(event + 2);
  storeBigEndian(event + 2, static_cast<std::uint16_t>(std::min(duration, clockRate / kPacketsPerSecond)));
}

}  // namespace crosspoint::rtp
