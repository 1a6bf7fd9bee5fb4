// How two agents find each other.
#include <gtest/gtest.h>

#include "core/ice/limits.h"
#include "core/ice/test_world.h"

namespace crosspoint::ice::test {
namespace {

using std::chrono::hours;

class Connecting : public testing::Test {
 protected:
  void expectConnected(const Node& a, const Node& b) {
    EXPECT_EQ(a.agent->state(), State::Connected) << a.name;
    EXPECT_EQ(b.agent->state(), State::Connected) << b.name;
    EXPECT_NE(a.agent->role(), b.agent->role());
  }
  void expectDataBothWays(Node& a, Node& b) {
    const int before = a.dataReceived, beforeB = b.dataReceived;
    EXPECT_TRUE(world.sendData(a) && world.sendData(b));
    world.run(100ms);
    EXPECT_EQ(a.dataReceived, before + 1) << a.name;
    EXPECT_EQ(b.dataReceived, beforeB + 1) << b.name;
  }

  World world;
};

TEST_F(Connecting, TwoHostsSelectTheSamePairFromBothEnds) {
  Node& a = world.add({.name = "a", .role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& b = world.add({.name = "b", .sockets = {"192.0.2.2:2000"}});
  EXPECT_EQ(a.agent->state(), State::New);
  world.introduce(a, b);
  EXPECT_EQ(a.agent->state(), State::Checking);
  world.run(1s);
  expectConnected(a, b);
  EXPECT_EQ(a.agent->selectedPair()->remote, at("192.0.2.2:2000"));
  EXPECT_EQ(b.agent->selectedPair()->remote, at("192.0.2.1:1000"));
  EXPECT_EQ(a.selections.size(), 1u);
  expectDataBothWays(a, b);
}

TEST_F(Connecting, TakesTwoRoundTripsAndOnePaceOnACleanNetwork) {
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& b = world.add({.sockets = {"192.0.2.2:2000"}});
  world.introduce(a, b);
  world.run(1s);
  ASSERT_EQ(a.selections.size(), 1u);
  EXPECT_LE(a.selections[0].first, kStart + 2 * 2 * world.delay + 50ms);
  EXPECT_LE(b.selections[0].first, a.selections[0].first);
}

TEST_F(Connecting, SixIsFoundBesideFourAndTheFirstSocketIsPreferred) {
  Node& a = world.add({.role = Role::Controlling, .sockets = {"[2001:db8::1]:1000", "192.0.2.1:1000"}});
  Node& b = world.add({.sockets = {"[2001:db8::2]:2000", "192.0.2.2:2000"}});
  world.introduce(a, b);
  world.run(1s);
  expectConnected(a, b);
  EXPECT_EQ(a.agent->selectedPair()->remote, at("[2001:db8::2]:2000"));
}

TEST_F(Connecting, ABrokenPreferredPathDelaysNominationByItsDelayOnly) {
  world.drops = [](const SocketAddress& from, const SocketAddress&) { return from.ip.isV6(); };
  Node& a = world.add({.role = Role::Controlling, .sockets = {"[2001:db8::1]:1000", "192.0.2.1:1000"}});
  Node& b = world.add({.sockets = {"[2001:db8::2]:2000", "192.0.2.2:2000"}});
  world.introduce(a, b);
  world.run(1s);
  expectConnected(a, b);
  EXPECT_EQ(a.agent->selectedPair()->remote, at("192.0.2.2:2000"));
}

TEST_F(Connecting, HostsBehindTwoNatsMeetAtTheirServerReflexiveCandidates) {
  Nat left{.outside = *IpAddress::parse("198.51.100.1")}, right{.outside = *IpAddress::parse("198.51.100.2")};
  const SocketAddress server = at("203.0.113.5:3478");
  world.addNat(left);
  world.addNat(right);
  world.addStunServer(server);
  Node& a = world.add({.role = Role::Controlling, .sockets = {"10.0.0.1:1000"}, .nat = &left, .stunServers = {server}});
  Node& b = world.add({.sockets = {"10.1.0.1:1000"}, .nat = &right, .stunServers = {server}});
  world.run(1s);
  EXPECT_TRUE(a.gatheringDone);
  ASSERT_EQ(a.candidates.size(), 2u);
  EXPECT_EQ(a.candidates[1].type, CandidateType::ServerReflexive);
  EXPECT_EQ(a.candidates[1].address, at("198.51.100.1:40000"));
  EXPECT_EQ(a.candidates[1].related, at("10.0.0.1:1000"));
  world.introduce(a, b);
  world.run(5s);
  expectConnected(a, b);
  EXPECT_EQ(a.agent->selectedPair()->remote, at("198.51.100.2:40000"));
  expectDataBothWays(a, b);
}

TEST_F(Connecting, AHostBehindANatIsFoundAsPeerReflexiveWithoutAnyCandidateOfIt) {
  Nat nat{.outside = *IpAddress::parse("198.51.100.1")};
  world.addNat(nat);
  Node& browser = world.add({.role = Role::Controlling, .sockets = {"10.0.0.1:1000"}, .nat = &nat});
  Node& gateway = world.add({.sockets = {"203.0.113.1:5000"}});
  gateway.agent->setRemoteCredentials(world.now(), browser.agent->localCredentials());
  gateway.agent->endOfRemoteCandidates(world.now());
  world.run(20s);  // the page takes its time
  EXPECT_EQ(gateway.agent->state(), State::Checking);
  world.tell(browser, gateway);
  world.run(1s);
  expectConnected(browser, gateway);
  EXPECT_EQ(gateway.agent->selectedPair()->remote, at("198.51.100.1:40000"));
}

TEST_F(Connecting, AServerThatNeverAnswersDoesNotHoldUpGatheringForLong) {
  Node& a = world.add({.sockets = {"192.0.2.1:1000"}, .stunServers = {at("203.0.113.5:3478")}});
  EXPECT_FALSE(a.gatheringDone);
  world.run(5500ms);
  EXPECT_TRUE(a.gatheringDone);
  EXPECT_EQ(a.sent, 4);
  EXPECT_EQ(a.candidates.size(), 1u);
}

TEST_F(Connecting, ThirtyPercentLossOnlySlowsItDown) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    World lossy(seed);
    lossy.loss = 0.3;
    Node& a = lossy.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000", "[2001:db8::1]:1"}});
    Node& b = lossy.add({.sockets = {"192.0.2.2:2000", "[2001:db8::2]:2"}});
    lossy.introduce(a, b);
    lossy.run(20s);
    EXPECT_TRUE(a.was(State::Connected)) << "seed " << seed;
    EXPECT_TRUE(b.was(State::Connected)) << "seed " << seed;
    EXPECT_EQ(a.agent->selectedPair()->remote.ip.isV4(), b.agent->selectedPair()->remote.ip.isV4()) << "seed " << seed;
  }
}

// Roles, restarts, and packets lost, doubled and overtaking each other: in the end both sides stand on one pair, every
// time.
TEST_F(Connecting, BothSidesAgreeInTheEndWhateverTheNetworkDoes) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    World w(seed);
    w.delay = 1ms;
    w.jitter = std::chrono::milliseconds(w.random().below(120));
    w.loss = static_cast<double>(w.random().below(4)) * 0.05;
    w.duplication = static_cast<double>(w.random().below(3)) * 0.2;
    auto role = [&w] { return w.random().below(2) == 0 ? Role::Controlling : Role::Controlled; };
    Node& a = w.add({.name = "a", .role = role(), .sockets = {"192.0.2.1:1000", "[2001:db8::1]:1"}});
    Node& b = w.add({.name = "b", .role = role(), .sockets = {"192.0.2.2:2000", "[2001:db8::2]:2"}});
    for (std::uint64_t generation = w.random().below(3) + 1; generation > 0; --generation) {
      w.introduce(a, b);
      w.run(std::chrono::milliseconds(w.random().below(500)));
      if (generation == 1) continue;
      w.restart(a);
      w.restart(b);
    }
    w.run(20s);
    w.loss = 0;
    w.run(7s);
    SCOPED_TRACE("seed " + std::to_string(seed));
    expectConnected(a, b);
    ASSERT_TRUE(a.agent->selectedPair() && b.agent->selectedPair());
    EXPECT_EQ(a.agent->selectedPair()->remote.ip.isV4(), b.agent->selectedPair()->remote.ip.isV4());
    EXPECT_EQ(a.ufrags.size(), 1u);
    if (HasFailure()) break;
  }
}

