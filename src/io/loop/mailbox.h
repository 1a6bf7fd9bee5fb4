// How threads talk: a bounded queue with many producers and one consumer, which a file descriptor wakes.
//
//   Mailbox<Job> mailbox(1000);
//   mailbox.post(Job{...});                       // any thread; false: full, the job is lost and counted
//   ...                                           // consumer, when mailbox.fd() is readable:
//   mailbox.take(jobs);                           // everything that waits, in order of posting
//   for (Job& job : jobs) ...
//
// Posts of one thread keep their order. The consumer is woken once for any number of posts.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "io/loop/wake_up.h"

namespace crosspoint::loop {

template <typename T>
class Mailbox {
 public:
  // Throws std::system_error when the process has no file descriptor left.
  explicit Mailbox(std::size_t capacity) : capacity_(capacity) {}

  // Any thread. False if the mailbox is full: `value` is then untouched, the loss is counted.
  bool post(T&& value) {
    bool first = false;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.size() >= capacity_) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
      }
      first = waiting_.empty();
      waiting_.push_back(std::move(value));
    }
    if (first) wakeUp_.notify();
    return true;
  }

  // Consumer only. Replaces the content of `into` by all that waits; its storage is used again. False: nothing waited.
  bool take(std::vector<T>& into) {
    into.clear();
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) return false;
    waiting_.swap(into);
    wakeUp_.reset();  // under the lock: a notification for what is posted from now on must not be lost
    return true;
  }

  // Readable while something waits (and once in a while without cause).
  int fd() const { return wakeUp_.fd(); }
  // Posts that were refused so far. Any thread.
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::vector<T> waiting_;
  WakeUp wakeUp_;
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace crosspoint::loop
