// One outgoing RTP stream made of whatever sources follow each other: fixed SSRC, continuous sequence numbers and
// timestamps.
//
//     rtp::Rewriter toPage({.ssrc = 0x1234, .firstSequenceNumber = 1000, .firstTimestamp = 77, .clockRate = 8000});
//     if (toPage.rewrite(now, packet, payloadType)) sink.forward(...);
//
// Within one source nothing is smoothed over: a lost packet stays a gap, a late one stays late, a duplicate stays one.
// At a new source (another SSRC, or the same one that jumped in sequence number or stopped its clock over a hold) the
// next sequence number follows without a gap, the timestamp moves on by the time that passed, and the marker bit is set
// (RFC 3551 §4.1).
//
// No two different packets leave with one sequence number because of a switch, so that an SRTP nonce is never used
// twice.
#pragma once
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace crosspoint::rtp {

// A gap or step back within one source beyond this is a restart of the source (RFC 3550 A.1 MAX_DROPOUT and
// MAX_MISORDER).
inline constexpr int kSequenceGapMax = 3000;
inline constexpr int kSequenceMisorderMax = 100;
// How far a source's timestamp may be from the time that passed since its last packet before it counts as a new clock.
inline constexpr Duration kClockDeviationMax = std::chrono::seconds(2);
// For this long after a switch, packets of the source before are stragglers and not a switch back.
inline constexpr Duration kStragglerTime = std::chrono::milliseconds(200);

class Rewriter {
 public:
  struct Config {
    std::uint32_t ssrc = 0;
    std::uint16_t firstSequenceNumber =
        0;  // below 2^15, RFC 3711 §3.3.1: late packets at the start must not seem to wrap
    std::uint32_t firstTimestamp = 0;
    std::uint32_t clockRate = 8000;  // Hz, of what goes out
    bool markSwitches = true;        // false for video, where the marker means the end of a frame
  };
  // All there is to know, as plain data: what a process writes out to take the stream up elsewhere. Times are left out;
  // a restored stream goes on as after a switch.
  struct State {
    Config config;
    std::uint16_t highestSequenceNumber = 0;  // sent
    std::uint32_t latestTimestamp = 0;        // sent
    bool started = false;
  };

  explicit Rewriter(const Config& config);
  // Time passes from `now` on.
  Rewriter(const State& state, TimePoint now);

  // Rewrites SSRC, sequence number, timestamp, payload type and perhaps the marker of a well-formed packet in place.
  // False: do not send it (a straggler from before a switch).
  bool rewrite(TimePoint now, MutableBytes packet, std::uint8_t payloadType);

  // The same for a packet that is sent in addition, ahead of the source's own with the same number, which then gets the
  // next one. False: that one is late, and there is no number left before it.
  bool insert(TimePoint now, MutableBytes packet, std::uint8_t payloadType);

  // The next packet starts anew whatever it looks like (the far side was changed by signalling).
  void expectSwitch() { switchExpected_ = true; }
  // From the next packet on; a change counts as a switch of source.
  void setClockRate(std::uint32_t clockRate);

  std::uint32_t ssrc() const { return config_.ssrc; }
  bool started() const { return started_; }
  // The present source's number of a packet that was sent as `sent`, for passing on NACK. Nothing if it was not this
  // source's.
  std::optional<std::uint16_t> sourceSequenceNumber(std::uint16_t sent) const;
  std::optional<std::uint32_t> sourceSsrc() const;
  State state() const;

 private:
  struct Position {
    std::uint16_t sequenceNumber;
    std::uint32_t timestamp;
  };
  enum class Follows : std::uint8_t { Continues, Restarts, Straggles };
  Follows compare(TimePoint now, std::uint32_t ssrc, Position at) const;
  bool clockFits(std::uint32_t timestamp, TimePoint now) const;
  bool precedesSwitch(std::uint16_t sequenceNumber) const;
  void switchTo(TimePoint now, std::uint32_t ssrc, Position at);
  std::uint32_t ticks(Duration elapsed) const;

  Config config_;
  bool started_ = false;  // something was sent
  bool switchExpected_ = false;
  bool hasSource_ = false;
  bool hasPrevious_ = false;
  std::uint32_t sourceSsrc_ = 0;
  std::uint32_t previousSsrc_ = 0;
  TimePoint switchedAt_{};
  std::uint16_t sequenceOffset_ = 0;  // sent = received + offset
  std::uint32_t timestampOffset_ = 0;
  std::uint16_t firstOfSource_ = 0;  // received numbers; older than this is from before the switch
  std::uint16_t highestOfSource_ = 0;
  bool settled_ = false;  // so far past firstOfSource_ that nothing can precede it any more
  std::uint32_t latestTimestampOfSource_ = 0;
  TimePoint lastPacketAt_{};  // of the highest number
  TimePoint latestAt_{};      // when that timestamp first passed
  std::uint16_t highestSent_ = 0;
  std::uint32_t latestTimestampSent_ = 0;
};

}  // namespace crosspoint::rtp
