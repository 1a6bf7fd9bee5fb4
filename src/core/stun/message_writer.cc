#include "core/stun/message_writer.h"

#include "core/stun/checksum.h"
#include "crypto/hmac.h"

namespace crosspoint::stun {

MessageWriter::MessageWriter(MutableBytes buffer, Class messageClass, Method method, const TransactionId& id)
    : buffer_(buffer), id_(id), writer_(buffer) {
  const auto m = static_cast<unsigned>(method);
  const auto c = static_cast<unsigned>(messageClass);
  const unsigned type = (m & 0x0f) | (m & 0x70) << 1 | (m & 0xf80) << 2 | (c & 1) << 4 | (c & 2) << 7;
  writer_.write(static_cast<std::uint16_t>(type));
  writer_.write(std::uint16_t{0});
  writer_.write(kMagicCookie);
  writer_.write(Bytes(id));
}

void MessageWriter::begin(AttributeType type, std::size_t valueBytes) {
  writer_.write(static_cast<std::uint16_t>(type));
  writer_.write(static_cast<std::uint16_t>(valueBytes));
}

void MessageWriter::setLength(std::size_t following) {
  if (!writer_.failed())
    storeBigEndian(buffer_.data() + 2, static_cast<std::uint16_t>(writer_.size() - kHeaderBytes + following));
}

void MessageWriter::end() {
  writer_.fill((4 - writer_.size() % 4) % 4, 0);
  setLength(0);
}

void MessageWriter::addText(AttributeType type, std::string_view value) {
  begin(type, value.size());
  writer_.write(asBytes(value));
  end();
}

void MessageWriter::addUsername(std::string_view first, std::string_view second) {
  begin(AttributeType::Username, first.size() + 1 + second.size());
  writer_.write(asBytes(first));
  writer_.write(std::uint8_t{':'});
  writer_.write(asBytes(second));
  end();
}

void MessageWriter::addNumber(AttributeType type, std::uint32_t value) {
  begin(type, 4);
  writer_.write(value);
  end();
}

void MessageWriter::addNumber(AttributeType type, std::uint64_t value) {
  begin(type, 8);
  writer_.write(value);
  end();
}

void MessageWriter::addFlag(AttributeType type) {
  begin(type, 0);
  end();
}

void MessageWriter::addXorMappedAddress(const SocketAddress& address) {
  const Bytes ip = address.ip.bytes();
  begin(AttributeType::XorMappedAddress, 4 + ip.size());
  writer_.write(std::uint8_t{0});
  writer_.write(static_cast<std::uint8_t>(address.ip.isV6() ? 2 : 1));
  writer_.write(static_cast<std::uint16_t>(address.port ^ (kMagicCookie >> 16)));
  std::array<std::uint8_t, 16> mask;
  storeBigEndian(mask.data(), kMagicCookie);
  std::copy(id_.begin(), id_.end(), mask.begin() + 4);
  for (std::size_t i = 0; i < ip.size(); ++i) writer_.write(static_cast<std::uint8_t>(ip[i] ^ mask[i]));
  end();
}

void MessageWriter::addError(ErrorCode code, std::string_view reason) {
  const auto number = static_cast<std::uint16_t>(code);
  begin(AttributeType::ErrorCode, 4 + reason.size());
  writer_.write(std::uint16_t{0});
  writer_.write(static_cast<std::uint8_t>(number / 100));
  writer_.write(static_cast<std::uint8_t>(number % 100));
  writer_.write(asBytes(reason));
  end();
}

void MessageWriter::addUnknownAttributes(std::span<const std::uint16_t> types) {
  begin(AttributeType::UnknownAttributes, 2 * types.size());
  for (const std::uint16_t type : types) writer_.write(type);
  end();
}

void MessageWriter::addMessageIntegrity(Bytes key) {
  if (writer_.failed()) return;
  setLength(24);
  const auto mac = crypto::hmacSha1(key, writer_.written());
  begin(AttributeType::MessageIntegrity, mac.size());
  writer_.write(Bytes(mac));
  end();
}

void MessageWriter::addFingerprint() {
  if (writer_.failed()) return;
  setLength(8);
  addNumber(AttributeType::Fingerprint, fingerprintOf(writer_.written()));
}

}  // namespace crosspoint::stun
