// RTP packet parsing (RFC 3550 §5.1) and header extensions (RFC 8285).
#include "core/rtp/packet.h"

#include "base/check.h"

namespace crosspoint::rtp {
namespace {

constexpr std::uint16_t kOneByteProfile = 0xbede;  // RFC 8285 §4.2
constexpr std::uint16_t kTwoByteProfile = 0x1000;  // RFC 8285 §4.3; the last four bits are the application's
constexpr std::uint8_t kOneByteStop = 15;

}  // namespace

ExtensionReader::ExtensionReader(std::uint16_t profile, Bytes body)
    : rest_(body),
      form_(profile == kOneByteProfile              ? Form::OneByte
            : (profile & 0xfff0) == kTwoByteProfile ? Form::TwoByte
                                                    : Form::None) {}

std::optional<Extension> ExtensionReader::next() {
  if (form_ == Form::None) return std::nullopt;
  while (!rest_.empty() && rest_[0] == 0) rest_ = rest_.subspan(1);  // padding between elements
  const std::size_t prefix = form_ == Form::OneByte ? 1 : 2;
  if (rest_.size() < prefix) return std::nullopt;
  Extension extension;
  std::size_t size;
  if (form_ == Form::OneByte) {
    extension.id = rest_[0] >> 4;
    size = (rest_[0] & 0x0fu) + 1;
  } else {
    extension.id = rest_[0];
    size = rest_[1];
  }
  // RFC 8285 §4.2: 15 ends the processing; 0 with a length is not defined and ends it too.
  if (extension.id == 0 || (form_ == Form::OneByte && extension.id == kOneByteStop) || prefix + size > rest_.size()) {
    rest_ = {};
    return std::nullopt;
  }
  extension.data = rest_.subspan(prefix, size);
  rest_ = rest_.subspan(prefix + size);
  return extension;
}

std::optional<PacketView> PacketView::parse(Bytes bytes) {
  const auto header = headerSize(bytes);
  if (!header) return std::nullopt;
  std::size_t padding = 0;
  if (bytes[0] & 0x20) {
    padding = bytes.back();
    if (padding == 0 || *header + padding > bytes.size()) return std::nullopt;
  }
  return PacketView(bytes, *header, padding);
}

std::uint32_t PacketView::csrc(std::size_t index) const {
  CROSSPOINT_CHECK(index < csrcCount());
  return loadBigEndian<std::uint32_t>(bytes_.data() + kFixedHeaderBytes + 4 * index);
}

ExtensionReader PacketView::extensions() const {
  if (!hasExtension()) return ExtensionReader(0, {});
  const std::size_t at = kFixedHeaderBytes + 4 * csrcCount();
  return ExtensionReader(loadBigEndian<std::uint16_t>(bytes_.data() + at),
                         bytes_.subspan(at + 4, headerBytes_ - at - 4));
}

std::optional<Bytes> PacketView::extension(std::uint8_t id) const {
  for (ExtensionReader reader = extensions(); auto element = reader.next();) {
    if (element->id == id) return element->data;
  }
  return std::nullopt;
}

MutableBytes withoutExtension(MutableBytes packet) {
  if ((packet[0] & 0x10) == 0) return packet;
  const std::size_t kept = kFixedHeaderBytes + 4u * (packet[0] & 0x0f);
  const std::size_t removed = 4 + 4u * loadBigEndian<std::uint16_t>(packet.data() + kept + 2);
  packet[0] &= 0xef;
  std::memmove(packet.data() + removed, packet.data(), kept);
  return packet.subspan(removed);
}

void writeHeader(ByteWriter& writer, const Header& header) {
  writer.write<std::uint8_t>(0x80);
  writer.write(static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | (header.payloadType & 0x7f)));
  writer.write(header.sequenceNumber);
  writer.write(header.timestamp);
  writer.write(header.ssrc);
}

}  // namespace crosspoint::rtp
