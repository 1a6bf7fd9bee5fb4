// Priorities, and the order in which pairs are checked.
#include <gtest/gtest.h>

#include "core/ice/candidate.h"
#include "core/ice/check_list.h"
#include "core/ice/limits.h"

namespace crosspoint::ice {
namespace {

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

Candidate candidate(std::string_view address, std::uint32_t priority, std::string foundation = "f") {
  return {.foundation = std::move(foundation), .priority = priority, .address = at(address)};
}

const std::vector<LocalSocket> kSockets{{SocketId{1}, at("192.0.2.1:1")}, {SocketId{2}, at("[2001:db8::1]:1")}};

TEST(CandidatePriority, IsThatOfRfc8445) {
  EXPECT_EQ(candidatePriority(CandidateType::Host, 0), 2130706431u);
  EXPECT_EQ(candidatePriority(CandidateType::ServerReflexive, 0), 1694498815u);
  EXPECT_EQ(candidatePriority(CandidateType::Host, 1), 2130706175u);
  EXPECT_EQ(pairPriority(Role::Controlling, 10, 7), (std::uint64_t{7} << 32) + 21);
  EXPECT_EQ(pairPriority(Role::Controlled, 10, 7), (std::uint64_t{7} << 32) + 20);
}

TEST(Candidates, HaveTheFoundationOfTheirBaseTypeAndServer) {
  const auto a = hostCandidate(at("192.0.2.1:1"), 0), b = hostCandidate(at("192.0.2.1:2"), 1);
  EXPECT_EQ(a.foundation, b.foundation);
  EXPECT_NE(a.foundation, hostCandidate(at("192.0.2.2:1"), 0).foundation);
  const IpAddress server = *IpAddress::parse("203.0.113.1");
  EXPECT_NE(a.foundation, serverReflexiveCandidate(at("198.51.100.1:1"), at("192.0.2.1:1"), server, 0).foundation);
}

TEST(CheckList, PairsOnlyEqualFamiliesAndLinkLocalWithLinkLocal) {
  CheckList list(kSockets, Role::Controlling);
  list.addSignalled(candidate("198.51.100.1:9", 1));
  list.addSignalled(candidate("[fe80::1]:9", 1));
  EXPECT_EQ(list.size(), 1u);
  list.addSignalled(candidate("[2001:db8::9]:9", 1));
  EXPECT_EQ(list.size(), 2u);
}

TEST(CheckList, ChecksTheBestFirstAndOnePairOfAFoundationAtATime) {
  CheckList list(kSockets, Role::Controlling);
  list.addSignalled(candidate("198.51.100.1:1", 100, "a"));
  list.addSignalled(candidate("198.51.100.2:1", 900, "a"));
  list.addSignalled(candidate("198.51.100.3:1", 500, "b"));
  EXPECT_EQ(list.get(*list.takeNext(true))->remote,
            at("198.51.100.3:1"));  // the second of "a" is frozen behind the first
  const auto first = list.takeNext(true);
  EXPECT_EQ(list.get(*first)->remote, at("198.51.100.1:1"));
  EXPECT_FALSE(list.hasNext(true));
  list.failed(*first);
  EXPECT_EQ(list.get(*list.takeNext(true))->remote, at("198.51.100.2:1"));
}

TEST(CheckList, ASuccessThawsItsFoundation) {
  CheckList list(kSockets, Role::Controlling);
  list.addSignalled(candidate("198.51.100.1:1", 100, "a"));
  list.addSignalled(candidate("198.51.100.2:1", 900, "a"));
  const auto first = list.takeNext(true);
  list.succeeded(*first, {});
  EXPECT_TRUE(list.hasUnsettledAbove(list.get(*first)->priority));
  EXPECT_TRUE(list.hasNext(true));
}

TEST(CheckList, TriggeredPairsComeFirstOnceAndInOrder) {
  CheckList list(kSockets, Role::Controlled);
  list.addSignalled(candidate("198.51.100.1:1", 900, "a"));
  const auto low = *list.addReflexive(0, at("198.51.100.8:1"), 1);
  list.trigger(low);
  list.trigger(low);
  EXPECT_EQ(list.takeNext(false), low);
  EXPECT_FALSE(list.hasNext(false));
  EXPECT_TRUE(list.hasNext(true));
}

TEST(CheckList, ASignalledCandidateGivesItsPriorityToAReflexivePair) {
  CheckList list(kSockets, Role::Controlled);
  const auto id = *list.addReflexive(0, at("198.51.100.8:1"), 1);
  EXPECT_TRUE(list.addSignalled(candidate("198.51.100.8:1", 5000)));
  EXPECT_FALSE(list.addSignalled(candidate("198.51.100.8:1", 6000)));
  EXPECT_EQ(list.size(), 1u);
  EXPECT_FALSE(list.get(id)->reflexive);
  EXPECT_EQ(list.get(id)->remotePriority, 5000u);
}

TEST(CheckList, AChangeOfRoleChangesPrioritiesOnly) {
  CheckList list(kSockets, Role::Controlling);
  const auto id = *list.addReflexive(0, at("198.51.100.8:1"), 1000);
  const auto before = list.get(id)->priority;
  list.setRole(Role::Controlled);
  EXPECT_EQ(list.get(id)->priority, before - 1);
}

TEST(CheckList, TheSelectedPairNeverGivesWay) {
  CheckList list(kSockets, Role::Controlled);
  const auto selected = *list.addReflexive(0, at("198.51.100.8:1"), 1);
  list.succeeded(selected, {});
  list.setSelected(selected);
  for (std::uint16_t port = 1; port <= 200; ++port) {
    ASSERT_TRUE(list.addReflexive(0, {*IpAddress::parse("198.51.100.9"), port}, 9));
  }
  EXPECT_NE(list.get(selected), nullptr);
  EXPECT_EQ(list.size(), kReflexivePairsMax);
}

TEST(CheckList, WithTooManyPairsTheWorstOnesGiveWay) {
  std::vector<LocalSocket> sockets;
  for (std::uint32_t i = 0; i < kLocalSocketsMax; ++i) {
    sockets.push_back({SocketId{i}, {*IpAddress::parse("192.0.2.1"), static_cast<std::uint16_t>(i + 1)}});
  }
  CheckList list(sockets, Role::Controlling);
  for (std::uint16_t i = 1; i <= kSignalledCandidatesMax; ++i) {
    list.addSignalled(candidate("198.51.100.1:" + std::to_string(i), i * 100u));
  }
  EXPECT_EQ(list.size(), kPairsMax);
  EXPECT_EQ(list.counters().pairsRefused, kLocalSocketsMax * kSignalledCandidatesMax - kPairsMax);
  EXPECT_TRUE(list.find(0, at("198.51.100.1:32")));
  EXPECT_FALSE(list.find(7, at("198.51.100.1:1")));
}

}  // namespace
}  // namespace crosspoint::ice
