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

  // Any thread. False if the mailbox is full, but for `keepFree` places that are for others: `value` is then untouched,
  // the loss is counted.
  bool post(T&& value, std::size_t keepFree = 0) {
    std::lock_guard lock(mutex_);
    if (waiting_.size() + keepFree >= capacity_) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    waiting_.push_back(std::move(value));
    // Under the lock: a consumer that is awake anyway may take the value at once, and would never reset a notification
    // that comes after that.
    if (waiting_.size() == 1) {
      posted_.store(true, std::memory_order_release);
      wakeUp_.notify();
    }
    return true;
  }

  // Consumer only. Replaces the content of `into` by all that waits; its storage is used again. False: nothing waited.
  bool take(std::vector<T>& into) {
    into.clear();
    if (!posted_.load(std::memory_order_acquire)) return false;
    std::lock_guard lock(mutex_);
    posted_.store(false, std::memory_order_relaxed);
    waiting_.swap(into);
    wakeUp_.reset();
    return true;
  }

  // Readable while something waits.
  int fd() const { return wakeUp_.fd(); }
  // Posts that were refused so far. Any thread.
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::vector<T> waiting_;
  std::atomic<bool> posted_{false};  // something waits; written under the lock
  WakeUp wakeUp_;
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace crosspoint::loop
