// Talk and hold under third-party control: what asks a page for an offer reaches it when it can act on it.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct PromptsTest : OneCallTest {
  // What a client does at EVENT-HOLD.
  void pageHolds() { pageOffers(Direction::Inactive, 20ms); }
  // The only thing that the page has been told, and what it does then.
  void pageTalksAsTold() {
    EXPECT_EQ(page().list(), "EVENT-TALK");
    page().messages.clear();
    pageChanges(Direction::SendRecv);
    expectMediaFlows(page(), phone());
  }
  // The far end takes its time for re-INVITEs, until letGo().
  void holdBackReInvites() {
    intercept = [this](const std::string&, const sip::SendRequest& sent) {
      if (sent.request.method != sip::Method::Invite || letGo_) return false;
      waiting_ = sent;
      return true;
    };
  }
  void letGo(int status) {
    letGo_ = true;
    ASSERT_TRUE(waiting_);
    respond(*waiting_, status, "Late");
    run(100ms);
  }

 private:
  std::optional<sip::SendRequest> waiting_;
  bool letGo_ = false;
};

TEST_F(PromptsTest, TalkWhileAHoldIsInProgressWaitsForItsEnd) {
  begin(false);
  holdBackReInvites();
  pageHolds();
  notify(phone(), "talk");
  run(4s);
  EXPECT_EQ(page().list(), "");  // it would be lost: the page has an offer open
  letGo(488);
  EXPECT_EQ(page().list(), "ANSWER");
  page().takeAnswer();
  run(100ms);
  pageTalksAsTold();
}

TEST_F(PromptsTest, AnOkThatNeverComesDelaysItForFiveSecondsOnly) {
  begin(false);
  pageHolds();
  run(100ms);
  ASSERT_EQ(page().list(), "ANSWER");  // not fetched: no OK
  notify(phone(), "talk");
  run(3s);
  EXPECT_EQ(page().list(), "ANSWER");
  run(2s);
  EXPECT_EQ(page().list(), "ANSWER EVENT-TALK");
}

TEST_F(PromptsTest, TalkRightAfterHoldComesWhenTheHoldIsDone) {
  begin(false);
  notify(phone(), "hold");
  notify(phone(), "talk");
  run(20ms);
  EXPECT_EQ(page().list(), "EVENT-HOLD");
  page().messages.clear();
  run(200ms);
  pageHolds();
  run(100ms);
  page().takeAnswer();
  run(20ms);
  pageTalksAsTold();
}

TEST_F(PromptsTest, APageThatHasNothingToChangeDelaysTheNextForTwoSecondsOnly) {
  begin(false);
  notify(phone(), "talk");  // it is not held
  notify(phone(), "hold");
  run(1900ms);
  EXPECT_EQ(page().list(), "EVENT-TALK");
  run(200ms);
  EXPECT_EQ(page().list(), "EVENT-TALK EVENT-HOLD");
}

TEST_F(PromptsTest, OfManyWishesWhileThePageIsBusyTheLastCounts) {
  begin(false);
  holdBackReInvites();
  pageHolds();
  for (const char* event : {"hold", "talk", "hold", "talk", "hold"}) notify(phone(), event);
  run(100ms);
  letGo(488);
  page().takeAnswer();
  run(10s);
  EXPECT_EQ(page().list(), "EVENT-HOLD");
}

TEST_F(PromptsTest, AnEventBehindAnOfferOfOursWaitsForItsAnswer) {
  begin(false);
  phone().reInvite(Direction::SendOnly);
  run(100ms);
  ASSERT_EQ(page().list(), "OFFER");
  notify(phone(), "talk");
  run(1s);
  EXPECT_EQ(page().list(), "OFFER");
  page().answerOffer();
  run(100ms);
  EXPECT_EQ(page().list(), "OK EVENT-TALK");
}

TEST_F(PromptsTest, ARequestForAFreshOfferWaitsToo) {
  begin(false);
  pageOffers(Direction::SendRecv, 20ms);
  ASSERT_EQ(page().list(), "ANSWER");
  phone().reInvite(false);
  run(100ms);
  EXPECT_EQ(page().list(), "ANSWER");
  page().takeAnswer();
  run(100ms);
  EXPECT_EQ(page().list(), "INVITE");
  page().messages.clear();
  pageOffers(Direction::SendRecv);
  EXPECT_EQ(phone().offersReceived, 1u);
  page().takeAnswer();
  expectMediaFlows(page(), phone());
}

TEST_F(PromptsTest, TalkAnswersWhatRingsAtOnce) {
  for (const bool withOffer : {true, false}) {
    Page& callee = signedIn(withOffer ? "1001" : "1002");
    Phone& caller = phone(withOffer ? "2001" : "2002");
    caller.call(callee.user, withOffer);
    run(500ms);
    notify(caller, "talk");
    run(20ms);
    EXPECT_EQ(callee.list(), withOffer ? "OFFER EVENT-TALK" : "INVITE EVENT-TALK");
    callee.peerName = caller.user;
    if (withOffer) {
      callee.answerOffer();
    } else {
      callee.connect(true);
      callee.offer();
    }
    run(500ms);
    if (!withOffer) callee.takeAnswer();
    expectConnected(callee);
    ASSERT_TRUE(caller.established());
    expectMediaFlows(callee, caller);
  }
}

TEST_F(PromptsTest, EventsWithoutEndWhileItRingsLeaveRoomForTheCallsEnd) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  callee.polls = false;  // it takes the OFFER, and no more
  caller.call("1001");
  run(500ms);
  for (int i = 0; i < 300; ++i) notify(caller, "talk");
  caller.hangUp();
  run(500ms);
  callee.goOnPolling();
  run(60s);
  EXPECT_TRUE(callee.list().starts_with("OFFER "));
  EXPECT_EQ(callee.count("BYE"), 1u);
  EXPECT_GT(callee.count("EVENT-TALK"), 0u);
}

TEST_F(PromptsTest, AnEventAtTheEndOfACallIsNotTold) {
  begin(false);
  pageHolds();
  notify(phone(), "talk");
  run(10ms);
  page().hangUp();
  run(10s);
  EXPECT_EQ(page().list(), "ANSWER");
  expectNothingLeft();
}

}  // namespace
}  // namespace crosspoint::bridge::test
