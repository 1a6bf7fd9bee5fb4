// Telephone events (RFC 4733), digits that is, on their way through: what a receiver may rely on whatever the source
// sent.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |     event     |E|R| volume    |          duration             |
//
//     if (starts.handle(packet)) send(EventStart(packet, clockRate).bytes());  // Firefox beside Opus: ends alone
//     send(packet);
#pragma once
#include <array>
#include <cstdint>

#include "core/rtp/packet.h"

namespace crosspoint::rtp {

inline constexpr std::size_t kEventBytes = 4;

// §2.3.5: the duration is in units of the clock. `packet` is a whole RTP packet; one too short for an event stays.
void convertEventDuration(MutableBytes packet, std::uint32_t fromClockRate, std::uint32_t toClockRate);

// Knows where the events of one stream start. A stranger chooses the packets: nothing is stored but the last event.
class EventStarts {
 public:
  // A whole RTP packet with an event, as its source sent it. Puts the marker on the first packet of an event and on no
  // end (§2.5.1.1). True: the packet ends an event of which nothing has come before; receivers take such an end for a
  // repeated one and hear nothing, so that it needs a start ahead of it.
  bool handle(MutableBytes packet);

 private:
  bool known_ = false;
  bool ended_ = false;
  std::uint8_t event_ = 0;
  std::uint16_t sequenceNumber_ = 0;  // the highest
  std::uint32_t timestamp_ = 0;
  std::uint32_t ssrc_ = 0;
};

// The first packet of the event that `end` ends: the same header with the marker, 20 ms long at the most.
class EventStart {
 public:
  EventStart(Bytes end, std::uint32_t clockRate);
  MutableBytes bytes() { return MutableBytes(bytes_).first(size_); }

 private:
  static constexpr std::size_t kCsrcBytesMax = 60;
  std::array<std::uint8_t, kFixedHeaderBytes + kCsrcBytesMax + kEventBytes> bytes_;
  std::size_t size_ = 0;
};

}  // namespace crosspoint::rtp
