// Tells apart what shares one UDP port, by the first two bytes (RFC 7983, RFC 5761 §4).
#pragma once
#include <cstdint>

#include "base/bytes.h"

namespace crosspoint::rtp {

enum class PacketClass : std::uint8_t { Unknown, Stun, Dtls, Rtp, Rtcp };

//   first byte   0 ..   3  STUN
//               20 ..  63  DTLS
//              128 .. 191  RTP, or RTCP if the second byte is 192 .. 223 (payload types 64 .. 95 are kept free for
//              that)
// ZRTP (16 .. 19), TURN channels (64 .. 79: demultiplexed before, by the TURN client) and the rest are unknown to us.
inline PacketClass classify(Bytes datagram) {
  if (datagram.size() < 2) return PacketClass::Unknown;
  const std::uint8_t first = datagram[0];
  if (first >= 128 && first <= 191) {
    return (datagram[1] & 0xe0) == 0xc0 ? PacketClass::Rtcp : PacketClass::Rtp;
  }
  if (first <= 3) return PacketClass::Stun;
  if (first >= 20 && first <= 63) return PacketClass::Dtls;
  return PacketClass::Unknown;
}

}  // namespace crosspoint::rtp
