// The session timer's arithmetic and headers (RFC 4028), without a call around it.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"
#include "core/sip/session_timer.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::kStart;
using Refresher = SessionExpires::Refresher;

Request withTimer(std::uint32_t interval, Refresher refresher = Refresher::None, bool known = true) {
  Request request;
  request.method = Method::Invite;
  if (known) request.supported = {"timer"};
  if (interval != 0) request.sessionExpires = SessionExpires{interval, refresher};
  return request;
}
Response withAnswer(std::uint32_t interval, Refresher refresher) {
  Response response;
  response.status = 200;
  if (interval != 0) response.sessionExpires = SessionExpires{interval, refresher};
  return response;
}

TEST(SessionTimer, OffByConfigurationAsksForNothing) {
  SessionTimer timer(seconds(0), seconds(90));
  Request request;
  timer.fillRequest(request);
  EXPECT_FALSE(request.sessionExpires.has_value());
  timer.handleSuccess(kStart, request, withAnswer(0, Refresher::None));
  EXPECT_FALSE(timer.nextTimeout().has_value());
}

TEST(SessionTimer, OffByConfigurationStillKeepsToTheFarEndsWish) {
  SessionTimer timer(seconds(0), seconds(90));
  Response response = withAnswer(0, Refresher::None);
  timer.fillResponse(kStart, withTimer(600, Refresher::Uac), response);
  EXPECT_EQ(response.sessionExpires, (SessionExpires{600, Refresher::Uac}));
  EXPECT_EQ(timer.nextTimeout(), kStart + seconds(600 - 32));
}

TEST(SessionTimer, LeavesTheChoiceOfTheRefresherToTheCalleeAndThenKeepsIt) {
  SessionTimer timer(seconds(1800), seconds(90));
  Request invite;
  timer.fillRequest(invite);
  EXPECT_EQ(invite.sessionExpires, (SessionExpires{1800, Refresher::None}));
  EXPECT_EQ(invite.minSe, 90u);
  timer.handleSuccess(kStart, invite, withAnswer(1200, Refresher::Uac));
  EXPECT_FALSE(timer.refreshDue(kStart + seconds(600) - 1us));
  EXPECT_TRUE(timer.refreshDue(kStart + seconds(600)));
  Request refresh;
  timer.fillRequest(refresh);
  EXPECT_EQ(refresh.sessionExpires, (SessionExpires{1200, Refresher::Uac}));
  timer.handleSuccess(kStart, refresh, withAnswer(1200, Refresher::Uas));
  EXPECT_FALSE(timer.refreshDue(kStart + seconds(1199))) << "the far end has taken it over";
  timer.fillRequest(refresh);
  EXPECT_EQ(refresh.sessionExpires, (SessionExpires{1200, Refresher::Uas}));
}

TEST(SessionTimer, ExpiresAThirdButAtMost32SecondsBeforeTheEnd) {
  SessionTimer timer(seconds(1800), seconds(90));
  timer.handleSuccess(kStart, withTimer(1800), withAnswer(1800, Refresher::Uas));
  EXPECT_FALSE(timer.expired(kStart + seconds(1768) - 1us));
  EXPECT_TRUE(timer.expired(kStart + seconds(1768)));
  timer.handleSuccess(kStart, withTimer(90), withAnswer(90, Refresher::Uas));
  EXPECT_FALSE(timer.expired(kStart + seconds(60) - 1us));
  EXPECT_TRUE(timer.expired(kStart + seconds(60)));
}

TEST(SessionTimer, RefreshesByItselfWhereTheFarEndDoesNotKnowOfIt) {
  SessionTimer timer(seconds(1800), seconds(90));
  timer.handleSuccess(kStart, withTimer(1800), withAnswer(0, Refresher::None));
  EXPECT_TRUE(timer.refreshDue(kStart + seconds(900)));

  SessionTimer callee(seconds(1800), seconds(90));
  Response response = withAnswer(0, Refresher::None);
  callee.fillResponse(kStart, withTimer(0, Refresher::None, false), response);
  EXPECT_EQ(response.sessionExpires, (SessionExpires{1800, Refresher::Uas}));
  EXPECT_TRUE(response.require.empty()) << "the caller would not understand it";
  EXPECT_TRUE(callee.refreshDue(kStart + seconds(900)));
}

