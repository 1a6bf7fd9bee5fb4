// For tests: a page that talks to one phone, and others that may take its place.
#pragma once
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {

struct TransferFixture : testing::Test, BridgeWorld {
  Page& agent = signedIn("1001");
  Phone& first = phone("2001");
  Phone& second = phone("2002");

  // The first phone transfers its call to the second one, which transfers it to the third one that long after.
  void transferTwice(Phone& third, Duration between) {
    second.onInvite = third.onInvite = Phone::OnInvite::Answer;
    establish(agent, first);
    first.refer(second.user);
    run(between);
    second.refer(third.user);
    run(5s);
    expectMediaFlows(agent, third);
    EXPECT_EQ(first.ended.size(), 1u);
    EXPECT_EQ(second.ended.size(), 1u);
  }
};

}  // namespace crosspoint::bridge::test
