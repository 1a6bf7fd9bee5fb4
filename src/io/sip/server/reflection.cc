#include "io/sip/server/reflection.h"

namespace crosspoint::sip {
namespace {

constexpr std::uint32_t kPartner = 0x5a5aa5a5;
constexpr std::size_t kRtpHeaderBytes = 12;
constexpr std::size_t kReportBlockBytes = 24;

enum PacketType : std::uint8_t {
  Sr = 200,
  Rr = 201,
  Sdes = 202,
  Bye = 203,
  TransportFeedback = 205,
  PayloadFeedback = 206
};
constexpr unsigned kFullIntraRequest = 4;   // RFC 5104 §4.3.1
constexpr unsigned kApplicationLayer = 15;  // RFC 4585 §6.4: REMB, with SSRCs in a format of its own

bool turnOver(MutableBytes packet, std::size_t at) {
  if (packet.size() < 4 || at > packet.size() - 4) return false;
  storeBigEndian(packet.data() + at, loadBigEndian<std::uint32_t>(packet.data() + at) ^ kPartner);
  return true;
}

bool turnEvery(MutableBytes packet, std::size_t at, std::size_t step, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!turnOver(packet, at + i * step)) return false;
  }
  return true;
}

// RFC 3550 §6.5: chunks of an SSRC and items that end with a zero and are filled up to 32 bits.
bool reflectDescription(MutableBytes packet, unsigned chunks) {
  std::size_t at = 4;
  for (unsigned i = 0; i < chunks; ++i) {
    if (!turnOver(packet, at)) return false;
    at += 4;
    while (at < packet.size() && packet[at] != 0) {
      if (at + 1 >= packet.size()) return false;
      at += 2U + packet[at + 1];
    }
    if (at >= packet.size()) return false;
    at = (at / 4 + 1) * 4;
  }
  return true;
}

bool reflectOne(MutableBytes packet) {
  const unsigned count = packet[0] & 0x1f;
  switch (packet[1]) {
    case Sr:
      return turnOver(packet, 4) && turnEvery(packet, 28, kReportBlockBytes, count);
    case Rr:
      return turnOver(packet, 4) && turnEvery(packet, 8, kReportBlockBytes, count);
    case Sdes:
      return reflectDescription(packet, count);
    case Bye:
      return turnEvery(packet, 4, 4, count);
    case TransportFeedback:
      return turnOver(packet, 4) && turnOver(packet, 8);
    case PayloadFeedback:
      if (count == kApplicationLayer || !turnOver(packet, 4) || !turnOver(packet, 8)) return false;
      return count != kFullIntraRequest || turnEvery(packet, 12, 8, (packet.size() - 12) / 8);
    default:
      return false;
  }
}

}  // namespace

bool looksLikeRtcp(Bytes packet) { return packet.size() >= 2 && packet[1] >= 192 && packet[1] <= 223; }

bool reflectRtp(MutableBytes packet) {
  if (packet.size() < kRtpHeaderBytes || packet[0] >> 6 != 2) return false;
  const std::size_t sources = packet[0] & 0x0f;
  if (packet.size() < kRtpHeaderBytes + 4 * sources) return false;
  return turnEvery(packet, 8, 4, 1 + sources);
}

bool reflectRtcp(MutableBytes packet) {
  if (packet.empty()) return false;
  while (!packet.empty()) {
    if (packet.size() < 8 || packet[0] >> 6 != 2) return false;
    const std::size_t size = (loadBigEndian<std::uint16_t>(packet.data() + 2) + std::size_t{1}) * 4;
    if (size > packet.size() || size < 8 || !reflectOne(packet.first(size))) return false;
    packet = packet.subspan(size);
  }
  return true;
}

}  // namespace crosspoint::sip
