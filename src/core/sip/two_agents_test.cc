// Two user agents back to back under random commands, loss, delay, reordering and challenges: nothing gets stuck,
// nothing is left.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "core/sip/agent_network.h"

namespace crosspoint::sip {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using test::AgentNetwork;
using test::kStart;
using test::NetworkFaults;

// Owners of calls that do anything at any time.
struct RandomOwners {
  RandomOwners(std::uint64_t seed, NetworkFaults faults) : network(seed, faults) {
    network.onEvent = [this](int side, const Event& event) { handle(side, event); };
  }

  AgentNetwork network;
  std::array<std::set<CallId>, 2> live, ended;
  bool givesCredentials = false;              // at once, to calls that come in
  std::array<std::set<CallId>, 2> referring;  // a REFER of ours whose result is not known
  std::size_t replaced = 0, transfersDone = 0;
  std::size_t answered = 0, started = 0, reOffers = 0, earlyOffers = 0, earlyAnswers = 0;

  std::uint64_t dice(std::uint64_t bound) { return network.random.below(bound); }
  UserAgent& agent(int side) { return network.sides[side].agent; }

  void handle(int side, const Event& event) {
    std::visit(
        [&](const auto& what) {
          if constexpr (requires { what.call; }) {
            EXPECT_FALSE(ended[side].contains(what.call)) << "an event after Ended";
            react(side, what);
          }
        },
        event);
  }
  template <typename E>
  void react(int, const E&) {}
  void react(int side, const IncomingCall& incoming) {
    live[side].insert(incoming.call);
    const auto id = incoming.call;
    if (incoming.replaces) takeOver(side, id, *incoming.replaces);
    if (givesCredentials) static_cast<void>(agent(side).setCredentials(id, {"1020", "secret"}));
    if (dice(2))
      network.after(milliseconds(dice(500)), [=, this] { static_cast<void>(agent(side).ring(network.now, id)); });
    if (dice(3) != 0) {
      network.after(milliseconds(dice(900)),
                    [=, this] { static_cast<void>(agent(side).progress(network.now, id, "early")); });
    }
    network.after(milliseconds(dice(3000)), [=, this] {
      if (dice(8) == 0)
        static_cast<void>(agent(side).reject(network.now, id, 486));
      else if (dice(20) != 0)
        static_cast<void>(agent(side).accept(network.now, id, "session"));
    });
  }
  void react(int side, const EarlyMedia& event) {
    if (event.isOffer) later(side, event.call, event.branch);
    if (dice(3) == 0) updateLater(side, event.call);
  }
  void react(int side, const Answered& event) {
    ++answered;
    if (event.isOffer) later(side, event.call, event.branch);
  }
  void react(int side, const OfferReceived& event) {
    ++reOffers;
    earlyOffers += event.early;
    later(side, event.call, event.branch);
  }
  void react(int side, const OfferAnswered& event) {
    earlyAnswers += event.early;
    if (event.early && dice(2)) updateLater(side, event.call);
  }
  // As bridges do: the new call is answered at once, the old one ended.
  void takeOver(int side, CallId newCall, CallId oldCall) {
    EXPECT_TRUE(live[side].contains(oldCall)) << "Replaces names a call that is not live";
    EXPECT_NE(newCall, oldCall);
    if (dice(4) == 0 || !agent(side).accept(network.now, newCall, "session")) return;
    ++replaced;
    EXPECT_TRUE(agent(side).hangUp(network.now, oldCall));
  }
  void react(int side, const ReferReceived& event) {
    network.after(milliseconds(dice(3000)), [=, this] {
      if (dice(6) == 0)
        static_cast<void>(agent(side).rejectRefer(network.now, event.call, event.refer, 603));
      else if (dice(10) != 0 && agent(side).acceptRefer(network.now, event.call, event.refer))
        transfer(side, event);
    });
  }
  void transfer(int side, const ReferReceived& event) {
    const auto call = agent(side).invite(network.now, {.fromUser = "1020",
                                                       .to = event.target.toString(),
                                                       .credentials = {"1020", "secret"},
                                                       .sdp = "offer",
                                                       .replaces = event.replaces,
                                                       .referredBy = event.referredBy});
    if (call) live[side].insert(*call);
    for (const int status : {180, dice(3) == 0 ? 486 : 200}) {
      if (dice(8) == 0) return;  // it forgets to tell
      network.after(milliseconds(dice(10'000)), [=, this] {
        static_cast<void>(agent(side).notifyRefer(network.now, event.call, event.refer, status));
      });
    }
  }
  void react(int side, const ReferProgress& event) {
    EXPECT_TRUE(referring[side].contains(event.call)) << "a result twice, or for nothing";
    if (!event.final) return;
    referring[side].erase(event.call);
    transfersDone += event.status / 100 == 2;
  }
  void refer(int side, CallId id) {
    auto other = live[side].begin();
    std::advance(other, static_cast<std::ptrdiff_t>(dice(live[side].size())));
    std::optional<Replaces> replaces;
    if (*other != id) replaces = agent(side).dialogOf(*other);
    if (agent(side).refer(network.now, id, "1022", replaces)) {
      EXPECT_TRUE(referring[side].insert(id).second) << "two at once";
    }
  }
  void react(int side, const Ended& event) {
    live[side].erase(event.call);
    referring[side].erase(event.call);
    EXPECT_TRUE(ended[side].insert(event.call).second) << "Ended twice";
    EXPECT_EQ(agent(side).hangUp(network.now, event.call).error(), CommandError::UnknownCall);
  }
  void later(int side, CallId id, std::uint32_t branch) {
    network.after(milliseconds(dice(1500)), [=, this] {
      if (dice(10) == 0)
        static_cast<void>(agent(side).rejectOffer(network.now, id, 488, branch));
      else if (dice(15) != 0)
        static_cast<void>(agent(side).answerOffer(network.now, id, "answer", branch));
    });
  }
  void updateLater(int side, CallId id) {
    network.after(milliseconds(dice(500)),
                  [=, this] { static_cast<void>(agent(side).update(network.now, id, "new")); });
  }

  void start(int side) {
    ++started;
    std::optional<std::string> sdp;
    if (dice(4)) sdp = "offer";
    const auto call = agent(side).invite(
        network.now, {.fromUser = "1020", .to = "1021", .credentials = {"1020", "secret"}, .sdp = std::move(sdp)});
    if (call) live[side].insert(*call);
  }
  void disturb(int side) {
    if (live[side].empty()) return start(side);
    auto it = live[side].begin();
    std::advance(it, static_cast<std::ptrdiff_t>(dice(live[side].size())));
    const CallId id = *it;
    std::optional<std::string> sdp;
    if (dice(4)) sdp = "offer";
    switch (dice(18)) {
      case 0:
      case 1:
        static_cast<void>(agent(side).hangUp(network.now, id));
        break;
      case 2:
      case 3:
      case 4:
      case 5:
        static_cast<void>(agent(side).reInvite(network.now, id, std::move(sdp)));
        break;
      case 6:
      case 7:
        static_cast<void>(agent(side).sendInfo(network.now, id, "text/plain", "x"));
        break;
      case 8:
        static_cast<void>(agent(side).setCredentials(id, {"1020", "secret"}));
        break;
      case 9:
        static_cast<void>(agent(side).accept(network.now, id, "session"));
        break;
      case 10:
      case 11:
      case 12:
        static_cast<void>(agent(side).update(network.now, id, "update"));
        break;
      case 13:
      case 14:
      case 15:
        refer(side, id);
        break;
      default:
        start(side);
    }
  }
  void run(Duration duration) {
    const TimePoint end = network.now + duration;
    while (network.now < end) {
      disturb(static_cast<int>(dice(2)));
      network.drain();
      network.runUntil(network.now + milliseconds(dice(2000)));
    }
    // Twice: an INVITE on its way becomes a call after the first time, and its BYE may be lost.
    for (int round : {0, 1}) {
      for (int side : {0, 1}) {
        for (const CallId id : std::set(live[side])) static_cast<void>(agent(side).hangUp(network.now, id));
      }
      network.drain();
      network.runUntil(network.now + minutes(5 + round));
    }
  }
};

void runSeed(std::uint64_t seed, NetworkFaults faults) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomOwners t(seed, faults);
  t.run(2min);
  for (int side : {0, 1}) {
    EXPECT_TRUE(t.live[side].empty());
    EXPECT_EQ(t.agent(side).callCount(), 0u);
    EXPECT_FALSE(t.agent(side).nextTimeout().has_value());
    EXPECT_EQ(t.network.sides[side].rules.unansweredRequests(), 0u);
  }
  EXPECT_GT(t.started, 5u);
}

// CROSSPOINT_SEEDS asks for more than the usual number, CROSSPOINT_SEED for one.
void runSeeds(NetworkFaults faults) {
  if (const char* one = std::getenv("CROSSPOINT_SEED")) return runSeed(std::strtoull(one, nullptr, 10), faults);
  const char* many = std::getenv("CROSSPOINT_SEEDS");
  const std::uint64_t count = many != nullptr ? std::strtoull(many, nullptr, 10) : 60;
  for (std::uint64_t seed = 1; seed <= count && !testing::Test::HasFailure(); ++seed) runSeed(seed, faults);
}

TEST(TwoAgents, EndEveryCallOnAGoodNetwork) { runSeeds({}); }
TEST(TwoAgents, EndEveryCallThroughAProxyThatChallenges) { runSeeds({.challengePercent = 60}); }
TEST(TwoAgents, EndEveryCallWithLoss) { runSeeds({.lossPercent = 10, .challengePercent = 20}); }
TEST(TwoAgents, EndEveryCallWithMuchLossAndReordering) {
  runSeeds({.lossPercent = 30, .challengePercent = 20, .delayMax = 3s});
}
TEST(TwoAgents, EndEveryCallThroughAProxyThatRedirects) { runSeeds({.challengePercent = 10, .redirectPercent = 50}); }

TEST(TwoAgents, SetUpMostCallsOnAGoodNetwork) {
  RandomOwners t(99, {});
  t.run(20min);
  EXPECT_GT(t.answered * 2, t.started);
  EXPECT_GT(t.reOffers, 50u);
}

// What the rules are checked on: everything happens.
TEST(TwoAgents, UseReliableResponsesUpdatesAndSessionTimers) {
  RandomOwners t(98, {.challengePercent = 20});
  t.run(30min);
  EXPECT_GT(t.earlyOffers, 10u);
  EXPECT_GT(t.earlyAnswers, 10u);
  for (const auto& side : t.network.sides) {
    EXPECT_GT(side.rules.reliableSent, 50u);
    EXPECT_GT(side.rules.pracksSent, 50u);
    EXPECT_GT(side.rules.updatesSent, 50u);
  }
  EXPECT_GT(t.network.sides[1].rules.tooSmallSent, 50u);
}

TEST(TwoAgents, TransferCallsToEachOther) {
  RandomOwners t(96, {.challengePercent = 20, .redirectPercent = 20});
  t.run(30min);
  EXPECT_GT(t.replaced, 20u);
  EXPECT_GT(t.transfersDone, 20u);
  for (int side : {0, 1}) {
    const auto& rules = t.network.sides[side].rules.refers;
    EXPECT_GT(rules.refersSent, 50u);
    EXPECT_GT(rules.accepted, 20u);
    EXPECT_GT(rules.finalsSent, 20u);
    EXPECT_GT(t.agent(side).counters().redirects, 20u);
  }
}

// Calls that nobody touches stay up by their refreshes, and end on both sides when the network goes away.
TEST(TwoAgents, KeepQuietCallsUpAndNoticeTheEndOfTheNetwork) {
  RandomOwners t(97, {.challengePercent = 20});
  t.givesCredentials = true;
  for (int i = 0; i < 20; ++i) t.start(i % 2);
  t.network.drain();
  t.network.runUntil(kStart + 4min);
  const auto up = t.live;
  EXPECT_GT(up[0].size(), 5u);
  t.network.runUntil(kStart + 60min);
  EXPECT_EQ(t.live, up);
  for (const auto& side : t.network.sides) EXPECT_GT(side.rules.refreshesSent, 100u);
  t.network.faults.lossPercent = 100;
  t.network.runUntil(kStart + 64min);
  EXPECT_TRUE(t.live[0].empty());
  EXPECT_TRUE(t.live[1].empty());
}

// Two ends that answer every offer at once, and a call between them.
struct QuickOwners {
  QuickOwners() : network(7, {}) {
    network.onEvent = [this](int side, const Event& event) { handle(side, event); };
    call[0] = *agent(0).invite(network.now, {.fromUser = "1020", .to = "1021", .sdp = "first of 0"});
    run(1s);
  }
  UserAgent& agent(int side) { return network.sides[side].agent; }
  void run(Duration duration) {
    network.drain();
    network.runUntil(network.now + duration);
  }
  void handle(int side, const Event& event) {
    if (const auto* incoming = std::get_if<IncomingCall>(&event)) {
      call[side] = incoming->call;
      EXPECT_TRUE(agent(side).accept(network.now, call[side], "first of 1"));
    } else if (const auto* offer = std::get_if<OfferReceived>(&event)) {
      EXPECT_TRUE(agent(side).answerOffer(network.now, call[side], "answer to " + offer->sdp.value_or("")));
    } else if (const auto* answer = std::get_if<OfferAnswered>(&event)) {
      answers[side].push_back(answer->sdp);
    } else if (const auto* failed = std::get_if<OfferFailed>(&event)) {
      failures[side].push_back(failed->status);
    } else if (const auto* info = std::get_if<InfoReceived>(&event)) {
      infos[side].push_back(info->body);
    } else if (std::holds_alternative<Ended>(event)) {
      ADD_FAILURE() << "the call ended";
    }
  }
  AgentNetwork network;
  std::array<CallId, 2> call{};
  std::array<std::vector<std::string>, 2> answers;
  std::array<std::vector<int>, 2> failures;
  std::array<std::vector<std::string>, 2> infos;
};

TEST(TwoAgents, ThatHoldAtOnceLeaveNobodyWithoutAWord) {
  for (const bool byUpdate : {true, false}) {
    QuickOwners t;
    EXPECT_TRUE(t.agent(0).reInvite(t.network.now, t.call[0], "hold of 0"));
    EXPECT_TRUE(byUpdate ? t.agent(1).update(t.network.now, t.call[1], "hold of 1")
                         : t.agent(1).reInvite(t.network.now, t.call[1], "hold of 1"));
    t.run(6s);
    // The one whose pause is the shorter comes through, and the other's offer is void.
    EXPECT_EQ(t.answers[1], std::vector<std::string>{"answer to hold of 1"});
    EXPECT_EQ(t.failures[0], std::vector<int>{491});
    EXPECT_TRUE(t.agent(0).reInvite(t.network.now, t.call[0], "hold of 0"));
    t.run(1s);
    EXPECT_EQ(t.answers[0], std::vector<std::string>{"answer to hold of 0"});
    EXPECT_TRUE(t.failures[1].empty());
  }
}

TEST(TwoAgents, GetInfosOnceAndInOrderWhateverOvertakesWhat) {
  QuickOwners t;
  t.network.faults.delayMax = 1s;
  std::array<std::vector<std::string>, 2> sent;
  for (int i = 0; i < 200; ++i) {
    for (int side : {0, 1}) {
      const std::string body = std::to_string(i);
      if (t.agent(side).sendInfo(t.network.now, t.call[side], "text/plain", body)) sent[1 - side].push_back(body);
      if (t.network.random.below(4) == 0) static_cast<void>(t.agent(side).reInvite(t.network.now, t.call[side], "new"));
    }
    t.run(milliseconds(t.network.random.below(2000)));
  }
  t.run(5min);
  EXPECT_EQ(t.infos, sent);
  EXPECT_GT(sent[0].size(), 190u);
}

TEST(TwoAgents, WhoseReInviteMeetsAByeBothEnd) {
  QuickOwners t;
  std::array<int, 2> ended{};
  t.network.onEvent = [&](int side, const Event& event) { ended[side] += std::holds_alternative<Ended>(event); };
  EXPECT_TRUE(t.agent(0).reInvite(t.network.now, t.call[0], "hold"));
  EXPECT_TRUE(t.agent(1).hangUp(t.network.now, t.call[1]));
  t.run(1s);
  EXPECT_EQ(ended, (std::array<int, 2>{1, 1}));
  for (int side : {0, 1}) EXPECT_EQ(t.agent(side).callCount(), 0u);
}

}  // namespace
}  // namespace crosspoint::sip
