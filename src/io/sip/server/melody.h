// What the music number plays: a short tune of ours, made as it is needed, in G.711.
#pragma once
#include <cstdint>

#include "base/bytes.h"

namespace crosspoint::sip {

class Melody {
 public:
  static constexpr std::uint32_t kRate = 8000;       // Hz
  static constexpr std::size_t kFrameSamples = 160;  // 20 ms
  enum class Law : std::uint8_t { Mu, A };

  // Writes the next 20 ms; `out` holds kFrameSamples bytes.
  void next(Law law, MutableBytes out);

 private:
  std::int16_t sample();
  std::uint32_t position_ = 0;  // in samples since the tune began
  double phase_ = 0;
};

std::uint8_t encodeMu(std::int16_t sample);  // ITU-T G.711
std::uint8_t encodeA(std::int16_t sample);

}  // namespace crosspoint::sip
