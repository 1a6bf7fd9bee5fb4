// A page on a WebSocket, and one that resumes: the same session, the same queue, the same numbers as over HTTP.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"
#include "bridge/page_queue.h"

namespace crosspoint::bridge::test {
namespace {

const std::string kAnonymous = "anon0123456789abcdef0123456789abcdef";
using Form = PageReply::Form;

// Speaks to the bridge directly: what a page of the fixture does in one go is done step by step.
struct PageSocketTest : testing::Test, BridgeWorld {
  RequestId next() { return RequestId{++last_}; }
  std::vector<PageReply> give(PageRequest request) {
    bridge().handlePage(now(), std::move(request));
    return take();
  }
  std::vector<PageReply> take() {
    std::vector<PageReply> replies;
    while (auto output = bridge().pollOutput()) {
      if (auto* reply = std::get_if<PageReply>(&*output)) replies.push_back(std::move(*reply));
    }
    return replies;
  }
  std::string signInText(SignIn request) {
    request.request = next();
    const auto replies = give(request);
    bridge().handlePageDelivered(now(), request.request);
    return replies.empty() ? "" : replies[0].body;
  }
  std::string signIn() {
    const auto text = signInText({.id = kAnonymous});
    return text.substr(3, text.find('\n') - 3);
  }
  // A message to the page, of the gateway's own making.
  PageMessage bad(const std::string& ssid, std::optional<std::uint64_t> number = {}) {
    return {.request = next(), .ssid = ssid, .to = "1", .body = "nonsense", .number = number};
  }
  std::uint64_t last_ = 1'000'000;
};

TEST_F(PageSocketTest, ASignInSaysWhatThereIsAndWhereTheCountBegins) {
  const auto text = signInText({.id = kAnonymous, .features = "ack,websocket"});
  EXPECT_TRUE(text.ends_with("\nfeatures=ack,progress,provisional,websocket,resume,transfer\ntaken=0\n")) << text;
}

TEST_F(PageSocketTest, ASocketOfNoSessionIsClosedWithAReason) {
  const auto socket = next();
  const auto replies = give(SocketOpen{.socket = socket, .ssid = "S00xxxxxxxxxxxxxxxxxxxxxx"});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].request, socket);
  EXPECT_EQ(replies[0].form, Form::Close);
  EXPECT_EQ(replies[0].closeCode, kCloseNoSession);
  EXPECT_FALSE(replies[0].body.empty());
}

TEST_F(PageSocketTest, MessagesGoUpAndDownWithTheirNumbers) {
  const auto ssid = signIn();
  const auto socket = next();
  EXPECT_TRUE(give(SocketOpen{.socket = socket, .ssid = ssid}).empty());
  const auto replies = give(SocketMessage{.socket = socket, .number = 1, .to = "1", .body = "nonsense"});
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].taken, 1U);
  EXPECT_EQ(replies[0].form, Form::Frame);
  EXPECT_EQ(replies[1].sequence, 1U);
  EXPECT_NE(replies[1].body.find("ERROR"), std::string::npos);
}

TEST_F(PageSocketTest, ANumberThatWasTakenIsConfirmedAgainAndDroppedOnWhateverWayItCame) {
  const auto ssid = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = ssid});
  EXPECT_EQ(give(SocketMessage{.socket = socket, .number = 1, .body = "nonsense"}).size(), 2U);
  const auto again = give(SocketMessage{.socket = socket, .number = 1, .body = "nonsense"});
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].taken, 1U);
  const auto posted = give(bad(ssid, 1));
  ASSERT_EQ(posted.size(), 1U);
  EXPECT_EQ(posted[0].status, 200);
  EXPECT_EQ(bridge().counters().badMessages, 1U);
  EXPECT_EQ(give(bad(ssid, 2)).size(), 2U) << "a new one counts";
}

