// Messages are neither lost nor doubled nor reordered, whatever the network does: a page and its queue with polls that
// are aborted, overlap or are repeated by a proxy, WebSockets that break, and replies that die on the way, in random
// order from a seed.
#include <gtest/gtest.h>

#include <map>

#include "bridge/page_queue.h"
#include "bridge/taken_numbers.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::bridge {
namespace {

// The page as docs/protocols/signalling.md section 3 tells it to be, the queue, and what is between them.
class World {
 public:
  enum class Way : std::uint8_t { Polls, Sockets, Both };

  World(unsigned seed, Way way) : random_(seed), way_(way) {}

  void step() {
    now_ += std::chrono::milliseconds(draw(2'000));
    queue_.handleTimeout(now_);
    switch (draw(10)) {
      case 0:
      case 1:
      case 2:
        return push();
      case 3:
        return openPoll(acknowledged());
      case 4:
        return openSocket();
      case 5:
        return repeatPoll();
      case 6:
        return acknowledge();
      case 7:
        return cut();
      case 8:
        return queue_.handleAcknowledged(pushed_ + 1 + draw(1'000'000));  // what was never sent
      default:
        return carry();
    }
  }
  // From now on the network is kind, for long enough.
  void finish() {
    while (!connections_.empty()) lose(connections_.begin());
    for (int i = 0; i < 2'000 && read_.size() < pushed_; ++i) {
      way_ == Way::Sockets ? openSocket() : openPoll(read_.size());
      for (int k = 0; k < 100; ++k) carry();
      acknowledge();
    }
  }
  void expectInOrder() const {
    for (std::size_t i = 0; i < read_.size(); ++i) ASSERT_EQ(read_[i], std::to_string(i + 1));
  }
  void expectAll() const { EXPECT_EQ(read_.size(), pushed_); }
  std::size_t pushed() const { return pushed_; }

 private:
  struct Connection {
    bool socket = false;
    bool read = true;                // by our page; a proxy's repetition is not
    std::deque<PageReply> onTheWay;  // what the gateway has written
  };
  using Connections = std::map<std::uint64_t, Connection>;

  std::size_t draw(std::size_t below) { return random_.below(below); }
  // What the page may say: all it has read, or less, from a request that was made before.
  std::uint64_t acknowledged() { return draw(4) == 0 && !read_.empty() ? draw(read_.size()) : read_.size(); }

  void push() {
    if (queue_.push(std::to_string(pushed_ + 1), "peer")) ++pushed_;
    collect();
  }
  void openPoll(std::uint64_t acknowledged) {
    if (way_ == Way::Sockets) return;
    connections_[++last_] = {};
    queue_.handleWait(now_, RequestId{last_}, acknowledged);
    lastAcknowledged_ = acknowledged;
    collect();
  }
  void repeatPoll() {  // nobody hears the reply
    if (way_ == Way::Sockets) return;
    connections_[++last_] = {.read = false};
    queue_.handleWait(now_, RequestId{last_}, lastAcknowledged_);
    collect();
  }
  void openSocket() {
    if (way_ == Way::Polls) return;
    connections_[++last_] = {.socket = true};
    queue_.handleSocket(RequestId{last_}, acknowledged());
    collect();
  }
  void acknowledge() {
    if (way_ == Way::Polls) return;
    queue_.handleAcknowledged(acknowledged());
    collect();
  }
  void collect() {
    while (!replies_.empty()) {
      auto reply = std::move(replies_.front());
      replies_.pop_front();
      const auto found = connections_.find(static_cast<std::uint64_t>(reply.request));
      if (found == connections_.end()) continue;
      ASSERT_EQ(found->second.socket, reply.form != PageReply::Form::Reply);
      found->second.onTheWay.push_back(std::move(reply));
    }
  }
  // One thing arrives at the page.
  void carry() {
    if (connections_.empty()) return;
    auto found = std::next(connections_.begin(), static_cast<std::ptrdiff_t>(draw(connections_.size())));
    auto& connection = found->second;
    if (connection.onTheWay.empty()) return;
    const auto reply = std::move(connection.onTheWay.front());
    connection.onTheWay.pop_front();
    const bool ends = reply.form != PageReply::Form::Frame;
    // The kernel took it: true whether the page reads it or not.
    if (!connection.socket) queue_.handleDelivered(reply.request);
    if (connection.read && draw(3) != 0 && reply.sequence && *reply.sequence == read_.size() + 1) {
      read_.push_back(reply.body);
    } else if (connection.socket && !ends) {
      return lose(found);  // the rest of a stream does not arrive when a part of it is missing
    }
    if (ends) lose(found);
  }
  void cut() {
    if (connections_.empty()) return;
    lose(std::next(connections_.begin(), static_cast<std::ptrdiff_t>(draw(connections_.size()))));
  }
  void lose(Connections::iterator connection) {
    const RequestId id{connection->first};
    connections_.erase(connection);
    if (draw(3) != 0) queue_.handleClosed(id);  // else the gateway never hears of it
    collect();
  }

  crosspoint::test::SeededRandom random_;
  Way way_;
  TimePoint now_{};
  std::deque<PageReply> replies_;
  PageQueue queue_{25s, replies_};
  Connections connections_;
  std::uint64_t last_ = 0, lastAcknowledged_ = 0;
  std::size_t pushed_ = 0;
  std::vector<std::string> read_;
};

class Delivery : public testing::TestWithParam<World::Way> {};

TEST_P(Delivery, EveryMessageArrivesOnceAndInOrderWhateverTheNetworkDoes) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed, GetParam());
    for (int i = 0; i < 600; ++i) {
      world.step();
      if (testing::Test::HasFatalFailure()) return;
    }
    world.expectInOrder();
    world.finish();
    world.expectInOrder();
    world.expectAll();
    EXPECT_GT(world.pushed(), 50U);
    if (testing::Test::HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Delivery, testing::Values(World::Way::Polls, World::Way::Sockets, World::Way::Both),
                         [](const auto& way) {
                           return way.param == World::Way::Polls     ? "ByHangingGet"
                                  : way.param == World::Way::Sockets ? "ByWebSocket"
                                                                     : "SwitchingBetween";
                         });

// A client in the field does not count. What holds: if the server knows of each reply whether it was read (delivered,
// or closed before), then nothing is lost or doubled, with polls that are aborted and polls that overlap.
TEST(DeliveryWithoutCounting, EveryMessageArrivesOnceIfTheFateOfEachReplyIsKnown) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    crosspoint::test::SeededRandom random(seed);
    const auto draw = [&](std::size_t below) { return random.below(below); };
    std::deque<PageReply> replies;
    PageQueue queue{25s, replies};
    std::vector<RequestId> open;
    std::uint64_t last = 0, pushed = 0;
    std::vector<std::string> read;
    for (int i = 0; i < 1'500 || (i < 10'000 && read.size() < pushed); ++i) {
      const bool quiet = i >= 1'500;  // let it come to an end
      switch (quiet ? (open.empty() ? 2U : 3U) : draw(5)) {
        case 0:
        case 1:
          if (queue.push(std::to_string(pushed + 1), "")) ++pushed;
          break;
        case 2:
          open.push_back(RequestId{++last});
          queue.handleWait({}, open.back(), std::nullopt);
          break;
        case 3: {  // a reply is read, or dies on the way
          if (replies.empty()) break;
          const auto reply = replies.front();
          replies.pop_front();
          if (std::erase(open, reply.request) == 0) {
            queue.handleClosed(reply.request);  // its client had gone
          } else if (!quiet && draw(3) == 0) {
            queue.handleClosed(reply.request);
          } else {
            if (!reply.body.empty()) read.push_back(reply.body);
            queue.handleDelivered(reply.request);
          }
          break;
        }
        default:
          if (open.empty()) break;
          const auto at = open.begin() + static_cast<std::ptrdiff_t>(draw(open.size()));
          const auto aborted = *at;
          open.erase(at);
          const bool answered = std::ranges::any_of(replies, [&](const auto& one) { return one.request == aborted; });
          if (!answered) queue.handleClosed(aborted);
      }
    }
    ASSERT_EQ(read.size(), pushed) << "seed " << seed;
    for (std::size_t i = 0; i < read.size(); ++i) ASSERT_EQ(read[i], std::to_string(i + 1)) << "seed " << seed;
  }
}

