// Calls that nobody acknowledges.
#include "io/sip/server/pending_calls.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

constexpr TimePoint kStart = TimePoint(std::chrono::seconds(100));
const IpAddress kOne = IpAddress::v4(0x7f000001), kTwo = IpAddress::v4(0x7f000002);

TEST(PendingCalls, ASourceHasOnlySoManyAndAnotherIsNotHindered) {
  PendingCalls pending;
  for (std::size_t i = 0; i < PendingCalls::kPerSourceMax; ++i)
    EXPECT_TRUE(pending.add(kStart, kOne, std::to_string(i)));
  EXPECT_FALSE(pending.add(kStart, kOne, "more"));
  EXPECT_TRUE(pending.add(kStart, kOne, "0")) << "a repeated INVITE";
  EXPECT_TRUE(pending.add(kStart, kTwo, "more"));
}

TEST(PendingCalls, AnAcknowledgedCallAndOneThatWasGivenUpMakeRoom) {
  PendingCalls pending;
  for (std::size_t i = 0; i < PendingCalls::kPerSourceMax; ++i) pending.add(kStart, kOne, std::to_string(i));
  pending.confirm("3");
  EXPECT_TRUE(pending.add(kStart, kOne, "next"));
  EXPECT_FALSE(pending.add(kStart + PendingCalls::kLifetime - Duration(1), kOne, "late"));
  EXPECT_TRUE(pending.add(kStart + PendingCalls::kLifetime, kOne, "late"));
  EXPECT_EQ(pending.size(), 1U);
}

}  // namespace
}  // namespace crosspoint::sip
