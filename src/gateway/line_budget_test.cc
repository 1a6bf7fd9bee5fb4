#include "gateway/line_budget.h"

#include <gtest/gtest.h>

namespace crosspoint::gateway {
namespace {

using namespace std::chrono_literals;

struct LineBudgetTest : testing::Test {
  std::uint64_t written(std::uint64_t lines) {
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < lines; ++i) {
      const auto verdict = budget.take(now);
      count += verdict.written ? 1 : 0;
      told += verdict.leftOut;
      notes += verdict.leftOut > 0 ? 1 : 0;
    }
    return count;
  }
  TimePoint now{1h};
  LineBudget budget{now};
  std::uint64_t told = 0;
  int notes = 0;
};

TEST_F(LineBudgetTest, ARushIsWrittenWhole) { EXPECT_EQ(written(LineBudget::kSaved), LineBudget::kSaved); }

TEST_F(LineBudgetTest, AFloodIsWrittenInPartAndItsRestIsCountedOnceASecond) {
  EXPECT_EQ(written(LineBudget::kSaved + 100), LineBudget::kSaved);
  for (int second = 0; second < 10; ++second) {
    now += 1s;
    EXPECT_EQ(written(5'000), LineBudget::kPerSecond);
  }
  EXPECT_EQ(notes, 10);
  EXPECT_EQ(told, 100 + 9 * (5'000 - LineBudget::kPerSecond));
}

TEST_F(LineBudgetTest, QuietSecondsAreSavedUpToABound) {
  written(LineBudget::kSaved);
  now += 3s;
  EXPECT_EQ(written(5'000), 3 * LineBudget::kPerSecond);
  now += 24h;
  EXPECT_EQ(written(2 * LineBudget::kSaved), LineBudget::kSaved);
}

TEST_F(LineBudgetTest, PartsOfASecondAreNotLost) {
  written(LineBudget::kSaved);
  for (int i = 0; i < 4; ++i) {
    now += 700ms;
    written(0);
  }
  EXPECT_EQ(written(5'000), 2 * LineBudget::kPerSecond);
}

}  // namespace
}  // namespace crosspoint::gateway
