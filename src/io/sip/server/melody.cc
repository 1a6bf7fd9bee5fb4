#include "io/sip/server/melody.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <numbers>

namespace crosspoint::sip {
namespace {

struct Note {
  double frequency;  // Hz; 0: a rest
  unsigned eighths;
};
// A round trip through a major chord and back, two bars and a rest.
constexpr auto kTune = std::to_array<Note>({{523.25, 1},
                                            {659.25, 1},
                                            {783.99, 2},
                                            {659.25, 1},
                                            {783.99, 1},
                                            {1046.50, 2},
                                            {987.77, 1},
                                            {880.00, 1},
                                            {783.99, 2},
                                            {698.46, 1},
                                            {587.33, 1},
                                            {523.25, 2},
                                            {0, 2}});
constexpr std::uint32_t kEighthSamples = Melody::kRate / 5;  // 200 ms
constexpr double kLoudness = 8000;
constexpr double kFadeSamples = 80;  // 10 ms at both ends of a note, so that none clicks

constexpr std::uint32_t tuneSamples() {
  std::uint32_t samples = 0;
  for (const Note& note : kTune) samples += note.eighths * kEighthSamples;
  return samples;
}

}  // namespace

std::int16_t Melody::sample() {
  std::uint32_t at = position_++ % tuneSamples();
  std::size_t index = 0;
  while (at >= kTune[index].eighths * kEighthSamples) at -= kTune[index++].eighths * kEighthSamples;
  const Note& note = kTune[index];
  if (note.frequency == 0) return 0;
  const double left = note.eighths * kEighthSamples - at;
  const double fade = std::min({1.0, at / kFadeSamples, left / kFadeSamples});
  phase_ = std::fmod(phase_ + 2 * std::numbers::pi * note.frequency / kRate, 2 * std::numbers::pi);
  return static_cast<std::int16_t>(kLoudness * fade * std::sin(phase_));
}

void Melody::next(Law law, MutableBytes out) {
  for (auto& byte : out.first(kFrameSamples)) byte = law == Law::Mu ? encodeMu(sample()) : encodeA(sample());
}

std::uint8_t encodeMu(std::int16_t sample) {
  constexpr int kBias = 0x84, kClip = 32635;
  const int sign = sample < 0 ? 0x80 : 0;
  const int magnitude = std::min(std::abs(static_cast<int>(sample)), kClip) + kBias;
  const int exponent = std::bit_width(static_cast<unsigned>(magnitude)) - 8;  // 0 to 7
  const int mantissa = magnitude >> (exponent + 3) & 0x0f;
  return static_cast<std::uint8_t>(~(sign | exponent << 4 | mantissa));
}

std::uint8_t encodeA(std::int16_t sample) {
  constexpr int kEvenBits = 0x55;
  const int sign = sample >= 0 ? 0x80 : 0;
  const int magnitude = std::min(sample >= 0 ? int{sample} : ~int{sample}, 32767) >> 3;            // 12 bits
  const int exponent = magnitude < 32 ? 0 : std::bit_width(static_cast<unsigned>(magnitude)) - 5;  // 0 to 7
  const int mantissa = magnitude >> std::max(exponent, 1) & 0x0f;
  return static_cast<std::uint8_t>((sign | exponent << 4 | mantissa) ^ kEvenBits);
}

}  // namespace crosspoint::sip
