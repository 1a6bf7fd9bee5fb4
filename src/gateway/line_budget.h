// How many lines the log may have: requests of strangers cause some, and must fill no disk with them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/time.h"

namespace crosspoint::gateway {

// Of one level, so that strangers' sign-ins leave room for warnings. A second's lines are granted at once.
class LineBudget {
 public:
  static constexpr std::uint64_t kPerSecond = 500;
  static constexpr std::uint64_t kSaved = 10'000;  // of quiet seconds, for a rush

  explicit LineBudget(TimePoint now) : grantedAt_(now) {}

  struct Verdict {
    bool written = false;
    std::uint64_t leftOut = 0;  // lines before this one that were not written: to be told once
  };
  Verdict take(TimePoint now) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now - grantedAt_);
    if (seconds.count() > 0) {
      const auto granted = std::min(static_cast<std::uint64_t>(seconds.count()), kSaved / kPerSecond) * kPerSecond;
      left_ = std::min(left_ + granted, kSaved);
      grantedAt_ += seconds;
    }
    if (left_ == 0) {
      ++leftOut_;
      return {};
    }
    --left_;
    return {.written = true, .leftOut = std::exchange(leftOut_, 0)};
  }

 private:
  TimePoint grantedAt_;
  std::uint64_t left_ = kSaved;
  std::uint64_t leftOut_ = 0;
};

}  // namespace crosspoint::gateway