TEST_F(Connecting, WhenBothControlTheLargerTieBreakerKeepsTheRole) {
  for (const bool first : {true, false}) {
    World w;
    Node& a = w.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}, .tieBreaker = first ? 9u : 5u});
    Node& b = w.add({.role = Role::Controlling, .sockets = {"192.0.2.2:2000"}, .tieBreaker = 7});
    w.introduce(a, b);
    w.run(2s);
    expectConnected(a, b);
    EXPECT_EQ(a.agent->role(), first ? Role::Controlling : Role::Controlled);
    EXPECT_GT(a.agent->counters().roleConflicts + b.agent->counters().roleConflicts, 0u);
  }
}

TEST_F(Connecting, WhenNoneControlsTheLargerTieBreakerTakesTheRole) {
  for (const bool first : {true, false}) {
    World w;
    Node& a = w.add({.sockets = {"192.0.2.1:1000"}, .tieBreaker = first ? 9u : 5u});
    Node& b = w.add({.sockets = {"192.0.2.2:2000"}, .tieBreaker = 7});
    w.introduce(a, b);
    w.run(2s);
    expectConnected(a, b);
    EXPECT_EQ(a.agent->role(), first ? Role::Controlling : Role::Controlled);
  }
}

TEST_F(Connecting, CandidatesThatTrickleInLateAreChecked) {
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& b = world.add({.sockets = {"192.0.2.2:2000"}});
  a.agent->setRemoteCredentials(world.now(), b.agent->localCredentials());
  b.agent->setRemoteCredentials(world.now(), a.agent->localCredentials());
  world.run(30s);
  EXPECT_EQ(a.agent->state(), State::Checking);
  world.tell(a, b.candidates[0]);
  world.run(1s);
  expectConnected(a, b);
}

