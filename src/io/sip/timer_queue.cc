#include "io/sip/timer_queue.h"

#include "io/loop/clock.h"

namespace crosspoint::sip {

TimerQueue::TimerQueue(su_root_t* root) : timer_(su_timer_create(su_root_task(root), 0)) {}

TimerQueue::~TimerQueue() {
  if (timer_) su_timer_destroy(timer_);
}

TimerQueue::Id TimerQueue::after(Duration delay, Task task) {
  const auto id = ++last_;
  const auto due = loop::monotonicNow() + delay;
  due_.emplace(id, due);
  const auto inserted = tasks_.emplace(Key(due, id), std::move(task)).first;
  if (inserted == tasks_.begin()) arm();
  return Id{id};
}

void TimerQueue::cancel(Id& id) {
  const auto found = due_.find(static_cast<std::uint64_t>(id));
  id = Id::None;
  if (found == due_.end()) return;
  tasks_.erase(Key(found->second, found->first));
  due_.erase(found);
}

void TimerQueue::arm() {
  if (!timer_ || tasks_.empty()) return;
  const Duration wait = tasks_.begin()->first.first - loop::monotonicNow();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(wait, Duration::zero())).count();
  su_timer_set_interval(timer_, &TimerQueue::expired, this, static_cast<su_duration_t>(milliseconds));
}

void TimerQueue::runDue() {
  const TimePoint now = loop::monotonicNow();
  while (!tasks_.empty() && tasks_.begin()->first.first <= now) {
    auto node = tasks_.extract(tasks_.begin());
    due_.erase(node.key().second);
    node.mapped()();
  }
  arm();
}

void TimerQueue::expired(void*, su_timer_t*, void* self) { static_cast<TimerQueue*>(self)->runDue(); }

}  // namespace crosspoint::sip
