// For tests: RTP packets as plain values.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
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

// One SSRC, numbers without a gap, and timestamps that go forward by at most `stepMax` at once.
inline void expectOneStream(const std::vector<RtpSample>& received, std::size_t packets,
                            std::int32_t stepMax = std::numeric_limits<std::int32_t>::max()) {
  ASSERT_EQ(received.size(), packets);
  for (std::size_t i = 1; i < received.size(); ++i) {
    EXPECT_EQ(received[i].ssrc, received[0].ssrc);
    EXPECT_EQ(received[i].sequenceNumber, static_cast<std::uint16_t>(received[i - 1].sequenceNumber + 1)) << i;
    const auto step = static_cast<std::int32_t>(received[i].timestamp - received[i - 1].timestamp);
    EXPECT_GT(step, 0) << i;
    EXPECT_LE(step, stepMax) << i;
  }
}

}  // namespace crosspoint::bridge::test
