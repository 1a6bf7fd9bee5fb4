// The window against a plain set.
#include "core/srtp/replay_window.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/seeded_random.h"

namespace crosspoint::srtp {
namespace {

TEST(ReplayWindow, TakesEachIndexOnceAndNothingOlderThanItself) {
  ReplayWindow<128> window;
  EXPECT_TRUE(window.isFresh(5));
  window.mark(1000);
  EXPECT_FALSE(window.isFresh(1000));
  EXPECT_TRUE(window.isFresh(1000 - 127));
  EXPECT_FALSE(window.isFresh(1000 - 128));
  EXPECT_TRUE(window.isFresh(1001));
}

TEST(ReplayWindow, AgreesWithASetOverRandomWalks) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    test::SeededRandom random{seed};
    ReplayWindow<128> window;
    std::set<std::uint64_t> seen;
    std::uint64_t newest = 5000;
    for (int step = 0; step < 3000; ++step) {
      const std::uint64_t reach = random.below(20) == 0 ? 400 : 20;
      const std::uint64_t index = newest - 200 + random.below(200 + reach);
      const std::uint64_t last = seen.empty() ? 0 : *seen.rbegin();
      const bool fresh = seen.empty() || index > last || (last - index < 128 && !seen.contains(index));
      ASSERT_EQ(window.isFresh(index), fresh) << "seed " << seed << " step " << step;
      if (!fresh) continue;
      window.mark(index);
      seen.insert(index);
      newest = std::max(newest, index);
    }
  }
}

}  // namespace
}  // namespace crosspoint::srtp
