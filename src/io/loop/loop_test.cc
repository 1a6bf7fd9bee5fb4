// Clock, randomness, mailboxes and the worker loop, on real threads and descriptors; every wait is for an event.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <future>
#include <set>
#include <string>
#include <thread>

#include "io/loop/clock.h"
#include "io/loop/mailbox.h"
#include "io/loop/system_random.h"
#include "io/loop/worker_loop.h"

namespace crosspoint::loop {
namespace {

bool readable(int fd) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) == 1;
}

TEST(Clock, TheAnchorTiesBothScalesTogether) {
  const auto anchor = takeWallClockAnchor();
  const auto later = monotonicNow();
  EXPECT_GE(later, anchor.monotonic);
  EXPECT_LT(wallNow() - anchor.at(monotonicNow()), 1s);
}

TEST(SystemRandom, GivesDifferentBytesForEveryRequestSize) {
  SystemRandom random;
  std::set<std::string> seen;
  for (const std::size_t size : {16U, 100U, 500U, 512U, 5000U}) {
    for (int i = 0; i < 20; ++i) {
      std::string bytes(size, '\0');
      random.fill({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
      EXPECT_TRUE(seen.insert(bytes.substr(0, 16)).second);
      EXPECT_NE(bytes.substr(size - 12), std::string(12, '\0'));
    }
  }
}

TEST(Mailbox, KeepsTheOrderOfPosts) {
  Mailbox<int> mailbox(10);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(mailbox.post(int{i}));
  std::vector<int> taken;
  EXPECT_TRUE(mailbox.take(taken));
  EXPECT_EQ(taken, (std::vector{0, 1, 2, 3, 4}));
  EXPECT_FALSE(mailbox.take(taken));
  EXPECT_TRUE(taken.empty());
}

TEST(Mailbox, RefusesAndCountsWhatDoesNotFit) {
  Mailbox<std::string> mailbox(2);
  EXPECT_TRUE(mailbox.post("a"));
  EXPECT_TRUE(mailbox.post("b"));
  std::string refused = "kept";
  EXPECT_FALSE(mailbox.post(std::move(refused)));
  EXPECT_EQ(refused, "kept");
  EXPECT_EQ(mailbox.refused(), 1U);
  std::vector<std::string> taken;
  mailbox.take(taken);
  EXPECT_TRUE(mailbox.post("c"));
}

TEST(Mailbox, IsReadableExactlyWhileSomethingWaits) {
  Mailbox<int> mailbox(10);
  EXPECT_FALSE(readable(mailbox.fd()));
  mailbox.post(1);
  mailbox.post(2);
  EXPECT_TRUE(readable(mailbox.fd()));
  std::vector<int> taken;
  mailbox.take(taken);
  EXPECT_FALSE(readable(mailbox.fd()));
  mailbox.post(3);
  EXPECT_TRUE(readable(mailbox.fd()));
}

TEST(Mailbox, IsNotReadableOnceItIsEmptiedHoweverQuickTheConsumerWas) {
  for (int round = 0; round < 500; ++round) {
    Mailbox<int> mailbox(10);
    std::thread producer([&] { mailbox.post(1); });
    std::vector<int> taken;
    while (!mailbox.take(taken)) std::this_thread::yield();
    producer.join();
    ASSERT_FALSE(readable(mailbox.fd())) << "in round " << round;
  }
}

// Runs the loop on a thread of its own and answers with what happened there.
struct RecordingClient final : WorkerLoop::Client {
  explicit RecordingClient(WorkerLoop& owner) : loop(owner) {}
  void handleReady(TimePoint, std::uint32_t key) override {
    if (onReady) onReady(key);
  }
  void handleWakeUp(TimePoint now) override {
    lastWakeUp = now;
    if (onWakeUp) onWakeUp(now);
  }
  std::optional<TimePoint> nextTimeout() const override { return deadline; }

  WorkerLoop& loop;
  std::function<void(std::uint32_t)> onReady;
  std::function<void(TimePoint)> onWakeUp;
  std::optional<TimePoint> deadline;
  TimePoint lastWakeUp{};
};

TEST(WorkerLoop, TellsWhichDescriptorCanBeRead) {
  WorkerLoop loop({});
  RecordingClient client(loop);
  WakeUp quiet, ready;
  ASSERT_TRUE(loop.add(quiet.fd(), 7));
  ASSERT_TRUE(loop.add(ready.fd(), 0xfffffffe));
  std::vector<std::uint32_t> keys;
  client.onReady = [&](std::uint32_t key) {
    keys.push_back(key);
    ready.reset();
    loop.stop();
  };
  ready.notify();
  loop.run(client);
  EXPECT_EQ(keys, std::vector{0xfffffffeU});
}

TEST(WorkerLoop, WakesUpAtTheDeadlineAndNotBefore) {
  WorkerLoop loop({});
  RecordingClient client(loop);
  client.deadline = monotonicNow() + 5ms;
  const auto deadline = *client.deadline;
  client.onWakeUp = [&](TimePoint) { loop.stop(); };
  loop.run(client);
  EXPECT_GE(client.lastWakeUp, deadline);
}

TEST(WorkerLoop, ADeadlineThatHasPassedRunsAtOnce) {
  WorkerLoop loop({});
  RecordingClient client(loop);
  client.deadline = TimePoint{};
  client.onWakeUp = [&](TimePoint) { loop.stop(); };
  loop.run(client);
  EXPECT_EQ(loop.wakeUps(), 1U);
}

TEST(WorkerLoop, AMailboxWakesItFromAnotherThread) {
  constexpr int kProducers = 4, kEach = 1000;
  WorkerLoop loop({});
  RecordingClient client(loop);
  Mailbox<int> mailbox(kProducers * kEach);
  ASSERT_TRUE(loop.addWakeUp(mailbox.fd()));
  std::vector<int> taken, all;
  client.onWakeUp = [&](TimePoint) {
    while (mailbox.take(taken)) all.insert(all.end(), taken.begin(), taken.end());
    if (all.size() == kProducers * kEach) loop.stop();
  };
  std::vector<std::jthread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) mailbox.post(p * kEach + i);
    });
  }
  loop.run(client);
  for (int p = 0; p < kProducers; ++p) {
    std::vector<int> ofOne;
    for (int value : all) {
      if (value / kEach == p) ofOne.push_back(value);
    }
    EXPECT_TRUE(std::is_sorted(ofOne.begin(), ofOne.end()));
    EXPECT_EQ(ofOne.size(), static_cast<std::size_t>(kEach));
  }
}

