// Transfers that meet each other, and what the page does meanwhile.
#include <gtest/gtest.h>

#include "bridge/transfer_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct TransferCrossingTest : TransferFixture {};

TEST_F(TransferCrossingTest, OfTwoTransfersInQuickSuccessionNobodyIsLeftBehind) {
  Phone& third = phone("2003");
  transferTwice(third, 200ms);
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
