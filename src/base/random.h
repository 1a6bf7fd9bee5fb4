// Where every engine gets its randomness from: handed in, so that a test or a simulation can repeat a run from a seed.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

#include "base/bytes.h"

namespace crosspoint {

class Random {
 public:
  virtual ~Random() = default;
  // In production every byte is cryptographically random.
  virtual void fill(MutableBytes out) = 0;

  template <typename T>
    requires std::is_unsigned_v<T>
  T next() {
    std::uint8_t bytes[sizeof(T)];
    fill(bytes);
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  // Evenly spread over 0 .. bound-1; `bound` > 0.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % bound;
    for (;;) {
      if (auto value = next<std::uint64_t>(); value < limit) return value % bound;
    }
  }
  // `length` letters and digits (5.95 bits each): ice-chars, and safe in a URL, a header and a file name.
  std::string alphanumeric(std::size_t length) {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::string text(length, '\0');
    for (char& c : text) c = kAlphabet[below(sizeof kAlphabet - 1)];
    return text;
  }
};

}  // namespace crosspoint
