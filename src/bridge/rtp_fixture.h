// For tests: RTP packets as plain values.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "base/datagram.h"
#include "base/time.h"
#include "core/rtp/packet.h"

namespace crosspoint::bridge::test {

inline constexpr TimePoint kStart{std::chrono::hours(1)};

struct RtpSample {
  std::uint8_t payloadType = 0;
  std::uint16_t sequenceNumber = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;
  bool marker = false;
  std::size_t payloadBytes = 160;
  ByteVector payload = {};  // of its own, if it matters; payloadBytes then says nothing
};

inline RtpSample toSample(const rtp::PacketView& view) {
  return {view.payloadType(),
          view.sequenceNumber(),
          view.timestamp(),
          view.ssrc(),
          view.marker(),
          view.payload().size(),
          {view.payload().begin(), view.payload().end()}};
}

inline ByteVector toPacket(const RtpSample& sample) {
  const std::size_t payloadBytes = sample.payload.empty() ? sample.payloadBytes : sample.payload.size();
  ByteVector bytes(rtp::kFixedHeaderBytes + payloadBytes, 0x55);
  std::ranges::copy(sample.payload, bytes.begin() + rtp::kFixedHeaderBytes);
  ByteWriter writer(bytes);
  rtp::writeHeader(writer, {.marker = sample.marker,
                            .payloadType = sample.payloadType,
                            .sequenceNumber = sample.sequenceNumber,
                            .timestamp = sample.timestamp,
                            .ssrc = sample.ssrc});
  return bytes;
}

}  // namespace crosspoint::bridge::test
