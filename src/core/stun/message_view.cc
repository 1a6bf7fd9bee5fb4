#include "core/stun/message_view.h"

#include <algorithm>

#include "core/stun/checksum.h"
#include "crypto/hmac.h"

namespace crosspoint::stun {
namespace {

constexpr std::size_t kIntegrityBytes = 20;

}  // namespace

std::optional<MessageView> MessageView::parse(Bytes bytes) {
  if (bytes.size() < kHeaderBytes || bytes.size() > 0xffff || (bytes[0] & 0xc0) != 0) return std::nullopt;
  if (loadBigEndian<std::uint16_t>(bytes.data() + 2) + kHeaderBytes != bytes.size() || bytes.size() % 4 != 0)
    return std::nullopt;
  if (loadBigEndian<std::uint32_t>(bytes.data() + 4) != kMagicCookie) return std::nullopt;
  MessageView view(bytes);
  const auto type = loadBigEndian<std::uint16_t>(bytes.data());
  view.class_ = static_cast<Class>((type >> 4 & 1) | (type >> 7 & 2));
  view.method_ = static_cast<Method>((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
  if (!view.readAttributes()) return std::nullopt;
  return view;
}

TransactionId MessageView::transactionId() const {
  TransactionId id;
  std::copy_n(bytes_.data() + 8, id.size(), id.begin());
  return id;
}

bool MessageView::readAttributes() {
  ByteReader reader(bytes_.subspan(kHeaderBytes));
  while (!reader.rest().empty()) {
    const std::size_t offset = bytes_.size() - reader.rest().size();
    const auto type = reader.read<std::uint16_t>();
    const auto length = reader.read<std::uint16_t>();
    if (!type || !length) return false;
    const auto value = reader.take(*length);
    if (!value || !reader.take((4 - *length % 4) % 4)) return false;
    const auto known = static_cast<AttributeType>(*type);
    if (hasFingerprint_) return false;  // RFC 8489 §14.7: the last attribute
    if (integrityOffset_ != 0 && known != AttributeType::Fingerprint) continue;
    if (!readAttribute(known, *value, offset)) return false;
  }
  return true;
}

bool MessageView::readAttribute(AttributeType type, Bytes value, std::size_t offset) {
  auto number = [&](auto& into, auto zero) {
    if (value.size() != sizeof zero) return false;
    if (!into) into = loadBigEndian<decltype(zero)>(value.data());
    return true;
  };
  switch (type) {
    case AttributeType::Username:
      if (value.size() > kUsernameBytesMax) return false;
      if (!username_) username_ = asText(value);
      return true;
    case AttributeType::Software:
      if (!software_) software_ = asText(value);
      return true;
    case AttributeType::Priority:
      return number(priority_, std::uint32_t{0});
    case AttributeType::IceControlling:
      return number(iceControlling_, std::uint64_t{0});
    case AttributeType::IceControlled:
      return number(iceControlled_, std::uint64_t{0});
    case AttributeType::UseCandidate:
      useCandidate_ = true;
      return value.empty();
    case AttributeType::XorMappedAddress:
      return readXorMappedAddress(value);
    case AttributeType::ErrorCode:
      return readErrorCode(value);
    case AttributeType::MessageIntegrity:
      if (value.size() != kIntegrityBytes) return false;
      integrityOffset_ = static_cast<std::uint16_t>(offset);
      return true;
    case AttributeType::Fingerprint:
      hasFingerprint_ = checkFingerprint(value, offset);
      return hasFingerprint_;
    case AttributeType::MappedAddress:
    case AttributeType::UnknownAttributes:
    case AttributeType::Realm:
    case AttributeType::Nonce:
      return true;
    default:
      return readUnknown(static_cast<std::uint16_t>(type));
  }
}

bool MessageView::readErrorCode(Bytes value) {
  if (value.size() < 4 || value.size() > 4 + kReasonBytesMax) return false;
  const unsigned hundreds = value[2] & 7, rest = value[3];
  if (hundreds < 3 || hundreds > 6 || rest > 99) return false;
  if (errorCode_) return true;
  errorCode_ = static_cast<std::uint16_t>(hundreds * 100 + rest);
  errorReason_ = asText(value.subspan(4));
  return true;
}

bool MessageView::readXorMappedAddress(Bytes value) {
  const bool v6 = value.size() == 20 && value[1] == 2;
  if (!v6 && !(value.size() == 8 && value[1] == 1)) return false;
  if (xorMappedAddress_) return true;
  std::array<std::uint8_t, 16> address{};
  for (std::size_t i = 0; i < value.size() - 4; ++i)
    address[i] = static_cast<std::uint8_t>(value[4 + i] ^ bytes_[4 + i]);
  const auto port = static_cast<std::uint16_t>(loadBigEndian<std::uint16_t>(value.data() + 2) ^ (kMagicCookie >> 16));
  xorMappedAddress_ =
      SocketAddress{v6 ? IpAddress::v6(address) : IpAddress::v4(loadBigEndian<std::uint32_t>(address.data())), port};
  return true;
}

bool MessageView::checkFingerprint(Bytes value, std::size_t offset) const {
  return value.size() == 4 && loadBigEndian<std::uint32_t>(value.data()) == fingerprintOf(bytes_.first(offset));
}

// RFC 8489 §14: types below 0x8000 must be understood.
bool MessageView::readUnknown(std::uint16_t type) {
  if (type < 0x8000 && unknownCount_ < kUnknownAttributesMax) unknownRequired_[unknownCount_++] = type;
  return true;
}

bool MessageView::verifyIntegrity(Bytes key) const {
  if (integrityOffset_ == 0) return false;
  // RFC 8489 §14.5: the header's length counts up to and including this attribute.
  std::array<std::uint8_t, 4> head{bytes_[0], bytes_[1], 0, 0};
  storeBigEndian(head.data() + 2, static_cast<std::uint16_t>(integrityOffset_ + 4 + kIntegrityBytes - kHeaderBytes));
  const auto mac = crypto::hmacSha1(key, head, bytes_.subspan(4, integrityOffset_ - 4u));
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < mac.size(); ++i)
    difference |= static_cast<std::uint8_t>(mac[i] ^ bytes_[integrityOffset_ + 4u + i]);
  return difference == 0;
}

}  // namespace crosspoint::stun
