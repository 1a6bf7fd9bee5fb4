// Deadlines on the SIP thread: any number of them behind one su_timer.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/time.h"
#include "io/sip/sofia.h"

namespace crosspoint::sip {

class TimerQueue {
 public:
  enum class Id : std::uint64_t { None = 0 };
  using Task = std::function<void()>;

  explicit TimerQueue(su_root_t* root);
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // Runs `task` once, when `delay` has passed.
  Id after(Duration delay, Task task);
  // Harmless for one that ran or was cancelled; sets `id` to None.
  void cancel(Id& id);
  std::size_t size() const { return tasks_.size(); }

 private:
  using Key = std::pair<TimePoint, std::uint64_t>;

  void arm();
  void runDue();
  static void expired(void*, su_timer_t*, void* self);

  su_timer_t* timer_;
  std::map<Key, Task> tasks_;
  std::unordered_map<std::uint64_t, TimePoint> due_;
  std::uint64_t last_ = 0;
};

}  // namespace crosspoint::sip
