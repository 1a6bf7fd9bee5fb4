#include "core/params/media.h"

#include <algorithm>

namespace crosspoint {

bool namesEqual(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool sameEncoding(const Codec& a, const Codec& b) {
  return a.clockRate == b.clockRate && a.channels == b.channels && namesEqual(a.name, b.name);
}

}  // namespace crosspoint
