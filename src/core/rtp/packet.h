// One RTP packet (RFC 3550 §5.1) as a view, its header extensions (RFC 8285), and changes of its header in place.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//     |                           timestamp                           |
//     |                             SSRC                              |
//     |                    CSRC (0 .. 15 of them)                     |
//     |  X: profile specific          |   length in 32-bit words      |
//     |                     extension (length words)                  |
//     |                payload ... padding ... P: padding size        |
#pragma once
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace crosspoint::rtp {

inline constexpr std::size_t kFixedHeaderBytes = 12;

// The size of header, CSRCs and extension together; nothing if `packet` does not start with a whole RTP header. All
// that can be known of a packet that is still encrypted (padding and payload are then not readable).
inline std::optional<std::size_t> headerSize(Bytes packet) {
  if (packet.size() < kFixedHeaderBytes || packet[0] >> 6 != 2) return std::nullopt;
  std::size_t size = kFixedHeaderBytes + 4u * (packet[0] & 0x0f);
  if (packet[0] & 0x10) {
    if (size + 4 > packet.size()) return std::nullopt;
    size += 4 + 4u * loadBigEndian<std::uint16_t>(packet.data() + size + 2);
  }
  if (size > packet.size()) return std::nullopt;
  return size;
}

// One element of a header extension.
struct Extension {
  std::uint8_t id = 0;
  Bytes data;
};

// Walks the elements of a header extension of either form (RFC 8285 §4.2, §4.3). An extension of another profile has
// none. What is cut off at the end ends the walk; the elements before stay valid.
class ExtensionReader {
 public:
  ExtensionReader(std::uint16_t profile, Bytes body);
  std::optional<Extension> next();

 private:
  enum class Form : std::uint8_t { OneByte, TwoByte, None };
  Bytes rest_;
  Form form_;
};

// Owns nothing: valid while the parsed bytes are.
class PacketView {
 public:
  // Nothing if the bytes are not one well-formed packet. A stranger chooses them: no exception, no allocation, no log.
  static std::optional<PacketView> parse(Bytes bytes);

  bool marker() const { return (bytes_[1] & 0x80) != 0; }
  std::uint8_t payloadType() const { return bytes_[1] & 0x7f; }
  std::uint16_t sequenceNumber() const { return loadBigEndian<std::uint16_t>(bytes_.data() + 2); }
  std::uint32_t timestamp() const { return loadBigEndian<std::uint32_t>(bytes_.data() + 4); }
  std::uint32_t ssrc() const { return loadBigEndian<std::uint32_t>(bytes_.data() + 8); }
  std::size_t csrcCount() const { return bytes_[0] & 0x0f; }
  // `index` < csrcCount().
  std::uint32_t csrc(std::size_t index) const;
  bool hasExtension() const { return (bytes_[0] & 0x10) != 0; }
  ExtensionReader extensions() const;
  // The first element with this id.
  std::optional<Bytes> extension(std::uint8_t id) const;
  Bytes header() const { return bytes_.first(headerBytes_); }
  Bytes payload() const { return bytes_.subspan(headerBytes_, bytes_.size() - headerBytes_ - paddingBytes_); }
  std::size_t paddingBytes() const { return paddingBytes_; }
  Bytes bytes() const { return bytes_; }

 private:
  PacketView(Bytes bytes, std::size_t headerBytes, std::size_t paddingBytes)
      : bytes_(bytes), headerBytes_(headerBytes), paddingBytes_(paddingBytes) {}
  Bytes bytes_;
  std::size_t headerBytes_;
  std::size_t paddingBytes_;
};

// Changes in place. `packet` is at least a fixed header: parse() or headerSize() has seen it.
inline void setPayloadType(MutableBytes packet, std::uint8_t payloadType) {
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0x80) | (payloadType & 0x7f));
}
inline void setMarker(MutableBytes packet, bool marker) {
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0x7f) | (marker ? 0x80 : 0));
}
inline void setSequenceNumber(MutableBytes packet, std::uint16_t value) { storeBigEndian(packet.data() + 2, value); }
inline void setTimestamp(MutableBytes packet, std::uint32_t value) { storeBigEndian(packet.data() + 4, value); }
inline void setSsrc(MutableBytes packet, std::uint32_t value) { storeBigEndian(packet.data() + 8, value); }

// Takes the whole header extension out of a well-formed packet: the fixed header and the CSRCs move up against the
// payload and the packet starts later in the same buffer. The payload does not move. Without an extension gives
// `packet` back.
MutableBytes withoutExtension(MutableBytes packet);

// What to write into a new packet's header.
struct Header {
  bool marker = false;
  std::uint8_t payloadType = 0;
  std::uint16_t sequenceNumber = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;
};
// kFixedHeaderBytes, without CSRC and extension.
void writeHeader(ByteWriter& writer, const Header& header);

// RFC 1982 arithmetic: is `a` later than `b`?
inline bool isNewer(std::uint16_t a, std::uint16_t b) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(a - b)) > 0;
}

}  // namespace crosspoint::rtp
