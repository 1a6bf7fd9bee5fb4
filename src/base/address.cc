#include "base/address.h"

#include "base/scan.h"

namespace crosspoint {
namespace {

std::optional<std::uint16_t> parseNumber(std::string_view text, int base, unsigned max) {
  const auto value = toNumber<unsigned>(text, base);
  if (!value || *value > max) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

bool parseV4(std::string_view text, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const auto dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot == 0 || dot > 3) return false;
    auto value = parseNumber(text.substr(0, dot), 10, 255);
    if (!value) return false;
    out[i] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return text.empty();
}

bool parseV6(std::string_view text, std::uint8_t* out) {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0;
  std::optional<std::size_t> gap;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (size >= 16) return false;
    const auto colon = text.find(':');
    const auto group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      if (size > 12 || !parseV4(group, bytes.data() + size)) return false;
      size += 4;
      text = {};
      break;
    }
    if (group.empty() || group.size() > 4) return false;
    auto value = parseNumber(group, 16, 0xffff);
    if (!value) return false;
    storeBigEndian(bytes.data() + size, *value);
    size += 2;
    if (colon == std::string_view::npos) {
      text = {};
      break;
    }
    text.remove_prefix(colon + 1);
    if (text.starts_with(':')) {
      if (gap) return false;
      gap = size;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return false;
    }
  }
  if (gap ? size > 14 : size != 16) return false;
  if (gap) {
    const std::size_t tail = size - *gap;
    std::memmove(bytes.data() + 16 - tail, bytes.data() + *gap, tail);
    std::memset(bytes.data() + *gap, 0, 16 - size);
  }
  std::memcpy(out, bytes.data(), 16);
  return true;
}

void appendHex(std::string& text, unsigned value) {
  char buffer[8];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, 16);
  text.append(buffer, end);
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t hostOrder) {
  IpAddress address;
  storeBigEndian(address.bytes_.data(), hostOrder);
  return address;
}

IpAddress IpAddress::v6(Bytes sixteenBytes) {
  IpAddress address;
  std::copy(sixteenBytes.begin(), sixteenBytes.begin() + 16, address.bytes_.begin());
  address.v6_ = true;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress address;
  if (parseV4(text, address.bytes_.data())) return address;
  address = {};
  address.v6_ = true;
  if (text.find(':') != std::string_view::npos && parseV6(text, address.bytes_.data())) return address;
  return std::nullopt;
}

bool IpAddress::isUnspecified() const { return bytes_ == std::array<std::uint8_t, 16>{}; }

bool IpAddress::isLoopback() const {
  if (!v6_) return bytes_[0] == 127;
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return bytes_ == one;
}

bool IpAddress::isLinkLocal() const {
  return v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80 : bytes_[0] == 169 && bytes_[1] == 254;
}

std::string IpAddress::toString() const {
  std::string text;
  if (!v6_) {
    for (int i = 0; i < 4; ++i) text += (i ? "." : "") + std::to_string(bytes_[static_cast<std::size_t>(i)]);
    return text;
  }
  // RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals, becomes "::".
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = loadBigEndian<std::uint16_t>(bytes_.data() + 2 * i);
  std::size_t best = 8, bestLength = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > bestLength) best = i, bestLength = length;
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == best) {
      text += "::";
      i += bestLength;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    appendHex(text, groups[i++]);
  }
  return text;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  std::string_view host, port;
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    port = text.substr(end + 2);
  } else {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  auto ip = IpAddress::parse(host);
  auto number = parseNumber(port, 10, 65535);
  if (!ip || !number || port.empty()) return std::nullopt;
  return SocketAddress{*ip, *number};
}

std::string SocketAddress::toString() const {
  return (ip.isV6() ? "[" + ip.toString() + "]" : ip.toString()) + ":" + std::to_string(port);
}

std::size_t SocketAddress::hash() const {
  std::uint64_t value = 0;
  const auto bytes = ip.bytes();
  if (ip.isV4()) {
    value = loadBigEndian<std::uint32_t>(bytes.data());
  } else {
    value = loadBigEndian<std::uint64_t>(bytes.data()) * 0x9e3779b97f4a7c15ULL ^
            loadBigEndian<std::uint64_t>(bytes.data() + 8);
  }
  value = (value << 16 | port) * 0x9e3779b97f4a7c15ULL;
  return value ^ value >> 32;
}

}  // namespace crosspoint
