// What strangers, odd peers and hostile ones can and cannot do.
#include <gtest/gtest.h>

#include <utility>

#include "core/ice/limits.h"
#include "core/ice/test_world.h"

namespace crosspoint::ice::test {
namespace {

// A peer without an agent: the test writes its messages and reads what it gets.
class OddPeer : public testing::Test {
 protected:
  struct Request {
    std::string ufrag, password;  // empty: the right ones
    std::uint64_t controlling = 0, controlled = 0;
    bool useCandidate = false, integrity = true, username = true;
    std::uint16_t unknown = 0;
  };

  OddPeer() {
    world.watch = [this](TimePoint, const SocketAddress& from, const SocketAddress& to, Bytes bytes) {
      if (from == kAgent) received.push_back({to, {bytes.begin(), bytes.end()}});
    };
    agent().setRemoteCredentials(world.now(), theirs);
  }

  Agent& agent() { return *node.agent; }

  void send(const SocketAddress& from, const Request& request) {
    stun::MessageBuffer buffer;
    stun::TransactionId id;
    world.random().fill(id);
    stun::MessageWriter writer(buffer.data, stun::Class::Request, stun::Method::Binding, id);
    const auto& ours = agent().localCredentials();
    if (request.username) writer.addUsername(ours.ufrag, request.ufrag.empty() ? theirs.ufrag : request.ufrag);
    writer.addNumber(stun::AttributeType::Priority, std::uint32_t{1000});
    if (request.controlling != 0) writer.addNumber(stun::AttributeType::IceControlling, request.controlling);
    if (request.controlled != 0) writer.addNumber(stun::AttributeType::IceControlled, request.controlled);
    if (request.useCandidate) writer.addFlag(stun::AttributeType::UseCandidate);
    if (request.unknown != 0) writer.addNumber(static_cast<stun::AttributeType>(request.unknown), std::uint32_t{1});
    if (request.integrity) {
      writer.addMessageIntegrity(asBytes(request.password.empty() ? ours.password : request.password));
    }
    writer.addFingerprint();
    world.inject(SocketId{0}, from, writer.finish());
  }

  // Answers the last check that the agent has sent.
  void answer(const SocketAddress& from, std::string_view password, std::uint16_t error = 0) {
    ASSERT_FALSE(received.empty());
    const auto check = stun::MessageView::parse(received.back().bytes);
    ASSERT_TRUE(check && check->messageClass() == stun::Class::Request);
    stun::MessageBuffer buffer;
    const auto answerClass = error != 0 ? stun::Class::Error : stun::Class::Success;
    stun::MessageWriter writer(buffer.data, answerClass, stun::Method::Binding, check->transactionId());
    if (error != 0) writer.addError(static_cast<stun::ErrorCode>(error), "no");
    writer.addXorMappedAddress(kAgent);
    writer.addMessageIntegrity(asBytes(password));
    writer.addFingerprint();
    world.inject(SocketId{0}, from, writer.finish());
  }

  std::optional<std::uint16_t> lastError() {
    const auto message = stun::MessageView::parse(received.back().bytes);
    return message->errorCode();
  }

  struct Received {
    SocketAddress to;
    std::vector<std::uint8_t> bytes;
  };

