// Session timers of whole calls (RFC 4028): refreshes both ways, their absence, intervals that are too short.
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"
#include "core/sip/call.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::CallFixture;
using test::UpdateFixture;
using Refresher = SessionExpires::Refresher;

TEST(SessionRefresh, OfOursIsAnUpdateWithoutABodyAtHalfTheInterval) {
  UpdateFixture t;
  const auto invite = t.establish(1200);
  EXPECT_EQ(invite.request.sessionExpires, (SessionExpires{1800, Refresher::None}));
  t.runFor(seconds(600) - 1us);
  EXPECT_TRUE(t.silent());
  t.runFor(1us);
  const auto update = t.request(Method::Update);
  EXPECT_TRUE(update.request.body.empty());
  EXPECT_EQ(update.request.sessionExpires, (SessionExpires{1200, Refresher::Uac}));
  Response ok = t.makeReply(update, 200);
  ok.sessionExpires = SessionExpires{1200, Refresher::Uac};
  t.handle(ResponseReceived{update.id, ok});
  t.runFor(seconds(599));
  EXPECT_TRUE(t.silent());
  t.runFor(seconds(1));
  t.request(Method::Update);
}

TEST(SessionRefresh, IsAReInviteWithOurLastTextWhereTheFarEndDoesNotAllowUpdate) {
  UpdateFixture t;
  t.establish(1200, Refresher::Uac, false);
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "our last"));
  const auto held = t.request(Method::Invite);
  Response ok = t.makeReply(held, 200, "far", "their last");
  ok.sessionExpires = SessionExpires{1200, Refresher::Uac};
  t.handle(ResponseReceived{held.id, ok});
  t.event<OfferAnswered>();
  t.ack();
  t.runFor(seconds(600));
  const auto refresh = t.request(Method::Invite);
  EXPECT_EQ(refresh.request.body, "our last");
  // What the owner wants meanwhile waits for its end.
  ASSERT_TRUE(t.agent.reInvite(t.now, t.call, "of the owner"));
  EXPECT_TRUE(t.requests.empty());
  t.respond(refresh, 200, "far", "their last");
  t.ack();
  EXPECT_EQ(t.count<OfferAnswered>(), 0u) << "nothing has changed";
  EXPECT_EQ(t.request(Method::Invite).request.body, "of the owner");
}

TEST(SessionRefresh, TellsOfAnAnswerThatIsNotTheLastOne) {
  UpdateFixture t;
  t.establish(1200, Refresher::Uac, false);
  t.runFor(seconds(600));
  const auto refresh = t.request(Method::Invite);
  EXPECT_EQ(refresh.request.body, "offer");
  t.respond(refresh, 200, "far", "from another port");
  const auto answered = t.event<OfferAnswered>();
  EXPECT_TRUE(answered.refresh);
  EXPECT_EQ(answered.sdp, "from another port");
}

TEST(SessionRefresh, GoesOnAsAReInviteWhenUpdateTurnsOutNotToBeAllowed) {
  UpdateFixture t;
  t.establish(1200);
  t.runFor(seconds(600));
  t.respond(t.request(Method::Update), 405);
  EXPECT_EQ(t.request(Method::Invite).request.body, "offer");
}

TEST(SessionRefresh, ByUpdateIsFollowedByTheOfferThatCameMeanwhile) {
  for (const int status : {200, 491}) {
    UpdateFixture t;
    t.establish(1200);
    t.runFor(seconds(600));
    const auto refresh = t.request(Method::Update);
    ASSERT_TRUE(t.agent.update(t.now, t.call, "moved"));
    EXPECT_TRUE(t.requests.empty());
    t.respond(refresh, status);
    const auto update = t.request(Method::Update);
    EXPECT_EQ(update.request.body, "moved");
    t.respond(update, 200, "far", "answer");
    EXPECT_EQ(t.event<OfferAnswered>().sdp, "answer");
    EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "next"));
  }
}

