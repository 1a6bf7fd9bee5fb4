#include "io/sip/access.h"

#include <algorithm>

#include "base/scan.h"

namespace crosspoint::sip {
namespace {

bool samePrefix(Bytes a, Bytes b, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - bits % 8));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

}  // namespace

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned bitsMax = address->isV6() ? 128 : 32;
  AddressRange range{*address, bitsMax};
  if (slash == std::string_view::npos) return range;
  const auto bits = toNumber<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > bitsMax) return std::nullopt;
  range.prefixBits = *bits;
  const Bytes bytes = range.first.bytes();
  for (unsigned bit = range.prefixBits; bit < bitsMax; ++bit) {
    if ((bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return range;
}

bool AddressRange::contains(const IpAddress& address) const {
  return address.isV6() == first.isV6() && samePrefix(address.bytes(), first.bytes(), prefixBits);
}

}  // namespace crosspoint::sip
