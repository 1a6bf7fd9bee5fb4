// Which of the last N packets were seen (RFC 3711 §3.3.2). A plain value.
#pragma once
#include <array>
#include <cstdint>

namespace crosspoint::srtp {

template <std::size_t N>
  requires(N % 64 == 0 && (N & (N - 1)) == 0)
class ReplayWindow {
 public:
  bool started() const { return started_; }
  std::uint64_t newest() const { return newest_; }

  // Not seen yet, and not older than the window.
  bool isFresh(std::uint64_t index) const {
    if (!started_ || index > newest_) return true;
    if (newest_ - index >= N) return false;
    return (words_[word(index)] >> (index % 64) & 1) == 0;
  }

  // `index` is fresh.
  void mark(std::uint64_t index) {
    if (!started_) {
      started_ = true;
      newest_ = index;
    } else if (index > newest_) {
      forget(index);
      newest_ = index;
    }
    words_[word(index)] |= std::uint64_t{1} << (index % 64);
  }

  bool operator==(const ReplayWindow&) const = default;

 private:
  static constexpr std::size_t kWords = N / 64;
  static std::size_t word(std::uint64_t index) { return (index / 64) % kWords; }

  // Clears the bits of everything after `newest_` up to `index`: they still tell of packets N earlier.
  void forget(std::uint64_t index) {
    if (index - newest_ >= N) {
      words_.fill(0);
      return;
    }
    for (std::uint64_t i = newest_ + 1; i <= index; ++i) {
      if (i % 64 == 0 && i + 64 <= index) {
        words_[word(i)] = 0;
        i += 63;
      } else {
        words_[word(i)] &= ~(std::uint64_t{1} << (i % 64));
      }
    }
  }

  std::array<std::uint64_t, kWords> words_{};
  std::uint64_t newest_ = 0;
  bool started_ = false;
};

}  // namespace crosspoint::srtp
