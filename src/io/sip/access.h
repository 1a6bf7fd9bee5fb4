// Who may send requests to us: ranges of addresses as an operator writes them ("192.0.2.0/24", "2001:db8::1").
#pragma once
#include <optional>
#include <string_view>

#include "base/address.h"

namespace crosspoint::sip {

struct AddressRange {
  IpAddress first;
  unsigned prefixBits = 32;  // of 32 or 128

  // An address, or an address and a prefix length whose further bits are zero. Nothing for anything else.
  static std::optional<AddressRange> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  bool operator==(const AddressRange&) const = default;
};

}  // namespace crosspoint::sip