TEST(WorkerLoop, AStopBeforeItRunsCountsOnceAndThenItRunsAgain) {
  WorkerLoop loop({});
  RecordingClient client(loop);
  loop.stop();
  loop.run(client);
  EXPECT_EQ(loop.wakeUps(), 0U);
  client.deadline = TimePoint{};
  client.onWakeUp = [&](TimePoint) { loop.stop(); };
  loop.run(client);
  EXPECT_EQ(loop.wakeUps(), 1U);
}

TEST(WorkerLoop, StopsFromAnotherThread) {
  WorkerLoop loop({});
  RecordingClient client(loop);
  std::promise<void> running;
  client.deadline = TimePoint{};
  client.onWakeUp = [&](TimePoint) {
    client.deadline.reset();
    running.set_value();
    client.onWakeUp = nullptr;
  };
  std::thread thread([&] { loop.run(client); });
  running.get_future().wait();
  loop.stop();
  thread.join();
}

TEST(WorkerLoop, ARemovedDescriptorIsNotReportedAnyMore) {
  WorkerLoop loop({});
  RecordingClient client(loop);
  WakeUp one, two;
  loop.add(one.fd(), 1);
  loop.add(two.fd(), 2);
  one.notify();
  loop.remove(one.fd());
  std::vector<std::uint32_t> keys;
  client.onReady = [&](std::uint32_t key) {
    keys.push_back(key);
    loop.stop();
  };
  two.notify();
  loop.run(client);
  EXPECT_EQ(keys, std::vector{2U});
}

TEST(WorkerLoop, NapsAfterReadingSoThatBatchesGrow) {
  WorkerLoop loop({.nap = 1ms});
  RecordingClient client(loop);
  WakeUp ready;
  loop.add(ready.fd(), 1);
  ready.notify();
  std::vector<TimePoint> wakeUps;
  client.onWakeUp = [&](TimePoint now) {
    wakeUps.push_back(now);
    if (wakeUps.size() == 2) loop.stop();
  };
  loop.run(client);
  EXPECT_GE(wakeUps[1] - wakeUps[0], 1ms);
}

}  // namespace
}  // namespace crosspoint::loop
