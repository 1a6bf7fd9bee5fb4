// When a STUN request is sent again and given up.
#include <gtest/gtest.h>

#include "core/stun/client_transaction.h"

namespace crosspoint::stun {
namespace {

constexpr TimePoint kStart{std::chrono::hours(1)};
using Output = ClientTransaction::Output;

// Follows nextTimeout() to the end: the times of the requests, and of the end.
std::pair<std::vector<Duration>, Duration> follow(ClientTransaction transaction) {
  std::pair<std::vector<Duration>, Duration> result;
  TimePoint now = kStart;
  while (true) {
    while (const auto output = transaction.pollOutput()) {
      if (*output == Output::TimedOut) return {result.first, now - kStart};
      result.first.push_back(now - kStart);
    }
    now = transaction.nextTimeout().value();
    transaction.handleTimeout(now);
  }
}

TEST(ClientTransaction, RepeatsAtTheTimesOfRfc8489) {
  const auto [sends, end] = follow(ClientTransaction({}, {}, kStart));
  EXPECT_EQ(sends, (std::vector<Duration>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms}));
  EXPECT_EQ(end, 39500ms);
}

TEST(ClientTransaction, DoublingStopsAtTheLargestInterval) {
  const auto [sends, end] = follow(ClientTransaction({.intervalMax = 1s, .sendsMax = 5, .lastWait = 2}, {}, kStart));
  EXPECT_EQ(sends, (std::vector<Duration>{0ms, 500ms, 1500ms, 2500ms, 3500ms}));
  EXPECT_EQ(end, 4500ms);
}

TEST(ClientTransaction, ASingleRequestJustWaits) {
  const auto [sends, end] = follow(ClientTransaction({.sendsMax = 1, .lastWait = 4}, {}, kStart));
  EXPECT_EQ(sends.size(), 1u);
  EXPECT_EQ(end, 2s);
}

TEST(ClientTransaction, ACancelledOneSendsNoMoreAndStillEndsInTime) {
  ClientTransaction transaction({}, {}, kStart);
  transaction.cancel();
  EXPECT_FALSE(transaction.pollOutput());
  EXPECT_EQ(transaction.nextTimeout(), kStart + 39500ms);
  transaction.handleTimeout(kStart + 39500ms);
  EXPECT_EQ(transaction.pollOutput(), Output::TimedOut);
  EXPECT_FALSE(transaction.nextTimeout());
}

TEST(ClientTransaction, EarlyAndLateTimeoutsDoNoHarm) {
  ClientTransaction transaction({}, {}, kStart);
  EXPECT_EQ(transaction.pollOutput(), Output::Send);
  transaction.handleTimeout(kStart + 499ms);
  EXPECT_FALSE(transaction.pollOutput());
  transaction.handleTimeout(kStart + 10s);  // three were due: one is sent
  EXPECT_EQ(transaction.pollOutput(), Output::Send);
  EXPECT_FALSE(transaction.pollOutput());
  EXPECT_EQ(transaction.sends(), 2);
  EXPECT_EQ(transaction.nextTimeout(), kStart + 11s);
  transaction.handleTimeout(kStart + 100s);
  EXPECT_EQ(transaction.pollOutput(), Output::TimedOut);
}

}  // namespace
}  // namespace crosspoint::stun
