// Offsets of one outgoing stream, and when they change.
#include "core/rtp/rewriter.h"

#include <algorithm>

#include "core/rtp/packet.h"

namespace crosspoint::rtp {
namespace {

std::int32_t difference(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); }
int difference(std::uint16_t a, std::uint16_t b) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(a - b));
}

}  // namespace

Rewriter::Rewriter(const Config& config) : config_(config) {}

Rewriter::Rewriter(const State& state, TimePoint now)
    : config_(state.config),
      started_(state.started),
      latestAt_(now),
      highestSent_(state.highestSequenceNumber),
      latestTimestampSent_(state.latestTimestamp) {}

Rewriter::State Rewriter::state() const { return {config_, highestSent_, latestTimestampSent_, started_}; }

std::uint32_t Rewriter::ticks(Duration elapsed) const {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max(elapsed, Duration::zero()).count());
  // In two parts: a day at 90 kHz in nanoseconds times Hz would not fit.
  const std::uint64_t seconds = nanoseconds / 1'000'000'000;
  const std::uint64_t rest = nanoseconds % 1'000'000'000;
  return static_cast<std::uint32_t>(seconds * config_.clockRate + rest * config_.clockRate / 1'000'000'000);
}

Rewriter::Follows Rewriter::compare(TimePoint now, std::uint32_t ssrc, Position at) const {
  if (!hasSource_ || switchExpected_) return Follows::Restarts;
  if (ssrc != sourceSsrc_) {
    const bool straggles = hasPrevious_ && ssrc == previousSsrc_ && now - switchedAt_ < kStragglerTime;
    return straggles ? Follows::Straggles : Follows::Restarts;
  }
  const int ahead = difference(at.sequenceNumber, highestOfSource_);
  if (ahead > kSequenceGapMax || ahead < -kSequenceMisorderMax) return Follows::Restarts;
  if (!clockFits(at.timestamp, ahead > 0 ? now : lastPacketAt_)) return Follows::Restarts;
  return precedesSwitch(at.sequenceNumber) ? Follows::Straggles : Follows::Continues;
}

// A timestamp moves with the time since it last moved, or stays while packets keep coming (the packets of one telephone
// event).
bool Rewriter::clockFits(std::uint32_t timestamp, TimePoint now) const {
  const std::uint32_t moved = timestamp - latestTimestampOfSource_;
  const auto deviationMax = static_cast<std::int32_t>(ticks(kClockDeviationMax));
  const std::int32_t sincePacket = difference(moved, ticks(now - lastPacketAt_));
  if (sincePacket >= -deviationMax && sincePacket <= deviationMax) [[likely]]
    return true;
  const std::int32_t sinceChange = difference(moved, ticks(now - latestAt_));
  return sincePacket > 0 && sinceChange <= deviationMax;
}

bool Rewriter::precedesSwitch(std::uint16_t sequenceNumber) const {
  return !settled_ && difference(sequenceNumber, firstOfSource_) < 0;
}

void Rewriter::switchTo(TimePoint now, std::uint32_t ssrc, Position at) {
  const bool first = !started_;
  const std::uint16_t sequenceNumber =
      first ? config_.firstSequenceNumber : static_cast<std::uint16_t>(highestSent_ + 1);
  const std::uint32_t timestamp =
      first ? config_.firstTimestamp : latestTimestampSent_ + std::max<std::uint32_t>(ticks(now - latestAt_), 1);
  hasPrevious_ = hasSource_ && ssrc != sourceSsrc_;
  previousSsrc_ = sourceSsrc_;
  sourceSsrc_ = ssrc;
  switchedAt_ = now;
  hasSource_ = true;
  started_ = true;
  switchExpected_ = false;
  sequenceOffset_ = static_cast<std::uint16_t>(sequenceNumber - at.sequenceNumber);
  timestampOffset_ = timestamp - at.timestamp;
  firstOfSource_ = at.sequenceNumber;
  highestOfSource_ = static_cast<std::uint16_t>(at.sequenceNumber - 1);
  settled_ = false;
}

bool Rewriter::rewrite(TimePoint now, MutableBytes packet, std::uint8_t payloadType) {
  const std::uint32_t ssrc = loadBigEndian<std::uint32_t>(packet.data() + 8);
  const Position at{loadBigEndian<std::uint16_t>(packet.data() + 2), loadBigEndian<std::uint32_t>(packet.data() + 4)};
  const Follows follows = compare(now, ssrc, at);
  if (follows == Follows::Straggles) [[unlikely]]
    return false;
  const bool restarts = follows == Follows::Restarts;
  if (restarts) [[unlikely]]
    switchTo(now, ssrc, at);

  const Position sent{static_cast<std::uint16_t>(at.sequenceNumber + sequenceOffset_), at.timestamp + timestampOffset_};
  if (isNewer(at.sequenceNumber, highestOfSource_)) {
    highestOfSource_ = at.sequenceNumber;
    lastPacketAt_ = now;
    highestSent_ = sent.sequenceNumber;
    settled_ = settled_ || difference(at.sequenceNumber, firstOfSource_) >= kSequenceMisorderMax;
    // The packets of one frame, or of one telephone event, share a timestamp: it belongs to the first.
    if (restarts || at.timestamp != latestTimestampOfSource_) {
      latestTimestampOfSource_ = at.timestamp;
      latestTimestampSent_ = sent.timestamp;
      latestAt_ = now;
    }
  }
  setPayloadType(packet, payloadType);
  if (restarts && config_.markSwitches) setMarker(packet, true);
  setSequenceNumber(packet, sent.sequenceNumber);
  setTimestamp(packet, sent.timestamp);
  setSsrc(packet, config_.ssrc);
  return true;
}

bool Rewriter::insert(TimePoint now, MutableBytes packet, std::uint8_t payloadType) {
  const bool first = !started_;
  const std::uint16_t highestBefore = highestSent_;
  if (!rewrite(now, packet, payloadType) || (!first && highestSent_ == highestBefore)) return false;
  // What is late now would get a number that has been used.
  firstOfSource_ = highestOfSource_--;
  ++sequenceOffset_;
  settled_ = false;
  return true;
}

void Rewriter::setClockRate(std::uint32_t clockRate) {
  if (clockRate == config_.clockRate) return;
  config_.clockRate = clockRate;
  switchExpected_ = true;
}

std::optional<std::uint16_t> Rewriter::sourceSequenceNumber(std::uint16_t sent) const {
  if (!hasSource_) return std::nullopt;
  const auto received = static_cast<std::uint16_t>(sent - sequenceOffset_);
  if (difference(received, highestOfSource_) > 0 || precedesSwitch(received)) return std::nullopt;
  return received;
}

std::optional<std::uint32_t> Rewriter::sourceSsrc() const {
  if (!hasSource_) return std::nullopt;
  return sourceSsrc_;
}

}  // namespace crosspoint::rtp
