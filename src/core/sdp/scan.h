// Cutting one line of SDP into words.
#pragma once
#include <string_view>

#include "base/scan.h"

namespace crosspoint::sdp {

// Takes the next word off the front of `rest`; empty at the end.
inline std::string_view takeWord(std::string_view& rest) {
  while (!rest.empty() && isBlank(rest.front())) rest.remove_prefix(1);
  std::size_t length = 0;
  while (length < rest.size() && !isBlank(rest[length])) ++length;
  const auto word = rest.substr(0, length);
  rest.remove_prefix(length);
  return word;
}

}  // namespace crosspoint::sdp
