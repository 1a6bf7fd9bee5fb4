// Virtual time: things that will happen, in order. Equal times happen in the order in which they were planned.
#pragma once
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/time.h"

namespace crosspoint::sim {

class Clock {
 public:
  TimePoint now() const { return now_; }
  std::uint64_t steps() const { return steps_; }

  void at(TimePoint when, std::function<void()> what) {
    queue_.push({std::max(when, now_), ++order_, std::move(what)});
  }
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  // False: nothing is left, or what is left comes after `end` (time is then at `end`).
  bool step(TimePoint end) {
    if (queue_.empty() || queue_.top().when > end) {
      now_ = std::max(now_, end);
      return false;
    }
    auto what = std::move(const_cast<Planned&>(queue_.top()).what);
    now_ = queue_.top().when;
    queue_.pop();
    ++steps_;
    what();
    return true;
  }

 private:
  struct Planned {
    TimePoint when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Planned& other) const { return when != other.when ? when > other.when : order > other.order; }
  };
  TimePoint now_{};
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::priority_queue<Planned> queue_;
};

// An engine's timer: wakes its owner at the engine's next deadline, whenever that changes.
class Timer {
 public:
  Timer(Clock& clock, std::function<void()> expired) : clock_(clock), expired_(std::move(expired)) {}
  void set(std::optional<TimePoint> when) {
    if (when == planned_) return;
    planned_ = when;
    if (!when) return;
    clock_.at(*when, [this, alive = std::weak_ptr<int>(alive_), when] {
      if (alive.expired() || planned_ != when) return;
      planned_.reset();
      expired_();
    });
  }

 private:
  Clock& clock_;
  std::function<void()> expired_;
  std::optional<TimePoint> planned_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace crosspoint::sim
