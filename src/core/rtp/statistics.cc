// Counting one received and one sent stream (RFC 3550 A.1, A.3, A.8).
#include "core/rtp/statistics.h"

#include <algorithm>

#include "core/rtp/ntp.h"

namespace crosspoint::rtp {
namespace {

constexpr std::uint32_t kSequenceModulus = 1 << 16;
constexpr std::uint16_t kDropoutMax = 3000;
constexpr std::uint16_t kMisorderMax = 1000;  // not A.1's 100: resent video packets come that late (see rewriter.h)

// `elapsed` in units of a clock of `rate` Hz, modulo 2^32. The two parts keep a long time from overflowing.
std::uint32_t toUnits(Duration elapsed, std::uint32_t rate) {
  const auto nanoseconds = static_cast<std::uint64_t>(elapsed.count());
  return static_cast<std::uint32_t>(nanoseconds / 1'000'000'000 * rate +
                                    nanoseconds % 1'000'000'000 * rate / 1'000'000'000);
}

}  // namespace

void ReceiveStatistics::start(std::uint16_t sequenceNumber) {
  // What was lost before a restart stays lost; the numbers in between were never sent.
  lostBeforeBase_ = cumulativeLost();
  if (started_) cycles_ += sequenceNumber < highest_ ? kSequenceModulus : 0;
  started_ = true;
  highest_ = sequenceNumber;
  base_ = cycles_ + sequenceNumber;
  badSequence_ = kNoBadSequence;
  receivedSinceBase_ = 0;
  expectedAtReport_ = 0;
  receivedAtReport_ = 0;
  hasTransit_ = false;
}

bool ReceiveStatistics::updateSequence(std::uint16_t sequenceNumber) {
  if (!started_) {
    start(sequenceNumber);
    return true;
  }
  const auto ahead = static_cast<std::uint16_t>(sequenceNumber - highest_);
  if (ahead < kDropoutMax) {
    if (sequenceNumber < highest_) cycles_ += kSequenceModulus;
    highest_ = sequenceNumber;
    badSequence_ = kNoBadSequence;
    return true;
  }
  if (ahead > kSequenceModulus - kMisorderMax) return true;  // late or twice
  if (sequenceNumber != badSequence_) {
    badSequence_ = (sequenceNumber + 1u) & (kSequenceModulus - 1);
    return false;
  }
  start(sequenceNumber);  // two in sequence: the far end started anew
  return true;
}

// A.8, with the estimate held 16 times as large. Packets of one timestamp (a video frame, a telephone event) are one
// sample: the later ones say nothing about the network but how the sender spread them.
void ReceiveStatistics::updateJitter(TimePoint now, std::uint32_t timestamp) {
  const std::uint32_t transit = toUnits(now.time_since_epoch(), clockRate_) - timestamp;
  if (hasTransit_ && timestamp == lastTimestamp_) return;
  if (hasTransit_) {
    const auto change = static_cast<std::int32_t>(transit - transit_);
    const auto distance = static_cast<std::uint32_t>(change < 0 ? -static_cast<std::int64_t>(change) : change);
    jitterTimes16_ += distance - ((jitterTimes16_ + 8) >> 4);
    jitterTimes16Max_ = std::max(jitterTimes16Max_, jitterTimes16_);
  }
  hasTransit_ = true;
  transit_ = transit;
  lastTimestamp_ = timestamp;
}

bool ReceiveStatistics::handlePacket(TimePoint now, std::uint16_t sequenceNumber, std::uint32_t timestamp,
                                     std::size_t payloadBytes) {
  if (!updateSequence(sequenceNumber)) return false;
  ++receivedSinceBase_;
  ++packets_;
  payloadBytes_ += payloadBytes;
  lastPacketAt_ = now;
  updateJitter(now, timestamp);
  return true;
}

void ReceiveStatistics::setClockRate(std::uint32_t clockRate) {
  if (clockRate == clockRate_) return;
  clockRate_ = clockRate;
  hasTransit_ = false;
  jitterTimes16_ = 0;
  jitterTimes16Max_ = 0;
}

std::int64_t ReceiveStatistics::cumulativeLost() const {
  if (!started_) return 0;
  const std::int64_t expected = std::int64_t{extendedHighestSequence()} - base_ + 1;
  return lostBeforeBase_ + expected - static_cast<std::int64_t>(receivedSinceBase_);
}

void ReceiveStatistics::handleSenderReport(TimePoint now, const SenderInfo& info) {
  lastSenderInfo_ = info;
  senderReportAt_ = now;
}

ReportBlock ReceiveStatistics::makeReport(TimePoint now) {
  const std::uint64_t expected = started_ ? std::uint64_t{extendedHighestSequence()} - base_ + 1 : 0;
  const auto expectedNow = static_cast<std::int64_t>(expected - expectedAtReport_);
  const auto receivedNow = static_cast<std::int64_t>(receivedSinceBase_ - receivedAtReport_);
  const std::int64_t lostNow = expectedNow - receivedNow;
  fractionLost_ = expectedNow <= 0 || lostNow <= 0
                      ? 0
                      : static_cast<std::uint8_t>(std::min<std::int64_t>(lostNow * 256 / expectedNow, 255));
  expectedAtReport_ = expected;
  receivedAtReport_ = receivedSinceBase_;
  constexpr std::int64_t kLostMax = 0x7fffff;
  ReportBlock block{.ssrc = ssrc_,
                    .fractionLost = fractionLost_,
                    .cumulativeLost = static_cast<std::int32_t>(std::clamp(cumulativeLost(), -kLostMax - 1, kLostMax)),
                    .extendedHighestSequence = extendedHighestSequence(),
                    .jitter = jitter()};
  if (lastSenderInfo_) {
    block.lastSenderReport = compactNtp(lastSenderInfo_->ntp);
    block.delaySinceLastReport = toCompactInterval(now - senderReportAt_);
  }
  return block;
}

Duration ReceiveStatistics::toTime(std::uint32_t units) const {
  if (clockRate_ == 0) return Duration::zero();
  return Duration(static_cast<std::int64_t>(std::uint64_t{units} * 1'000'000'000 / clockRate_));
}

SenderInfo SendStatistics::makeSenderInfo(TimePoint now, std::uint64_t ntp) const {
  return {.ntp = ntp,
          .rtpTimestamp = lastTimestamp_ + toUnits(std::max(now - lastPacketAt_, Duration::zero()), clockRate_),
          .packetCount = static_cast<std::uint32_t>(packets_),
          .octetCount = static_cast<std::uint32_t>(payloadBytes_)};
}

void SendStatistics::handleReport(const ReportBlock& block, std::uint64_t ntp) {
  lastReport_ = block;
  reportedJitterMax_ = std::max(reportedJitterMax_, block.jitter);
  if (block.lastSenderReport == 0) return;
  const std::uint32_t units = compactNtp(ntp) - block.lastSenderReport - block.delaySinceLastReport;
  // Half the range or more is a negative time: the far end's clock, or its report, is wrong. A microsecond early is
  // rounding.
  if (units >= 0x80000000) {
    if (units < 0xffffff00) return;
    roundTrip_ = Duration::zero();
  } else {
    roundTrip_ = fromCompactInterval(units);
  }
  roundTripMax_ = std::max(roundTripMax_.value_or(Duration::zero()), *roundTrip_);
  roundTripSum_ += *roundTrip_;
  ++roundTripCount_;
}

Duration SendStatistics::roundTripAverage() const {
  if (roundTripCount_ == 0) return Duration::zero();
  return roundTripSum_ / static_cast<Duration::rep>(roundTripCount_);
}

}  // namespace crosspoint::rtp
