// Randomness that repeats from a seed (xoshiro256**), for tests and the simulator.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "base/random.h"

namespace crosspoint::test {

class SeededRandom : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) {
    for (auto& word : state_) {  // splitmix64
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
      word = z ^ z >> 31;
    }
  }
  void fill(MutableBytes out) override {
    for (std::size_t i = 0; i < out.size(); i += 8) {
      std::uint64_t value = step();
      for (std::size_t j = i; j < std::min(i + 8, out.size()); ++j, value >>= 8)
        out[j] = static_cast<std::uint8_t>(value);
    }
  }

 private:
  std::uint64_t step() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace crosspoint::test
