// What one received and one sent RTP stream are measured by (RFC 3550 §6.4, A.1, A.3, A.8).
#pragma once
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "core/rtp/rtcp.h"

namespace crosspoint::rtp {

// One received stream. handlePacket() is on the packet path: no allocation, a few branches.
class ReceiveStatistics {
 public:
  ReceiveStatistics(std::uint32_t ssrc, std::uint32_t clockRate) : ssrc_(ssrc), clockRate_(clockRate) {}

  // False if the packet's number is out of all order; it is not counted then. A jump is believed at its second packet
  // in sequence (RFC 3550 A.1).
  bool handlePacket(TimePoint now, std::uint16_t sequenceNumber, std::uint32_t timestamp, std::size_t payloadBytes);
  // Jitter starts again, as its unit changes.
  void setClockRate(std::uint32_t clockRate);
  void handleSenderReport(TimePoint now, const SenderInfo& info);
  // For the next RTCP report. Starts the next interval of the fraction lost.
  ReportBlock makeReport(TimePoint now);

  std::uint32_t ssrc() const { return ssrc_; }
  std::uint32_t clockRate() const { return clockRate_; }
  bool started() const { return started_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t payloadBytes() const { return payloadBytes_; }
  // Expected less received: negative with duplicates.
  std::int64_t cumulativeLost() const;
  std::uint32_t extendedHighestSequence() const { return cycles_ + highest_; }
  std::uint32_t jitter() const { return jitterTimes16_ >> 4; }  // timestamp units
  std::uint32_t jitterMax() const { return jitterTimes16Max_ >> 4; }
  Duration jitterTime() const { return toTime(jitter()); }
  Duration jitterTimeMax() const { return toTime(jitterMax()); }
  std::uint8_t fractionLost() const { return fractionLost_; }  // as of the last makeReport()
  TimePoint lastPacketAt() const { return lastPacketAt_; }
  const std::optional<SenderInfo>& lastSenderInfo() const { return lastSenderInfo_; }

 private:
  void start(std::uint16_t sequenceNumber);
  bool updateSequence(std::uint16_t sequenceNumber);
  void updateJitter(TimePoint now, std::uint32_t timestamp);
  Duration toTime(std::uint32_t units) const;

  std::uint32_t ssrc_;
  std::uint32_t clockRate_;
  bool started_ = false;
  std::uint16_t highest_ = 0;
  std::uint32_t cycles_ = 0;  // 65536 for each wrap
  std::uint32_t base_ = 0;    // first number since the (re)start
  std::uint32_t badSequence_ = kNoBadSequence;
  std::uint64_t receivedSinceBase_ = 0;
  std::int64_t lostBeforeBase_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t payloadBytes_ = 0;
  std::uint64_t expectedAtReport_ = 0;
  std::uint64_t receivedAtReport_ = 0;
  std::uint8_t fractionLost_ = 0;
  bool hasTransit_ = false;
  std::uint32_t transit_ = 0;
  std::uint32_t lastTimestamp_ = 0;
  std::uint32_t jitterTimes16_ = 0;
  std::uint32_t jitterTimes16Max_ = 0;
  TimePoint lastPacketAt_{};
  std::optional<SenderInfo> lastSenderInfo_;
  TimePoint senderReportAt_{};
  static constexpr std::uint32_t kNoBadSequence = 0x10001;
};

// One sent stream and what the far end says about it.
class SendStatistics {
 public:
  SendStatistics(std::uint32_t ssrc, std::uint32_t clockRate) : ssrc_(ssrc), clockRate_(clockRate) {}

  void handlePacket(TimePoint now, std::uint32_t timestamp, std::size_t payloadBytes) {
    ++packets_;
    payloadBytes_ += payloadBytes;
    lastTimestamp_ = timestamp;
    lastPacketAt_ = now;
  }
  void setClockRate(std::uint32_t clockRate) { clockRate_ = clockRate; }
  // The stream's clock at `now`, as if it ran on evenly since the last packet. `ntp` belongs to `now`.
  SenderInfo makeSenderInfo(TimePoint now, std::uint64_t ntp) const;
  // A report about this stream; `ntp` belongs to the time of arrival (RFC 3550 §6.4.1: round trip = arrival - LSR -
  // DLSR).
  void handleReport(const ReportBlock& block, std::uint64_t ntp);

  std::uint32_t ssrc() const { return ssrc_; }
  std::uint32_t clockRate() const { return clockRate_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t payloadBytes() const { return payloadBytes_; }
  TimePoint lastPacketAt() const { return lastPacketAt_; }
  std::optional<Duration> roundTrip() const { return roundTrip_; }
  std::optional<Duration> roundTripMax() const { return roundTripMax_; }
  std::uint64_t roundTripCount() const {
    return roundTripCount_;
  }  // of what the largest and the average are taken from
  Duration roundTripAverage() const;  // zero: none yet
  std::uint32_t reportedJitterMax() const { return reportedJitterMax_; }
  const std::optional<ReportBlock>& lastReport() const { return lastReport_; }  // loss and jitter at the far end

 private:
  std::uint32_t ssrc_;
  std::uint32_t clockRate_;
  std::uint64_t packets_ = 0;
  std::uint64_t payloadBytes_ = 0;
  std::uint32_t lastTimestamp_ = 0;
  TimePoint lastPacketAt_{};
  std::optional<Duration> roundTrip_;
  std::optional<Duration> roundTripMax_;
  Duration roundTripSum_{};
  std::uint64_t roundTripCount_ = 0;
  std::uint32_t reportedJitterMax_ = 0;
  std::optional<ReportBlock> lastReport_;
};

}  // namespace crosspoint::rtp