  const SocketAddress kAgent = at("203.0.113.1:5000"), kPeer = at("192.0.2.1:1000");
  World world;
  IceCredentials theirs = world.credentials();
  Node& node = world.add({.sockets = {"203.0.113.1:5000"}, .tieBreaker = 100});
  std::vector<Received> received;
};

TEST_F(OddPeer, AnAgentThatOnlyAnswersIsEnoughWhenWeControl) {  // ICE-lite
  agent().setRemoteLite(world.now());
  EXPECT_EQ(agent().role(), Role::Controlling);
  world.tell(node, Candidate{.foundation = "1", .priority = 1000, .address = kPeer});
  answer(kPeer, theirs.password);
  EXPECT_EQ(agent().state(), State::Checking);
  world.run(50ms);
  EXPECT_TRUE(stun::MessageView::parse(received.back().bytes)->useCandidate());
  answer(kPeer, theirs.password);
  EXPECT_EQ(agent().state(), State::Connected);
  EXPECT_EQ(agent().selectedPair()->remote, kPeer);
}

TEST_F(OddPeer, ALateAnswerToACancelledCheckDoesNotUndoTheNomination) {
  agent().setRemoteLite(world.now());
  world.tell(node, Candidate{.foundation = "1", .priority = 1000, .address = kPeer});
  const Received first = received.back();
  send(kPeer, {.controlled = 1});  // cancels the first check and triggers a second one
  world.run(50ms);
  answer(kPeer, theirs.password);
  received.push_back(first);
  answer(kPeer, theirs.password);
  world.run(50ms);
  EXPECT_TRUE(stun::MessageView::parse(received.back().bytes)->useCandidate());
  answer(kPeer, theirs.password);
  EXPECT_EQ(agent().state(), State::Connected);
}

TEST_F(OddPeer, ANominationCountsOnlyWhenOurOwnCheckIsAnswered) {
  send(kPeer, {.controlling = 1, .useCandidate = true});
  EXPECT_EQ(agent().state(), State::Checking);
  EXPECT_EQ(node.validated.size(), 1u);
  world.run(50ms);
  answer(kPeer, theirs.password);
  EXPECT_EQ(agent().state(), State::Connected);
}

TEST_F(OddPeer, AnAggressivePeerNominatesAllAndTheBestIsUsed) {
  const SocketAddress better = at("192.0.2.2:1000");
  world.tell(node, Candidate{.foundation = "1", .priority = 1000, .address = kPeer});
  send(kPeer, {.controlling = 1, .useCandidate = true});
  world.run(50ms);
  answer(kPeer, theirs.password);
  EXPECT_EQ(agent().selectedPair()->remote, kPeer);
  world.tell(node, Candidate{.foundation = "2", .priority = 9000, .address = better});
  send(better, {.controlling = 1, .useCandidate = true});
  world.run(50ms);
  answer(better, theirs.password);
  EXPECT_EQ(agent().selectedPair()->remote, better);
  send(kPeer, {.controlling = 1, .useCandidate = true});
  world.run(50ms);
  EXPECT_EQ(agent().selectedPair()->remote, better);
}

TEST_F(OddPeer, AWrongPasswordIsAnswered401AndLeavesNothingBehind) {
  send(kPeer, {.password = "wrong-wrong-wrong-wrong", .useCandidate = true});
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(lastError(), 401);
  EXPECT_FALSE(stun::MessageView::parse(received.back().bytes)->hasIntegrity());
  EXPECT_TRUE(node.validated.empty());
  EXPECT_EQ(agent().counters().wrongIntegrity, 1u);
  world.run(10s);
  EXPECT_EQ(received.size(), 1u);
}

TEST_F(OddPeer, AWrongUfragOfTheirsIsDropped) {
  send(kPeer, {.ufrag = "else"});
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(agent().counters().wrongRemoteUfrag, 1u);
}

TEST_F(OddPeer, ACheckWithoutCredentialsIsAnswered400ToKnownAddressesOnly) {
  send(kPeer, {.integrity = false});
  send(kPeer, {.integrity = false, .username = false});
  EXPECT_TRUE(received.empty());
  send(kPeer, {.controlling = 1});
  received.clear();
  send(kPeer, {.integrity = false});
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(lastError(), 400);
}

TEST_F(OddPeer, AnUnknownRequiredAttributeIsAnswered420) {
  send(kPeer, {.controlling = 1, .unknown = 0x7001});
  EXPECT_EQ(lastError(), 420);
  EXPECT_TRUE(node.validated.empty());
}

TEST_F(OddPeer, ARoleConflictIsDecidedByTheTieBreakers) {
  send(kPeer, {.controlled = 101});  // ours is 100: we become the controlling side only with the larger one
  EXPECT_EQ(lastError(), 487);
  EXPECT_EQ(agent().role(), Role::Controlled);
  send(kPeer, {.controlled = 99});
  EXPECT_EQ(agent().role(), Role::Controlling);
  send(kPeer, {.controlling = 99});
  EXPECT_EQ(lastError(), 487);
  EXPECT_EQ(agent().role(), Role::Controlling);
  send(kPeer, {.controlling = 101});
  EXPECT_EQ(agent().role(), Role::Controlled);
}

TEST_F(OddPeer, AfterA487TheCheckIsRepeatedInTheOtherRoleWithANewTieBreaker) {
  world.tell(node, Candidate{.foundation = "1", .priority = 1000, .address = kPeer});
  answer(kPeer, theirs.password, 487);
  world.run(50ms);
  const auto check = stun::MessageView::parse(received.back().bytes);
  EXPECT_TRUE(check->iceControlling());
  EXPECT_NE(check->iceControlling(), 100u);
  EXPECT_EQ(agent().role(), Role::Controlling);
}

TEST_F(OddPeer, AnAnswerFromElsewhereOrWithAWrongPasswordProvesNothing) {
  world.tell(node, Candidate{.foundation = "1", .priority = 1000, .address = kPeer});
  answer(kPeer, "wrong-wrong-wrong-wrong");
  answer(kPeer, "wrong-wrong-wrong-wrong", 487);
  EXPECT_EQ(agent().role(), Role::Controlled);
  EXPECT_EQ(agent().counters().wrongIntegrity, 2u);
  answer(at("192.0.2.66:1"), theirs.password);
  EXPECT_TRUE(node.validated.empty());
  answer(kPeer, theirs.password);  // RFC 8445 §7.2.5.2.1: it has failed
  EXPECT_TRUE(node.validated.empty());
}

TEST_F(OddPeer, CandidatesThatCannotBeCheckedAreCountedAndIgnored) {
  world.tell(node, Candidate{.hostName = "4c2f.local"});
  world.tell(node, Candidate{.transport = CandidateTransport::Tcp, .address = kPeer});
  world.tell(node, Candidate{.component = 2, .address = kPeer});
  world.tell(node, Candidate{.address = at("192.0.2.1:0")});
  for (const char* nobodys :
       {"0.0.0.0:9", "0.1.2.3:9", "224.0.0.251:5353", "239.255.0.1:9", "255.255.255.255:9", "[::]:9", "[ff02::1]:9"}) {
    world.tell(node, Candidate{.address = at(nobodys)});
  }
  world.run(1s);
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(agent().counters().candidatesIgnored, 4u + 7u);
}

TEST_F(OddPeer, APairOfNoHigherPriorityIsFollowedAfterASilenceAndMediaIsNone) {
  const SocketAddress other = at("192.0.2.1:1001");
  auto nominate = [&](const SocketAddress& from) {
    send(from, {.controlling = 1, .useCandidate = true});
    world.run(100ms);
    if (stun::MessageView::parse(received.back().bytes)->messageClass() == stun::Class::Request) {
      answer(from, theirs.password);
    }
    world.run(50ms);
    return agent().selectedPair()->remote;
  };
  EXPECT_EQ(nominate(kPeer), kPeer);
  for (int i = 0; i < 100; ++i) {
    world.run(20ms);
    agent().handleMedia(world.now(), {SocketId{0}, kPeer});
  }
  EXPECT_EQ(nominate(other), kPeer);
  world.run(600ms);
  agent().handleMedia(world.now(), {SocketId{0}, other});  // not on the selected pair: it counts for nothing
  EXPECT_EQ(nominate(other), other);
}

TEST_F(OddPeer, FloodsOfCandidatesAndChecksAreBounded) {
  for (int i = 0; i < 1000; ++i) {
    const std::string host = std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    world.tell(node, Candidate{.foundation = std::to_string(i), .priority = 1, .address = at("198.51." + host + ":9")});
    send(at("10.0." + host + ":9"), {.controlling = 1, .useCandidate = true});
    world.run(10ms);
  }
  const Counters counters = agent().counters();
  EXPECT_EQ(counters.candidatesRefused, 1000u - kSignalledCandidatesMax + 1000u - kReflexivePairsMax);
  EXPECT_LE(node.validated.size(), kValidatedMax);
  EXPECT_GT(counters.addressesRefused, 0u);
  send(kPeer, {.controlling = 1, .useCandidate = true});  // and it still works
  received.clear();
  for (int i = 0; i < 200 && agent().state() != State::Connected; ++i) {
    world.run(10ms);
    for (const Received& each : std::exchange(received, {})) {
      if (each.to != kPeer || !stun::localUfragOf(each.bytes)) continue;
      received = {each};
      answer(kPeer, theirs.password);
    }
  }
  EXPECT_EQ(agent().selectedPair()->remote, kPeer);
}

TEST_F(OddPeer, AnAgentThatIsNotDrainedQueuesABoundedNumberOfDatagrams) {
  stun::MessageBuffer buffer;
  stun::MessageWriter writer(buffer.data, stun::Class::Request, stun::Method::Binding, {});
  writer.addUsername(agent().localCredentials().ufrag, theirs.ufrag);
  writer.addMessageIntegrity(asBytes(agent().localCredentials().password));
  for (int i = 0; i < 1000; ++i) agent().handleDatagram(world.now(), SocketId{0}, kPeer, writer.finish());
  std::size_t sends = 0;
  while (auto output = agent().pollOutput()) sends += std::holds_alternative<SendDatagram>(*output) ? 1 : 0;
  EXPECT_EQ(sends, kSendsQueuedMax);
  EXPECT_GE(agent().counters().sendsDropped, 1000 - kSendsQueuedMax);
}

TEST_F(OddPeer, NoiseIsCountedAndHarmless) {
  send(kPeer, {.controlling = 1});
  const auto good = received.back().bytes;
  for (int i = 0; i < 20000; ++i) {
    auto bytes = good;
    for (std::uint64_t n = 1 + world.random().below(4); n > 0; --n) {
      bytes[world.random().below(bytes.size())] = world.random().next<std::uint8_t>();
    }
    bytes.resize(world.random().below(bytes.size() + 1));
    agent().handleDatagram(world.now(), SocketId{0}, kPeer, bytes);
  }
  EXPECT_GT(agent().counters().malformed, 10000u);
  EXPECT_EQ(agent().state(), State::Checking);
}

TEST_F(OddPeer, MessagesForOthersAreNotOurs) {
  stun::MessageBuffer buffer;
  stun::MessageWriter request(buffer.data, stun::Class::Request, stun::Method::Binding, {});
  request.addUsername("somebody", theirs.ufrag);
  request.addMessageIntegrity(asBytes(agent().localCredentials().password));
  EXPECT_FALSE(agent().handleDatagram(world.now(), SocketId{0}, kPeer, request.finish()));
  stun::MessageWriter response(buffer.data, stun::Class::Success, stun::Method::Binding, {9, 9, 9, 9});
  EXPECT_FALSE(agent().handleDatagram(world.now(), SocketId{0}, kPeer, response.finish()));
  stun::MessageWriter indication(buffer.data, stun::Class::Indication, stun::Method::Binding, {});
  EXPECT_FALSE(agent().handleDatagram(world.now(), SocketId{0}, kPeer, indication.finish()));
  EXPECT_FALSE(agent().handleDatagram(world.now(), SocketId{5}, kPeer, request.finish()));
  EXPECT_TRUE(received.empty());
}

TEST_F(OddPeer, CredentialsTooLongForAnyMessageSendNothingBroken) {
  agent().setRemoteCredentials(world.now(), {std::string(4000, 'u'), std::string(4000, 'p')});
  world.tell(node, Candidate{.foundation = "1", .priority = 1000, .address = kPeer});
  world.run(1s);
  for (const Received& each : received) EXPECT_TRUE(stun::looksLikeStun(each.bytes));
}

}  // namespace
}  // namespace crosspoint::ice::test
