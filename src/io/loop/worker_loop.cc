#include "io/loop/worker_loop.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/check.h"
#include "io/loop/clock.h"

namespace crosspoint::loop {
namespace {

constexpr std::size_t kEventsPerWakeUp = 512;
constexpr std::uint64_t kWakeUpOnly = ~std::uint64_t{0};  // no key: keys have 32 bits

timespec toTimespec(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {.tv_sec = static_cast<time_t>(seconds.count()), .tv_nsec = static_cast<long>((duration - seconds).count())};
}

bool addTo(int epoll, int fd, std::uint64_t data) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = data}};
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

WorkerLoop::WorkerLoop(Config config)
    : config_{.nap = std::clamp(config.nap, Duration{0}, kNapMax)},
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      ready_(kEventsPerWakeUp) {
  if (!epoll_ || !addTo(epoll_.get(), stopWakeUp_.fd(), kWakeUpOnly)) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
}

bool WorkerLoop::add(int fd, std::uint32_t key) { return addTo(epoll_.get(), fd, key); }

void WorkerLoop::remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

bool WorkerLoop::addWakeUp(int fd) { return addTo(epoll_.get(), fd, kWakeUpOnly); }

void WorkerLoop::run(Client& client) {
  while (!stopping_.exchange(false, std::memory_order_acquire)) {
    const int count = wait(client.nextTimeout());
    wakeUps_.fetch_add(1, std::memory_order_relaxed);
    const TimePoint now = monotonicNow();
    bool anyRead = false;
    for (int i = 0; i < count; ++i) {
      const auto data = ready_[static_cast<std::size_t>(i)].data.u64;
      if (data == kWakeUpOnly) continue;
      anyRead = true;
      client.handleReady(now, static_cast<std::uint32_t>(data));
    }
    client.handleWakeUp(now);
    if (anyRead && config_.nap > Duration{0}) {
      const timespec nap = toTimespec(config_.nap);
      ::clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
    }
  }
  stopWakeUp_.reset();
}

void WorkerLoop::stop() {
  stopping_.store(true, std::memory_order_release);
  stopWakeUp_.notify();
}

// epoll_pwait2 sleeps to the nanosecond; a kernel or a sandbox without it gets milliseconds, rounded up.
int WorkerLoop::wait(std::optional<TimePoint> deadline) {
  const auto rest = deadline ? std::max(Duration{0}, *deadline - monotonicNow()) : Duration{0};
  const int capacity = static_cast<int>(ready_.size());
  int count = -1;
  if (nanosecondWait_) {
    const timespec timeout = toTimespec(rest);
    count = ::epoll_pwait2(epoll_.get(), ready_.data(), capacity, deadline ? &timeout : nullptr, nullptr);
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) nanosecondWait_ = false;
  }
  if (!nanosecondWait_) {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(rest).count();
    const int timeout = deadline ? static_cast<int>(std::min<std::int64_t>(milliseconds, 1'000'000)) : -1;
    count = ::epoll_wait(epoll_.get(), ready_.data(), capacity, timeout);
  }
  CROSSPOINT_CHECK(count >= 0 || errno == EINTR);
  return std::max(count, 0);
}

}  // namespace crosspoint::loop
