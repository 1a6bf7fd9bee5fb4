// Randomness from the kernel (getrandom), fetched in pages so that small requests cost no system call each.
#pragma once
#include <array>
#include <cstddef>

#include "base/random.h"

namespace crosspoint::loop {

// One object per thread. Bytes that were handed out are wiped from the buffer.
class SystemRandom final : public Random {
 public:
  void fill(MutableBytes out) override;

 private:
  static constexpr std::size_t kBufferBytes = 512;
  std::array<std::uint8_t, kBufferBytes> buffer_{};
  std::size_t used_ = kBufferBytes;
};

}  // namespace crosspoint::loop