TEST_F(PageSocketTest, MessageZeroIsConfirmedForEverAndNeverTaken) {
  const auto ssid = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = ssid});
  for (std::uint64_t n = 1; n <= 100; ++n) {
    const auto replies = give(SocketMessage{.socket = socket, .number = 0, .body = n % 2 == 0 ? "" : "nonsense"});
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].taken, 0U);
    EXPECT_EQ(replies[0].form, Form::Frame);
    give(SocketMessage{.socket = socket, .number = n, .body = "nonsense"});
  }
  EXPECT_EQ(bridge().counters().badMessages, 100U) << "the numbered ones, each once";
}

TEST_F(PageSocketTest, ASocketTakesOverFromAPollAndAPollFromASocket) {
  const auto ssid = signIn();
  const auto poll = next(), socket = next(), other = next();
  EXPECT_TRUE(give(Wait{.request = poll, .ssid = ssid, .acknowledged = 0}).empty());
  auto replies = give(SocketOpen{.socket = socket, .ssid = ssid, .acknowledged = 0});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].request, poll);
  EXPECT_EQ(replies[0].body, "");
  replies = give(SocketOpen{.socket = other, .ssid = ssid, .acknowledged = 0});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].request, socket);
  EXPECT_EQ(replies[0].closeCode, kCloseTakenOver);
  replies = give(Wait{.request = next(), .ssid = ssid, .acknowledged = 0});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].request, other);
  EXPECT_EQ(replies[0].closeCode, kCloseTakenOver);
}

TEST_F(PageSocketTest, WhatTheOldSocketStillBroughtIsTaken) {
  const auto ssid = signIn();
  const auto old = next(), fresh = next();
  give(SocketOpen{.socket = old, .ssid = ssid});
  give(SocketOpen{.socket = fresh, .ssid = ssid});
  const auto replies = give(SocketMessage{.socket = old, .number = 1, .body = "nonsense"});
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].request, old);
  EXPECT_EQ(replies[1].request, fresh);
}

TEST_F(PageSocketTest, WhatASocketDidNotAcknowledgeComesAgainByPoll) {
  const auto ssid = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = ssid});
  for (std::uint64_t i = 1; i <= 3; ++i) give(bad(ssid));
  give(SocketMessage{.socket = socket, .acknowledged = 1});
  bridge().handlePageClosed(now(), socket);
  const auto replies = give(Wait{.request = next(), .ssid = ssid, .acknowledged = 1});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].sequence, 2U);
}

TEST_F(PageSocketTest, OnlySoMuchIsOnItsWayUnacknowledged) {
  const auto ssid = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = ssid});
  std::size_t sent = 0;
  for (std::size_t i = 0; i < PageQueue::kSocketMessagesMax + 10; ++i) sent += give(bad(ssid)).size() - 1;
  EXPECT_EQ(sent, PageQueue::kSocketMessagesMax);
  EXPECT_EQ(give(SocketMessage{.socket = socket, .acknowledged = 4}).size(), 4U);
}

TEST_F(PageSocketTest, AnOpenSocketCountsAsSeen) {
  const auto ssid = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = ssid});
  run(std::chrono::hours(2));
  EXPECT_EQ(bridge().counters().sessions, 1U);
  bridge().handlePageClosed(now(), socket);
  run(59s);
  EXPECT_EQ(bridge().counters().sessions, 1U);
  run(3s);
  EXPECT_EQ(bridge().counters().sessions, 0U);
}

TEST_F(PageSocketTest, SignOutAndShutdownCloseTheSocketEachWithItsCode) {
  const auto first = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = first});
  const auto replies = give(SignOut{.request = next(), .ssid = first});
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[1].closeCode, kCloseSignedOut);
  const auto second = signIn();
  give(SocketOpen{.socket = next(), .ssid = second});
  bridge().shutdown(now());
  const auto stopped = take();
  ASSERT_EQ(stopped.size(), 1U);
  EXPECT_EQ(stopped[0].closeCode, kCloseStopping);
}

TEST_F(PageSocketTest, AFrameOfASocketThatHasNoSessionAnyMoreIsDropped) {
  const auto ssid = signIn();
  const auto socket = next();
  give(SocketOpen{.socket = socket, .ssid = ssid});
  give(SignOut{.request = next(), .ssid = ssid});
  EXPECT_TRUE(give(SocketMessage{.socket = socket, .number = 1, .body = "BYE"}).empty());
}