TEST_F(Connecting, ACandidateThatComesBeforeTheCredentialsIsKept) {
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& b = world.add({.sockets = {"192.0.2.2:2000"}});
  world.tell(a, b.candidates[0]);
  world.run(1s);
  EXPECT_EQ(a.sent, 0);
  a.agent->setRemoteCredentials(world.now(), b.agent->localCredentials());
  b.agent->setRemoteCredentials(world.now(), a.agent->localCredentials());
  world.run(1s);
  expectConnected(a, b);
}

TEST_F(Connecting, ChecksThatComeBeforeTheAnswerAreAnsweredAndUsedLater) {
  Node& offerer = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& answerer = world.add({.sockets = {"192.0.2.2:2000"}});
  world.tell(answerer, offerer);
  world.run(1s);
  EXPECT_GT(offerer.sent, 0);
  EXPECT_EQ(offerer.validated.size(), 1u);
  EXPECT_EQ(offerer.agent->state(), State::New);
  offerer.agent->setRemoteCredentials(world.now(), answerer.agent->localCredentials());
  world.run(1s);
  expectConnected(offerer, answerer);
}

TEST_F(Connecting, ManyAgentsOnOneSocketAreToldApart) {
  std::vector<std::pair<Node*, Node*>> calls;
  for (int i = 0; i < 40; ++i) {
    Node& gateway = world.add({.sockets = {"203.0.113.1:5000"}});
    Node& browser = world.add({.role = Role::Controlling, .sockets = {"192.0.2." + std::to_string(i + 1) + ":1000"}});
    world.introduce(browser, gateway);
    calls.emplace_back(&gateway, &browser);
  }
  world.run(2s);
  for (int i = 0; i < 40; ++i) {
    auto& [gateway, browser] = calls[static_cast<std::size_t>(i)];
    expectConnected(*gateway, *browser);
    EXPECT_EQ(gateway->agent->selectedPair()->remote, at("192.0.2." + std::to_string(i + 1) + ":1000"));
    EXPECT_EQ(gateway->validated.size(), 1u);
  }
}

TEST_F(Connecting, TheSameSeedGivesTheSamePackets) {
  auto trace = [](std::uint64_t seed) {
    std::string text;
    World w(seed);
    w.loss = 0.2;
    w.watch = [&](TimePoint now, const SocketAddress& from, const SocketAddress& to, Bytes bytes) {
      text += std::to_string(now.time_since_epoch().count()) + from.toString() + to.toString();
      text.append(bytes.begin(), bytes.end());
    };
    Node& a = w.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
    Node& b = w.add({.sockets = {"192.0.2.2:2000"}});
    w.introduce(a, b);
    w.run(60s);
    return text;
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

TEST_F(Connecting, NewTransactionsArePacedBy50Milliseconds) {
  std::map<stun::TransactionId, TimePoint> begun;
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  world.watch = [&](TimePoint now, const SocketAddress& from, const SocketAddress&, Bytes bytes) {
    const auto message = stun::MessageView::parse(bytes);
    if (from == at("192.0.2.1:1000")) begun.try_emplace(message->transactionId(), now);
  };
  a.agent->setRemoteCredentials(world.now(), world.credentials());
  for (int i = 1; i <= 20; ++i) {
    world.tell(a, Candidate{.foundation = std::to_string(i),
                            .priority = 1000u + static_cast<unsigned>(i),
                            .address = at("198.51.100." + std::to_string(i) + ":9000")});
  }
  world.run(10s);
  std::vector<TimePoint> times;
  for (const auto& entry : begun) times.push_back(entry.second);
  std::ranges::sort(times);
  ASSERT_EQ(times.size(), 20u);
  for (std::size_t i = 1; i < times.size(); ++i) EXPECT_GE(times[i] - times[i - 1], 50ms);
}

}  // namespace
}  // namespace crosspoint::ice::test
