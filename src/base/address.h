// IP addresses and UDP/TCP endpoints as plain values.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace crosspoint {

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t hostOrder);
  static IpAddress v6(Bytes sixteenBytes);
  // Dotted quad or RFC 4291 text, without brackets, zone or port. Nothing for anything else, host names included.
  static std::optional<IpAddress> parse(std::string_view text);

  bool isV4() const { return !v6_; }
  bool isV6() const { return v6_; }
  bool isUnspecified() const;
  bool isLoopback() const;
  bool isLinkLocal() const;
  // 4 or 16 bytes in network order.
  Bytes bytes() const { return Bytes(bytes_).first(v6_ ? 16 : 4); }
  std::string toString() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v6_ = false;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "192.0.2.1:5060" or "[2001:db8::1]:5060".
  static std::optional<SocketAddress> parse(std::string_view text);
  std::string toString() const;
  std::size_t hash() const;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace crosspoint

template <>
struct std::hash<crosspoint::SocketAddress> {
  std::size_t operator()(const crosspoint::SocketAddress& address) const noexcept { return address.hash(); }
};
