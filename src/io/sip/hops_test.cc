// The order of servers and the memory of those that failed.
#include "io/sip/hops.h"

#include <gtest/gtest.h>

#include <map>

#include "io/loop/system_random.h"

namespace crosspoint::sip {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart = TimePoint(1000s);

Hop hop(std::uint16_t port) {
  return {.address = {*IpAddress::parse("192.0.2.1"), port}, .transport = "udp", .name = "pbx.test"};
}

TEST(Hops, LowerPrioritiesComeFirst) {
  loop::SystemRandom random;
  for (int i = 0; i < 50; ++i) {
    const auto sorted = inOrder({{30, 9, 1, "c"}, {10, 0, 1, "a"}, {20, 65535, 1, "b"}}, random);
    EXPECT_EQ(sorted[0].host + sorted[1].host + sorted[2].host, "abc");
  }
}

TEST(Hops, AmongEqualPrioritiesTheWeightDecidesHowOftenOneIsFirst) {
  loop::SystemRandom random;
  std::map<std::string, int> first;
  for (int i = 0; i < 4'000; ++i)
    ++first[inOrder({{1, 10, 1, "light"}, {1, 0, 1, "none"}, {1, 30, 1, "heavy"}}, random)[0].host];
  // 1/41 + 10/41 + 30/41; ten standard deviations of room.
  EXPECT_NEAR(first["heavy"], 4'000 * 30 / 41, 280);
  EXPECT_NEAR(first["light"], 4'000 * 10 / 41, 280);
  EXPECT_GT(first["none"], 0) << "RFC 2782: a small chance";
}

TEST(Hops, OneThatFailedStandsLastUntilItsTimeIsOver) {
  AvoidList avoided;
  avoided.avoid(kStart, hop(1), 30s);
  EXPECT_EQ(avoided.sorted(kStart + 29s, {hop(1), hop(2), hop(3)}), (std::vector{hop(2), hop(3), hop(1)}));
  EXPECT_EQ(avoided.sorted(kStart + 30s, {hop(1), hop(2)}), (std::vector{hop(1), hop(2)}));
  avoided.avoid(kStart, hop(1), 30s);
  avoided.forgive(hop(1));
  EXPECT_EQ(avoided.sorted(kStart, {hop(1), hop(2)}), (std::vector{hop(1), hop(2)}));
}

TEST(Hops, TheListOfFailuresIsBounded) {
  AvoidList avoided;
  for (std::uint16_t port = 1; port <= 1'000; ++port) avoided.avoid(kStart + std::chrono::seconds(port), hop(port), 1h);
  EXPECT_EQ(avoided.size(), 256U);
  EXPECT_TRUE(avoided.isAvoided(kStart + 1'000s, hop(1'000)));
  EXPECT_FALSE(avoided.isAvoided(kStart + 1'000s, hop(1)));
}

}  // namespace
}  // namespace crosspoint::sip
