// Which of a page's numbered messages have been taken: each is taken once, however often it comes
// (docs/protocols/signalling.md section 3.3).
#pragma once
#include <cstdint>

namespace crosspoint::bridge {

class TakenNumbers {
 public:
  static constexpr std::uint64_t kBehindMax = 63;  // messages may overtake each other by so many

  // False: it was taken before, or is so far behind that this cannot be known. Numbers count from 1.
  bool take(std::uint64_t number) {
    if (number > largest_) {
      const std::uint64_t steps = number - largest_;
      seen_ = steps > kBehindMax ? 0 : seen_ << steps;
      seen_ |= 1;
      largest_ = number;
      return true;
    }
    const std::uint64_t behind = largest_ - number;
    if (number == 0 || behind > kBehindMax || (seen_ >> behind & 1) != 0) return false;
    seen_ |= std::uint64_t{1} << behind;
    return true;
  }
  std::uint64_t largest() const { return largest_; }

 private:
  std::uint64_t largest_ = 0;
  std::uint64_t seen_ = 0;  // bit i: largest_ - i was taken
};

}  // namespace crosspoint::bridge