TEST(TakenNumbers, EachIsTakenOnce) {
  TakenNumbers numbers;
  EXPECT_FALSE(numbers.take(0));
  EXPECT_TRUE(numbers.take(1));
  EXPECT_FALSE(numbers.take(1));
  EXPECT_TRUE(numbers.take(3));
  EXPECT_TRUE(numbers.take(2));
  EXPECT_FALSE(numbers.take(2));
  EXPECT_EQ(numbers.largest(), 3U);
}

TEST(TakenNumbers, OneThatIsFarBehindCountsAsTaken) {
  TakenNumbers numbers;
  EXPECT_TRUE(numbers.take(100));
  EXPECT_TRUE(numbers.take(100 - TakenNumbers::kBehindMax));
  EXPECT_FALSE(numbers.take(100 - TakenNumbers::kBehindMax));
  EXPECT_FALSE(numbers.take(100 - TakenNumbers::kBehindMax - 1));
  EXPECT_TRUE(numbers.take(~std::uint64_t{0}));
  EXPECT_FALSE(numbers.take(100));
}

// The other direction: the page repeats what was not confirmed, on any connection, and late copies arrive too.
TEST(TakenNumbers, WhatIsRepeatedInAnyOrderIsTakenOnceAndInOrder) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    crosspoint::test::SeededRandom random(seed);
    TakenNumbers numbers;
    std::vector<std::uint64_t> taken, wire;
    std::uint64_t confirmed = 0;
    while (confirmed < 100) {
      wire.push_back(confirmed + 1);  // and again, and again
      const auto number = random.below(2) == 0 ? confirmed + 1 : wire[random.below(wire.size())];  // or an old copy
      if (numbers.take(number)) taken.push_back(number);
      if (number == confirmed + 1 && random.below(2) == 0) ++confirmed;  // else the confirmation is lost
    }
    ASSERT_EQ(taken.size(), 100U) << "seed " << seed;
    ASSERT_TRUE(std::ranges::is_sorted(taken)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace crosspoint::bridge