TEST(SessionRefresh, OfTheFarEndThatDoesNotComeEndsTheCallInTime) {
  UpdateFixture t;
  t.establish(1200, Refresher::Uas);
  t.runFor(seconds(1000));
  EXPECT_TRUE(t.silent());
  Request refresh = t.inDialog(Method::Update);
  refresh.supported = {"timer"};
  refresh.sessionExpires = SessionExpires{1200, Refresher::Uac};
  t.receive(std::move(refresh));
  EXPECT_EQ(t.response().response.sessionExpires, (SessionExpires{1200, Refresher::Uac}));
  t.runFor(seconds(1168) - 1us);
  EXPECT_TRUE(t.silent());
  t.runFor(1us);
  EXPECT_EQ(t.event<Ended>().status, 408);
  const auto bye = t.request(Method::Bye);
  ASSERT_EQ(bye.request.reasons.size(), 1u);
  EXPECT_EQ(bye.request.reasons[0].cause, 408u);
  EXPECT_EQ(t.agent.counters().sessionsExpired, 1u);
  t.respond(bye, 200);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(SessionRefresh, ThatIsRefusedIsTriedAgainAndThenEndsTheCall) {
  UpdateFixture t;
  t.establish(1200);
  t.runFor(seconds(600));
  int tries = 0;
  for (; t.count<Ended>() == 0 && tries < 100; ++tries) {
    t.respond(t.request(Method::Update), 503);
    while (t.requests.empty() && t.agent.nextTimeout()) t.runUntil(*t.agent.nextTimeout());
  }
  EXPECT_GT(tries, 2);
  EXPECT_LT(tries, 50);
  EXPECT_EQ(t.now, test::kStart + seconds(1200 - 32));
  t.request(Method::Bye);
}

TEST(SessionRefresh, IsOursWhereTheFarEndDoesNotKnowOfIt) {
  UpdateFixture t;
  t.establish(0, Refresher::None, false);
  t.runFor(seconds(900));
  const auto refresh = t.request(Method::Invite);
  t.respond(refresh, 200, "far", "answer");
  t.ack();
  t.runFor(seconds(900));
  t.respond(t.request(Method::Invite), 481);
  EXPECT_EQ(t.event<Ended>().status, 481);
}

TEST(SessionRefresh, IsOffByConfigurationAndThenNothingIsSent) {
  Config config = test::defaultConfig();
  config.sessionExpires = seconds(0);
  CallFixture t(config);
  const auto invite = t.establishOutgoing();
  EXPECT_FALSE(invite.request.sessionExpires.has_value());
  EXPECT_FALSE(invite.request.minSe.has_value());
  t.runFor(std::chrono::hours(10));
  EXPECT_TRUE(t.silent());
}

TEST(SessionInterval, OfOursIsRaisedAfterA422) {
  CallFixture t;
  const auto first = t.startCall();
  Response tooSmall = t.makeReply(first, 422);
  tooSmall.minSe = 3600;
  t.handle(ResponseReceived{first.id, tooSmall});
  const auto second = t.request(Method::Invite);
  EXPECT_EQ(second.request.sessionExpires->seconds, 3600u);
  EXPECT_EQ(second.request.minSe, 3600u);
  EXPECT_EQ(second.request.callId, first.request.callId);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(second.request.body, "offer");
  t.respond(second, 200, "far", "answer");
  EXPECT_EQ(t.ack().request.cseq, second.request.cseq);
  EXPECT_EQ(t.count<Answered>(), 1u);
}

TEST(SessionInterval, OfOursIsNotRaisedForEver) {
  CallFixture t;
  SendRequest invite = t.startCall();
  for (std::uint32_t i = 1; i < 100 && t.count<Ended>() == 0; ++i) {
    Response tooSmall = t.makeReply(invite, 422);
    tooSmall.minSe = 1800 + i;
    t.handle(ResponseReceived{invite.id, tooSmall});
    if (!t.requests.empty()) invite = t.request(Method::Invite);
  }
  EXPECT_EQ(t.event<Ended>().status, 422);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(SessionInterval, OfTheFarEndThatIsTooShortIsRefusedInEveryRequest) {
  const auto shorten = [](Request request) {
    request.supported = {"timer"};
    request.sessionExpires = SessionExpires{60};
    return request;
  };
  CallFixture fresh;
  fresh.receive(shorten(fresh.inviteRequest()));
  const auto refused = fresh.response();
  EXPECT_EQ(refused.response.status, 422);
  EXPECT_EQ(refused.response.minSe, 90u);
  EXPECT_TRUE(fresh.silent());
  for (const auto method : {Method::Invite, Method::Update}) {
    UpdateFixture t;
    t.establish();
    t.receive(shorten(t.inDialog(method, "offer")));
    EXPECT_EQ(t.response().response.status, 422);
    EXPECT_TRUE(t.silent());
  }
}

TEST(SessionInterval, OfTheFarEndIsAnsweredInThe200) {
  CallFixture t;
  Request invite = t.inviteRequest();
  invite.supported = {"timer"};
  invite.sessionExpires = SessionExpires{600, Refresher::Uac};
  t.receive(std::move(invite));
  ASSERT_TRUE(t.agent.accept(t.now, t.event<IncomingCall>().call, "answer"));
  const auto ok = t.response();
  EXPECT_EQ(ok.response.sessionExpires, (SessionExpires{600, Refresher::Uac}));
  EXPECT_TRUE(hasOption(ok.response.require, "timer"));
}

}  // namespace
}  // namespace crosspoint::sip
