// The loop of one media worker: epoll over its sockets, the deadline of its engine, and its mailboxes; one look at the
// clock per wake-up.
//
//   WorkerLoop loop({.nap = 0us});
//   loop.addWakeUp(mailbox.fd());
//   std::thread thread([&] { loop.run(client); });   // client: see WorkerLoop::Client
//   ...
//   loop.stop();                                     // any thread; run() returns after the wake-up in progress
//   thread.join();
#pragma once
#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "io/loop/file_descriptor.h"
#include "io/loop/wake_up.h"

namespace crosspoint::loop {

class WorkerLoop {
 public:
  // What runs on the loop. All three are called on the loop's thread only.
  class Client {
   public:
    virtual ~Client() = default;
    // The descriptor that was added with this key can be read. Level-triggered: what is left unread comes again.
    // The key may be one that was removed earlier in the same wake-up.
    virtual void handleReady(TimePoint now, std::uint32_t key) = 0;
    // Once per wake-up, after every handleReady: take the mailboxes, run what is due, flush.
    virtual void handleWakeUp(TimePoint now) = 0;
    // When to wake up at the latest.
    virtual std::optional<TimePoint> nextTimeout() const = 0;
  };

  struct Config {
    // Sleep this long after each wake-up that had something to read: larger batches, less CPU, later packets. At most 1
    // ms.
    Duration nap{0};
  };
  static constexpr Duration kNapMax = std::chrono::milliseconds(1);

  // Throws std::system_error when the process has no file descriptor left.
  explicit WorkerLoop(Config config);

  // Loop's thread, or any before run(). False, with errno, if the kernel refuses.
  bool add(int fd, std::uint32_t key);
  // Only for a descriptor that stays open afterwards: closing one removes it anyway.
  void remove(int fd);
  // A descriptor that only ends the sleep (Mailbox::fd()); its owner resets it in handleWakeUp.
  bool addWakeUp(int fd);

  // Calls the client until stop(). May be called again afterwards.
  void run(Client& client);
  // Any thread; before run() as well.
  void stop();

  std::uint64_t wakeUps() const { return wakeUps_.load(std::memory_order_relaxed); }

 private:
  int wait(std::optional<TimePoint> deadline);

  const Config config_;
  FileDescriptor epoll_;
  WakeUp stopWakeUp_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> wakeUps_{0};
  bool nanosecondWait_ = true;  // epoll_pwait2 works here
  std::vector<epoll_event> ready_;
};

}  // namespace crosspoint::loop
