// Calls that come and go before the page has fetched anything of them.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct UnreadCallTest : testing::Test, BridgeWorld {
  void comeAndGo(Phone& caller, const Page& callee) {
    caller.call(callee.user);
    run(50ms);
    caller.hangUp();
    run(50ms);
  }
};

TEST_F(UnreadCallTest, LeaveNothingBehindSoThatTheQueueOfAPageThatSleepsIsNotFilled) {
  Phone& caller = phone("2001");
  Page& callee = signedIn("1001");
  callee.stopPolling();
  run(10ms);
  for (int i = 0; i < 300; ++i) comeAndGo(caller, callee);
  caller.call(callee.user);
  run(50ms);
  callee.goOnPolling();
  run(50ms);
  EXPECT_EQ(callee.list(), "OFFER") << "of the last call alone";
  EXPECT_EQ(bridge().counters().limitsReached, 0u);
  callee.answerOffer();
  run(100ms);
  EXPECT_TRUE(caller.established());
}

TEST_F(UnreadCallTest, LeaveWhatCameBeforeThem) {
  Phone& caller = phone("2001");
  Page& callee = signedIn("1001");
  callee.stopPolling();
  caller.call(callee.user);
  run(50ms);
  callee.polls = false;
  callee.poll();  // takes the OFFER, and no more
  run(50ms);
  caller.hangUp();  // BYE waits
  run(50ms);
  comeAndGo(caller, callee);
  callee.goOnPolling();
  run(50ms);
  EXPECT_EQ(callee.list(), "OFFER BYE");
}

TEST_F(UnreadCallTest, WithoutAnOfferLeaveNothingBehindEither) {
  Phone& caller = phone("2001");
  Page& callee = signedIn("1001");
  callee.stopPolling();
  caller.call(callee.user, false);
  run(50ms);
  caller.hangUp();
  run(50ms);
  callee.goOnPolling();
  run(50ms);
  EXPECT_EQ(callee.list(), "");
}

}  // namespace
}  // namespace crosspoint::bridge::test
