#include "bridge/page_queue.h"

#include <gtest/gtest.h>

namespace crosspoint::bridge {
namespace {

struct PageQueueTest : testing::Test {
  std::deque<PageReply> replies;
  PageQueue queue{25s, replies};
  TimePoint now{};

  std::optional<PageReply> take() {
    if (replies.empty()) return std::nullopt;
    PageReply reply = std::move(replies.front());
    replies.pop_front();
    return reply;
  }

  std::optional<PageReply> wait(std::uint64_t request, std::optional<std::uint64_t> acknowledged = {}) {
    queue.handleWait(now, RequestId{request}, acknowledged);
    return take();
  }
};

TEST_F(PageQueueTest, AMessageAnswersTheOpenPollAtOnce) {
  EXPECT_FALSE(wait(1));
  queue.push("BYE", "1001");
  auto reply = take();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->request, RequestId{1});
  EXPECT_EQ(reply->body, "BYE");
  EXPECT_EQ(reply->peer, "1001");
  EXPECT_FALSE(queue.attached());
}

TEST_F(PageQueueTest, MessagesAreDeliveredOneAReplyAndInOrder) {
  for (const char* body : {"a", "b", "c"}) queue.push(body, "");
  std::string seen;
  for (std::uint64_t request = 1; request <= 3; ++request) {
    seen += wait(request)->body;
    queue.handleDelivered(RequestId{request});
  }
  EXPECT_EQ(seen, "abc");
  EXPECT_FALSE(wait(4));
}

TEST_F(PageQueueTest, AMessageWrittenToADeadPollGoesBackToTheHead) {
  queue.push("a", "");
  queue.push("b", "");
  EXPECT_EQ(wait(1)->body, "a");
  queue.handleClosed(RequestId{1});
  EXPECT_EQ(wait(2)->body, "a");
  queue.handleDelivered(RequestId{2});
  EXPECT_EQ(wait(3)->body, "b");
}

TEST_F(PageQueueTest, TheNextPollWaitsUntilTheFateOfTheLastReplyIsKnown) {
  queue.push("a", "");
  queue.push("b", "");
  EXPECT_EQ(wait(1)->body, "a");
  EXPECT_FALSE(wait(2));
  queue.handleClosed(RequestId{1});
  auto reply = take();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->request, RequestId{2});
  EXPECT_EQ(reply->body, "a");
}

TEST_F(PageQueueTest, ASecondPollTakesOverAndTheFirstEndsEmpty) {
  EXPECT_FALSE(wait(1));
  auto ended = wait(2);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->request, RequestId{1});
  EXPECT_EQ(ended->status, 200);
  EXPECT_EQ(ended->body, "");
  queue.push("a", "");
  EXPECT_EQ(take()->request, RequestId{2});
}

TEST_F(PageQueueTest, ACountingClientGetsAMessageAgainUntilItAcknowledgesIt) {
  queue.push("a", "");
  queue.push("b", "");
  auto first = wait(1, 0);
  EXPECT_EQ(first->body, "a");
  queue.handleDelivered(RequestId{1});
  EXPECT_EQ(wait(2, 0)->body, "a");
  EXPECT_EQ(wait(3, *first->sequence)->body, "b");
  EXPECT_FALSE(wait(4, 2));
}

TEST_F(PageQueueTest, APollThatNothingAnswersEndsEmptyAfterItsTime) {
  EXPECT_FALSE(wait(1));
  queue.handleTimeout(now + 25s - 1ns);
  EXPECT_FALSE(take());
  queue.handleTimeout(*queue.nextTimeout());
  EXPECT_EQ(take()->body, "");
  EXPECT_FALSE(queue.nextTimeout());
}

TEST_F(PageQueueTest, WhatWasNotSentCanBeTakenBackWithoutAGapInTheNumbers) {
  queue.push("a", "");
  const auto first = wait(1, 0);
  queue.push("BYE", "");
  queue.push("c", "");
  EXPECT_TRUE(queue.awaits("BYE"));
  queue.forgetUnread();
  EXPECT_FALSE(queue.awaits("BYE"));
  queue.push("d", "");
  const auto second = wait(2, *first->sequence);
  EXPECT_EQ(second->body, "d");
  EXPECT_EQ(*second->sequence, *first->sequence + 1);
}

TEST_F(PageQueueTest, ASentMessageThatIsTakenBackSaysNothingWhenItsNumberComesAgain) {
  queue.push("BYE", "");
  const auto first = wait(1, 0);
  queue.handleClosed(RequestId{1});  // perhaps it was read, perhaps not
  queue.forgetUnread();
  const auto again = wait(2, 0);
  EXPECT_EQ(again->sequence, first->sequence);
  EXPECT_NE(again->body, "BYE");
}

TEST_F(PageQueueTest, AMessageThatWasNotWrittenIsTakenBackWhole) {
  queue.push("BYE", "");
  EXPECT_EQ(wait(1)->body, "BYE");
  queue.handleClosed(RequestId{1});
  queue.forgetUnread();
  EXPECT_FALSE(wait(2));
}

TEST_F(PageQueueTest, AMessageIsAwaitedUntilItIsDelivered) {
  for (const std::optional<std::uint64_t> acknowledged :
       {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(0)}) {
    std::deque<PageReply> own;
    PageQueue other{25s, own};
    other.push("BYE", "");
    other.handleWait(now, RequestId{1}, acknowledged);
    EXPECT_TRUE(other.awaits("BYE"));
    other.handleDelivered(RequestId{1});
    EXPECT_FALSE(other.awaits("BYE"));
  }
}

TEST_F(PageQueueTest, ChatterLeavesRoomForSignalling) {
  while (queue.push("INFO-PEER a=1", "1001", PageQueue::Kind::Chatter)) {
  }
  EXPECT_TRUE(queue.push("BYE", "1001"));
}

TEST_F(PageQueueTest, AQueueThatNobodyFetchesIsBounded) {
  for (std::size_t i = 0; i < PageQueue::kMessagesMax; ++i) EXPECT_TRUE(queue.push("x", ""));
  EXPECT_FALSE(queue.push("x", ""));
}

}  // namespace
}  // namespace crosspoint::bridge
