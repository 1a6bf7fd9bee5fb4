#include "core/stun/demultiplex.h"

#include "core/stun/types.h"

namespace crosspoint::stun {
namespace {

constexpr std::uint16_t kClassMask = 0x0110;

}  // namespace

bool looksLikeStun(Bytes datagram) {
  return datagram.size() >= kHeaderBytes && (datagram[0] & 0xc0) == 0 &&
         loadBigEndian<std::uint32_t>(datagram.data() + 4) == kMagicCookie &&
         loadBigEndian<std::uint16_t>(datagram.data() + 2) + kHeaderBytes == datagram.size();
}

std::optional<std::string_view> localUfragOf(Bytes datagram) {
  if (!looksLikeStun(datagram) || (loadBigEndian<std::uint16_t>(datagram.data()) & kClassMask) != 0)
    return std::nullopt;
  ByteReader reader(datagram.subspan(kHeaderBytes));
  for (;;) {
    const auto type = reader.read<std::uint16_t>();
    const auto length = reader.read<std::uint16_t>();
    if (!type || !length) return std::nullopt;
    const auto value = reader.take(*length);
    if (!value) return std::nullopt;
    if (static_cast<AttributeType>(*type) == AttributeType::Username) {
      const std::string_view text = asText(*value);
      const auto colon = text.find(':');
      if (colon == std::string_view::npos) return std::nullopt;
      return text.substr(0, colon);
    }
    if (!reader.take((4 - *length % 4) % 4)) return std::nullopt;
  }
}

std::optional<std::uint32_t> transactionPrefixOf(Bytes datagram) {
  if (!looksLikeStun(datagram) || (loadBigEndian<std::uint16_t>(datagram.data()) & 0x0100) == 0) return std::nullopt;
  return loadBigEndian<std::uint32_t>(datagram.data() + 8);
}

}  // namespace crosspoint::stun
