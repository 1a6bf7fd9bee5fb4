// Messages of a page that cannot be read, and what the page waits for afterwards.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct UnreadableTest : testing::Test, BridgeWorld {
  static std::string tooMuchData() {
    return R"(RSMP {"messageType":"OFFER","sdp":"v=0","seq":1,"attacheddata":[{"key":"k","value":")" +
           std::string(roap::kAttachedBytesMax + 1, 'x') + R"("}]})";
  }
};

TEST_F(UnreadableTest, AnOfferOfANewCallIsRefusedAndEnded) {
  Page& caller = signedIn("1001");
  for (const auto& body : {tooMuchData(), std::string("RSMP {\"messageType\":\"OFF"), std::string("RSMP")}) {
    caller.messages.clear();
    caller.post(body, "2001");
    run(10ms);
    EXPECT_EQ(caller.list(), "ERROR BYE") << body.substr(0, 40);
  }
  EXPECT_EQ(bridge().counters().badMessages, 3u);
}

TEST_F(UnreadableTest, OtherMessagesOutsideACallEndNothing) {
  Page& page = signedIn("1001");
  page.post("INFO-PEER " + std::string(roap::kInfoBytesMax + 1, 'x'), "2001");
  page.post("HELLO", "2001");
  run(10ms);
  EXPECT_EQ(page.list(), "ERROR ERROR");
}

TEST_F(UnreadableTest, AnOfferWithinACallIsRefusedAndTheCallGoesOn) {
  const auto [page, other] = pageTalksToPhone();
  page.messages.clear();
  page.post(tooMuchData(), "2001");
  run(10ms);
  EXPECT_EQ(page.list(), "ERROR");
  EXPECT_TRUE(other.ended.empty());
  expectMediaFlows(page, other);
}

}  // namespace
}  // namespace crosspoint::bridge::test