// ---- resume ----

TEST_F(PageSocketTest, AResumedSessionKeepsItsNameItsQueueAndItsNumbers) {
  const auto ssid = signIn();
  give(bad(ssid, 1));
  give(bad(ssid, 2));
  const auto text = signInText({.id = kAnonymous, .resume = ssid});
  EXPECT_TRUE(text.starts_with("id=" + ssid + "\n")) << text;
  EXPECT_TRUE(text.ends_with("taken=2\n")) << text;
  const auto replies = give(Wait{.request = next(), .ssid = ssid, .acknowledged = 1});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].sequence, 1U) << "an acknowledgement of what was never sent counts for nothing";
}

TEST_F(PageSocketTest, AnythingButTheSameUserSignsInAnew) {
  const auto ssid = signIn();
  EXPECT_FALSE(signInText({.id = kAnonymous, .resume = "S00xxxxxxxxxxxxxxxxxxxxxx"}).starts_with("id=" + ssid));
  const std::string other = "anonffffffffffffffffffffffffffffffff";
  EXPECT_FALSE(signInText({.id = other, .resume = ssid}).starts_with("id=" + ssid));
  EXPECT_EQ(bridge().counters().sessions, 3U);
}

TEST_F(PageSocketTest, ADnResumesAndItsRegistrationAndItsCallGoOn) {
  const auto [page, other] = pageTalksToPhone();
  const auto registersBefore = sentCount(sip::Method::Register);
  const auto text = signInText({.id = "1001", .resume = page.ssid});
  EXPECT_TRUE(text.starts_with("id=" + page.ssid + "\n")) << text;
  run(1s);
  EXPECT_EQ(sentCount(sip::Method::Register), registersBefore);
  expectMediaFlows(page, other);
}

TEST_F(PageSocketTest, WithAnotherPasswordTheSipServerDecides) {
  Page& page = signedIn("1001");
  EXPECT_EQ(signInText({.id = "1001", .password = "guess", .resume = page.ssid}), "") << "not answered yet";
}

// ---- a sign-in that does not ring twice ----

TEST_F(PageSocketTest, ASignInWhoseConnectionClosesBeforeItsReplyIsTakenBackAtOnce) {
  const auto request = next();
  bridge().handlePage(now(), SignIn{.request = request, .id = "1001"});
  bridge().handlePageClosed(now(), request);
  EXPECT_EQ(bridge().counters().sessions, 0U);
}

TEST_F(PageSocketTest, ASignInWhoseReplyDidNotReachItsPageIsTakenBack) {
  const auto request = next();
  bridge().handlePage(now(), SignIn{.request = request, .id = "1001"});
  run(100ms);
  bridge().handlePageClosed(now(), request);
  run(2s);
  EXPECT_EQ(bridge().counters().sessions, 1U) << "it may have";
  run(1s);
  EXPECT_EQ(bridge().counters().sessions, 0U);
  EXPECT_EQ(sentCount(sip::Method::Register), 2U);
  EXPECT_EQ(lastSent(sip::Method::Register).expires, 0U);
}

TEST_F(PageSocketTest, APageThatPollsHasReadTheReplyWhoseConnectionBroke) {
  const auto request = next();
  const auto text = give(SignIn{.request = request, .id = kAnonymous}).at(0).body;
  const auto ssid = text.substr(3, text.find('\n') - 3);
  bridge().handlePageClosed(now(), request);
  run(2s);
  give(Wait{.request = next(), .ssid = ssid});
  run(30s);
  EXPECT_EQ(bridge().counters().sessions, 1U);
}

TEST_F(PageSocketTest, APageThatHasPolledHasReadItsReply) {
  const auto request = next();
  const auto text = give(SignIn{.request = request, .id = kAnonymous}).at(0).body;
  const auto ssid = text.substr(3, text.find('\n') - 3);
  give(Wait{.request = next(), .ssid = ssid});
  bridge().handlePageClosed(now(), request);
  EXPECT_EQ(bridge().counters().sessions, 1U);
}

}  // namespace
}  // namespace crosspoint::bridge::test
