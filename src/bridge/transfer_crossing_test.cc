// Transfers that meet each other, and what the page does meanwhile.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct TransferCrossingTest : testing::Test, BridgeWorld {
  Page& agent = signedIn("1001");
  Phone& first = phone("2001");
  Phone& second = phone("2002");
};

TEST_F(TransferCrossingTest, OfTwoTransfersInQuickSuccessionNobodyIsLeftBehind) {
  Phone& third = phone("2003");
  second.onInvite = third.onInvite = Phone::OnInvite::Answer;
  establish(agent, first);
  first.refer("2002");
  run(200ms);
  second.refer("2003");
  run(5s);
  expectMediaFlows(agent, third);
  EXPECT_EQ(first.ended.size(), 1u);
  EXPECT_EQ(second.ended.size(), 1u);
  agent.hangUp();
  run(500ms);
  expectNothingLeft();
}

TEST_F(TransferCrossingTest, ReplacesWhileThePageTransfersEndsThatTransferOnly) {
  Phone& third = phone("2003");
  establish(agent, first);
  agent.post(R"(TRANSFER {"to":"2002"})");
  run(100ms);
  third.callReplacing("1001", first.dialog());
  run(500ms);
  ASSERT_TRUE(third.established());
  agent.take("PROGRESS");
  EXPECT_NE(agent.take("PROGRESS").find(R"("state":"transfer-failed")"), std::string::npos);
  expectMediaFlows(agent, third);
  agent.post(R"(TRANSFER {"to":"2002"})");
  run(100ms);
  ASSERT_EQ(third.refers.size(), 1u);
  third.acceptRefer();
  third.notifyRefer(200);
  run(500ms);
  EXPECT_EQ(agent.count("BYE"), 1u);
  expectNothingLeft();
}

TEST_F(TransferCrossingTest, DataSentBetweenTwoFarEndsReachesTheNewOne) {
  establish(agent, first);
  first.refer("2002");
  run(20ms);
  first.hangUp();
  run(500ms);
  agent.post("INFO-PEER a=1");
  run(100ms);
  second.answer();
  run(500ms);
  ASSERT_EQ(second.infos.size(), 1u);
  EXPECT_EQ(second.infos[0].body, "a=1");
}

}  // namespace
}  // namespace crosspoint::bridge::test