TEST(SessionTimer, AsCalleeLowersTheIntervalButNeverBelowTheCallersLeastNorAboveItsWish) {
  const auto answered = [](std::uint32_t theirs, std::optional<std::uint32_t> least, seconds ours) {
    SessionTimer timer(ours, seconds(90));
    Request invite = withTimer(theirs);
    invite.minSe = least;
    Response response = withAnswer(0, Refresher::None);
    timer.fillResponse(kStart, invite, response);
    return response.sessionExpires->seconds;
  };
  EXPECT_EQ(answered(3600, {}, seconds(1800)), 1800u);
  EXPECT_EQ(answered(3600, 2400, seconds(1800)), 2400u);
  EXPECT_EQ(answered(600, {}, seconds(1800)), 600u);
}

TEST(SessionTimer, AsCalleeFollowsTheCallersChoiceAndSaysThatItMustBeUnderstood) {
  for (const auto wish : {Refresher::Uac, Refresher::Uas, Refresher::None}) {
    SessionTimer timer(seconds(1800), seconds(90));
    Response response = withAnswer(0, Refresher::None);
    timer.fillResponse(kStart, withTimer(1800, wish), response);
    EXPECT_EQ(response.sessionExpires->refresher, wish == Refresher::Uac ? Refresher::Uac : Refresher::Uas);
    EXPECT_EQ(response.require, std::vector<std::string>{"timer"});
    EXPECT_EQ(timer.refreshDue(kStart + seconds(900)), wish != Refresher::Uac);
  }
}

TEST(SessionTimer, RefusesAnIntervalThatIsTooShortOnlyToWhoUnderstands) {
  EXPECT_EQ(intervalTooSmall(withTimer(89), seconds(90)), 90u);
  EXPECT_EQ(intervalTooSmall(withTimer(89), seconds(10)), 90u) << "RFC 4028 §5";
  EXPECT_EQ(intervalTooSmall(withTimer(100), seconds(120)), 120u);
  EXPECT_FALSE(intervalTooSmall(withTimer(120), seconds(120)).has_value());
  EXPECT_FALSE(intervalTooSmall(withTimer(60, Refresher::None, false), seconds(90)).has_value());
  EXPECT_FALSE(intervalTooSmall(withTimer(0), seconds(90)).has_value());
}

TEST(SessionTimer, RaisesItsWishAfterA422ButNotForEver) {
  SessionTimer timer(seconds(100), seconds(90));
  Response tooSmall = withAnswer(0, Refresher::None);
  EXPECT_FALSE(timer.raise(tooSmall)) << "it does not say to what";
  tooSmall.minSe = 500;
  ASSERT_TRUE(timer.raise(tooSmall));
  Request invite;
  timer.fillRequest(invite);
  EXPECT_EQ(invite.sessionExpires->seconds, 500u);
  EXPECT_EQ(invite.minSe, 500u);
  int rounds = 0;
  while (rounds < 100 && timer.raise(tooSmall)) ++rounds;
  EXPECT_LT(rounds, 10);
}

TEST(SessionTimer, IsNotDrivenByIntervalsThatNoRuleAllows) {
  SessionTimer timer(seconds(1800), seconds(90));
  timer.handleSuccess(kStart, withTimer(1800), withAnswer(1, Refresher::Uac));
  EXPECT_EQ(timer.nextTimeout(), kStart + seconds(45));
  timer.handleSuccess(kStart, withTimer(1800), withAnswer(0xffffffff, Refresher::Uac));
  EXPECT_GT(timer.nextTimeout(), kStart + seconds(0x3ffffff0));
}

TEST(SessionTimer, TriesAFailedRefreshAgainBeforeTheEnd) {
  SessionTimer timer(seconds(1800), seconds(90));
  timer.handleSuccess(kStart, withTimer(1800), withAnswer(90, Refresher::Uac));
  TimePoint now = kStart + seconds(45);
  int tries = 0;
  for (; now < kStart + seconds(60); ++tries) {
    timer.refreshSent();
    timer.refreshFailed(now);
    ASSERT_GT(timer.nextTimeout(), now);
    now = *timer.nextTimeout();
  }
  EXPECT_TRUE(timer.expired(now));
  EXPECT_GE(tries, 2);
}

}  // namespace
}  // namespace crosspoint::sip
