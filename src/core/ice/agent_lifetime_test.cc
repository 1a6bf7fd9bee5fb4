// What happens after a pair is selected: consent, restarts, moves; and when nothing is ever found.
#include <gtest/gtest.h>

#include <utility>

#include "core/ice/limits.h"
#include "core/ice/test_world.h"

namespace crosspoint::ice::test {
namespace {

class Connected : public testing::Test {
 protected:
  void connect() {
    world.introduce(a, b);
    world.run(1s);
    ASSERT_EQ(a.agent->state(), State::Connected);
    ASSERT_EQ(b.agent->state(), State::Connected);
  }
  void cut() {
    world.drops = [](const SocketAddress&, const SocketAddress&) { return true; };
  }

  World world;
  Node& a = world.add({.name = "a", .role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& b = world.add({.name = "b", .sockets = {"192.0.2.2:2000"}});
};

TEST_F(Connected, AnIdleAgentWakesOnlyForItsConsentChecks) {
  connect();
  world.run(5s);
  a.wakeUps = a.sent = 0;
  world.run(600s);
  EXPECT_GE(a.wakeUps, 100);
  EXPECT_LE(a.wakeUps, 150);
  EXPECT_LE(a.sent, 2 * 150 + 2);  // its checks and its answers
  EXPECT_EQ(a.agent->state(), State::Connected);
  EXPECT_EQ(a.states.size(), 2u);
}

TEST_F(Connected, ConsentChecksComeEvery4To6Seconds) {
  std::vector<TimePoint> times;
  connect();
  world.watch = [&](TimePoint now, const SocketAddress& from, const SocketAddress&, Bytes bytes) {
    if (from == at("192.0.2.1:1000") && stun::localUfragOf(bytes)) times.push_back(now);
  };
  world.run(300s);
  ASSERT_GE(times.size(), 50u);
  Duration shortest = 1h, longest = 0s;
  for (std::size_t i = 1; i < times.size(); ++i) {
    shortest = std::min(shortest, times[i] - times[i - 1]);
    longest = std::max(longest, times[i] - times[i - 1]);
  }
  EXPECT_GE(shortest, 4s);
  EXPECT_LE(longest, 6s);
  EXPECT_GT(longest - shortest, 1s);
}

TEST_F(Connected, ConsentExpiresExactly30SecondsAfterTheLastAnswer) {
  connect();
  TimePoint lastAnswer;
  world.watch = [&](TimePoint now, const SocketAddress& from, const SocketAddress&, Bytes bytes) {
    if (from == at("192.0.2.2:2000") && stun::transactionPrefixOf(bytes)) lastAnswer = now + 20ms;
  };
  world.run(23s);
  cut();
  world.watch = nullptr;
  world.runUntil(lastAnswer + 12500ms - 1ns);
  EXPECT_EQ(a.agent->state(), State::Connected);
  world.runUntil(lastAnswer + 12500ms);
  EXPECT_EQ(a.agent->state(), State::Disconnected);
  EXPECT_TRUE(a.agent->selectedPair());
  world.runUntil(lastAnswer + 30s - 1ns);
  EXPECT_EQ(a.agent->state(), State::Disconnected);
  world.runUntil(lastAnswer + 30s);
  EXPECT_EQ(a.agent->state(), State::Failed);
  EXPECT_FALSE(a.agent->selectedPair());
  EXPECT_EQ(a.agent->nextTimeout(), std::nullopt);
  const int sent = a.sent;
  world.run(60s);
  EXPECT_EQ(a.sent, sent);
}

TEST_F(Connected, AnAnswerAfterASilenceConnectsAgain) {
  connect();
  cut();
  world.run(20s);
  EXPECT_EQ(a.agent->state(), State::Disconnected);
  world.drops = nullptr;
  world.run(7s);
  EXPECT_EQ(a.agent->state(), State::Connected);
  EXPECT_EQ(a.states.back().second, State::Connected);
}

TEST_F(Connected, OneLostCheckIsNotASilence) {
  connect();
  for (int i = 0; i < 20; ++i) {
    bool lost = false;
    world.drops = [&](const SocketAddress& from, const SocketAddress&) {
      return from == at("192.0.2.1:1000") && !std::exchange(lost, true);
    };
    world.run(13s);
  }
  EXPECT_FALSE(a.was(State::Disconnected));
}

TEST_F(Connected, ARestartByBothSidesLosesNoDataAndRetiresTheOldUfrag) {
  connect();
  const IceCredentials old = a.agent->localCredentials();
  world.restart(a);
  EXPECT_EQ(a.agent->state(), State::Connected);
  EXPECT_FALSE(a.agent->remoteCredentials());
  int sent = 0;
  auto talk = [&](Duration duration) {
    for (const TimePoint end = world.now() + duration; world.now() < end; ++sent) {
      ASSERT_TRUE(world.sendData(a) && world.sendData(b));
      world.run(20ms);
    }
  };
  talk(2s);  // the offer is on its way
  world.restart(b);
  world.introduce(a, b);
  talk(1s);
  EXPECT_EQ(a.agent->state(), State::Connected);
  EXPECT_EQ(a.ufrags.size(), 2u);
  talk(10s);
  world.run(100ms);
  EXPECT_EQ(a.dataReceived, sent);
  EXPECT_EQ(b.dataReceived, sent);
  EXPECT_EQ(a.ufrags, std::vector{a.agent->localCredentials().ufrag});
  EXPECT_NE(a.agent->localCredentials(), old);
  EXPECT_EQ(a.states.size(), 2u);  // Checking, Connected: the restart was not noticed
  world.run(60s);
  EXPECT_EQ(b.agent->state(), State::Connected);
}

TEST_F(Connected, ARestartMovesTheCallToAnotherAddress) {
  connect();
  Node& c = world.add(
      {.name = "c", .role = Role::Controlling, .sockets = {"198.51.100.7:3000"}});  // the same page, new network
  world.restart(b);
  world.introduce(c, b);
  world.run(1s);
  EXPECT_EQ(b.agent->selectedPair()->remote, at("198.51.100.7:3000"));
  EXPECT_EQ(b.selections.size(), 2u);
  EXPECT_EQ(b.validated.size(), 2u);
  world.run(3s);
  ASSERT_EQ(b.validated.size(), 1u);
  EXPECT_EQ(b.validated[0].remote, at("198.51.100.7:3000"));
}

TEST_F(Connected, NewCredentialsOfThePeerAloneAreARestartAsWell) {
  connect();
  Node& c = world.add({.name = "c", .role = Role::Controlling, .sockets = {"198.51.100.7:3000"}});
  world.introduce(c, b);  // a page with a new peer connection answers our old offer
  EXPECT_EQ(b.agent->selectedPair()->remote, at("192.0.2.1:1000"));
  world.run(1s);
  EXPECT_EQ(b.agent->selectedPair()->remote, at("198.51.100.7:3000"));
  EXPECT_EQ(b.agent->state(), State::Connected);
  EXPECT_EQ(b.ufrags.size(), 1u);
}

TEST_F(Connected, OurHalfOfARestartMayComeAfterThePeers) {
  connect();
  world.restart(a);
  b.agent->setRemoteCredentials(world.now(), a.agent->localCredentials());
  world.tell(b, a.candidates[0]);
  world.restart(b);
  EXPECT_EQ(b.agent->remoteCredentials(), a.agent->localCredentials());
  world.tell(a, b);
  world.run(5s);
  EXPECT_EQ(a.agent->state(), State::Connected);
  EXPECT_EQ(b.agent->state(), State::Connected);
  EXPECT_EQ(a.ufrags.size(), 1u);
  EXPECT_EQ(b.ufrags.size(), 1u);
}

TEST_F(Connected, TheSameCredentialsAgainChangeNothing) {
  connect();
  const int sent = a.sent;
  world.introduce(a, b);
  world.run(1s);
  EXPECT_EQ(a.sent, sent);
}

TEST_F(Connected, ARestartRevivesAFailedAgent) {
  connect();
  cut();
  world.run(60s);
  ASSERT_EQ(a.agent->state(), State::Failed);
  world.drops = nullptr;
  world.restart(a);
  world.restart(b);
  EXPECT_EQ(a.agent->state(), State::Checking);
  EXPECT_EQ(a.ufrags.size(), 1u);
  world.introduce(a, b);
  world.run(1s);
  EXPECT_EQ(a.agent->state(), State::Connected);
  EXPECT_EQ(a.selections.size(), 2u);  // told again, though it is the same one
}

TEST_F(Connected, ARestartThatIsNeverAnsweredOnADeadPathFails) {
  connect();
  cut();
  world.restart(a);
  world.run(31s);
  EXPECT_EQ(a.agent->state(), State::Checking);
  EXPECT_FALSE(a.agent->selectedPair());
  world.run(40s);
  EXPECT_EQ(a.agent->state(), State::Failed);
}

TEST_F(Connected, AControllingPeerThatMovesIsFollowed) {
  Node& far = world.add({.role = Role::Controlling, .sockets = {"192.0.2.9:1", "198.51.100.9:1"}});
  Node& near = world.add({.sockets = {"203.0.113.9:9"}});
  world.introduce(far, near);
  world.run(10s);
  ASSERT_EQ(near.agent->selectedPair()->remote, at("192.0.2.9:1"));
  // Its first network is gone; it nominates by the second, without new credentials.
  world.drops = [](const SocketAddress& from, const SocketAddress& to) {
    return from == at("192.0.2.9:1") || to == at("192.0.2.9:1");
  };
  auto nominate = [&] {
    stun::MessageBuffer buffer;
    stun::MessageWriter writer(buffer.data, stun::Class::Request, stun::Method::Binding, {1, 2, 3});
    writer.addUsername(near.agent->localCredentials().ufrag, far.agent->localCredentials().ufrag);
    writer.addNumber(stun::AttributeType::Priority, std::uint32_t{5});
    writer.addNumber(stun::AttributeType::IceControlling, std::uint64_t{1});
    writer.addFlag(stun::AttributeType::UseCandidate);
    writer.addMessageIntegrity(asBytes(near.agent->localCredentials().password));
    world.inject(near.agent->selectedPair()->socket, at("198.51.100.9:1"), writer.finish());
  };
  nominate();
  EXPECT_EQ(near.agent->selectedPair()->remote, at("192.0.2.9:1"));
  world.run(8s);
  nominate();
  world.run(1s);
  EXPECT_EQ(near.agent->selectedPair()->remote, at("198.51.100.9:1"));
  EXPECT_EQ(near.agent->state(), State::Connected);
}

TEST(Unreachable, ThePeerIsGivenUpAfterPatienceAndNotBefore) {
  World world;
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  a.agent->setRemoteCredentials(world.now(), world.credentials());
  a.agent->endOfRemoteCandidates(world.now());
  a.agent->localDescriptionSent(world.now());
  world.runUntil(kStart + 39500ms - 1ns);
  EXPECT_EQ(a.agent->state(), State::Checking);
  world.runUntil(kStart + 39500ms);
  EXPECT_EQ(a.agent->state(), State::Failed);
  EXPECT_EQ(a.agent->nextTimeout(), std::nullopt);
}

TEST(Unreachable, EachLateCandidateRenewsThePatienceUntilTheEndOfCandidates) {
  World world;
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  a.agent->setRemoteCredentials(world.now(), world.credentials());
  a.agent->localDescriptionSent(world.now());
  world.run(30s);
  world.tell(a, Candidate{.foundation = "1", .priority = 1, .address = at("198.51.100.1:9000")});
  world.run(39s);
  EXPECT_EQ(a.agent->state(), State::Checking);
  world.run(1s);
  EXPECT_EQ(a.agent->state(), State::Failed);
}

TEST(Unreachable, WhileThePeerDoesNotKnowUsNothingFails) {
  World world;
  Node& page = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1000"}});
  Node& gateway = world.add({.sockets = {"203.0.113.1:5000"}});
  gateway.agent->setRemoteCredentials(world.now(), page.agent->localCredentials());
  for (const Candidate& candidate : page.candidates) world.tell(gateway, candidate);
  world.drops = [](const SocketAddress&, const SocketAddress& to) { return to == at("192.0.2.1:1000"); };
  world.run(180s);  // the phone rings
  EXPECT_EQ(gateway.agent->state(), State::Checking);
  EXPECT_EQ(gateway.agent->nextTimeout(), std::nullopt);
  world.drops = nullptr;
  world.tell(page, gateway);
  world.run(1s);
  EXPECT_EQ(gateway.agent->state(), State::Connected);
}

}  // namespace
}  // namespace crosspoint::ice::test
