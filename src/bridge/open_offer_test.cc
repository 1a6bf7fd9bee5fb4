// An OFFER of a page while another one is open (docs/errors.md, E78).
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct OpenOfferTest : testing::Test, BridgeWorld {};

TEST_F(OpenOfferTest, E78TakesItsPlaceIsAnsweredAloneAndTheCallGoesOn) {
  Page& page = signedIn("1001");
  Phone& other = phone("2001");
  establish(page, other);
  page.messages.clear();
  std::vector<sip::SendRequest> held;
  intercept = [&](const std::string&, const sip::SendRequest& sent) { return held.push_back(sent), true; };
  page.direction = Direction::Inactive;
  page.offer();
  run(10ms);
  ASSERT_EQ(held.size(), 1u);
  page.direction = Direction::SendRecv;
  page.offer();
  run(10ms);
  EXPECT_EQ(page.list(), "");
  intercept = nullptr;
  sendSip("10.0.0.2:5060", sip::Outgoing(held[0]));
  run(500ms);
  EXPECT_EQ(page.list(), "ANSWER");
  page.takeAnswer();
  EXPECT_TRUE(other.ended.empty());
  expectMediaFlows(page, other);
}

}  // namespace
}  // namespace crosspoint::bridge::test
