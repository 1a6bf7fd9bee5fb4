#include "peer/peer.h"

#include <gtest/gtest.h>

#include "tests/support/peer_world.h"

namespace crosspoint::peer {
namespace {

const SocketAddress kStranger{IpAddress::v4(0x0a000063), 9};

TEST(Peer, TwoPeersConnectAndMediaFlowsBothWays) {
  PeerWorld t;
  t.connect();
  EXPECT_EQ(t.a.states, (std::vector{State::Connecting, State::Connected}));
  EXPECT_EQ(t.a.validated, std::vector{t.b.address});
  EXPECT_EQ(t.b.validated, std::vector{t.a.address});
  for (std::uint16_t number = 1; number <= 50; ++number) t.expectMediaFlows(number);
  const ByteVector report{0x80, 201, 0, 1, 0, 0, 0, 77};
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, PeerWorld::protect(t.a, report)), Received::Rtcp);
  EXPECT_EQ(t.b.rtcp.back(), report);
  const auto counters = t.b.peer->counters();
  EXPECT_EQ(counters.rtpReceived, 50u);
  EXPECT_EQ(counters.rtpSent, 50u);
  EXPECT_EQ(counters.rtcpReceived, 1u);
  EXPECT_EQ(counters.dtlsHandshakes, 1u);
}

TEST(Peer, ConnectionIsMadeWithinASecondOnAGoodNetwork) {
  PeerWorld t;
  t.connect();
  EXPECT_LT(t.now - kStart, 1s);
}

TEST(Peer, AThirdOfAllPacketsLostDelaysTheConnectionOnly) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    PeerWorld t(seed);
    t.lossPerMille = 333;
    t.connect();
    t.expectMediaFlows(1);
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(Peer, EitherEndMayBeTheDtlsClient) {
  for (const auto setup : {DtlsSetup::Active, DtlsSetup::Passive}) {
    PeerWorld t;
    t.b.make({.iceRole = Role::Controlled, .dtls = setup}, t.random, t.now);
    t.connect();
    EXPECT_EQ(t.b.peer->dtlsSetup(), setup);
    EXPECT_EQ(t.a.peer->dtlsSetup(), setup == DtlsSetup::Active ? DtlsSetup::Passive : DtlsSetup::Active);
    t.expectMediaFlows(1);
  }
}

TEST(Peer, NothingCanBeSentBeforeTheConnection) {
  PeerWorld t;
  EXPECT_EQ(t.a.peer->state(), State::New);
  EXPECT_FALSE(t.a.peer->canSend());
  EXPECT_TRUE(PeerWorld::protect(t.a, PeerWorld::rtpPacket(1)).empty());
  EXPECT_EQ(t.a.peer->counters().notSent, 1u);
}

TEST(Peer, ACertificateThatWasNotAnnouncedEndsTheConnection) {
  PeerWorld t;
  const dtls::Context other(crypto::Certificate::selfSigned(kWallStart));
  t.introduce();
  auto wrong = t.a.parameters();
  wrong.fingerprints = {other.fingerprint()};
  t.b.peer->setRemote(t.now, wrong);
  t.runUntil(t.now + 40s, [&] { return t.b.peer->state() == State::Failed; });
  EXPECT_EQ(t.b.peer->state(), State::Failed);
  EXPECT_EQ(t.b.peer->reason(), Reason::FingerprintMismatch);
  EXPECT_FALSE(t.b.peer->canSend());
}

TEST(Peer, AFarEndThatNeverBeginsItsHandshakeIsNotWaitedForForEver) {
  PeerWorld t;
  const SrtpKey key{SrtpProfile::AeadAes128Gcm, ByteVector(16, 1), ByteVector(12, 2)};
  t.a.peer->setSdesKeys(t.now, key, key);
  t.introduce();
  t.runUntil(t.now + 50s, [&] { return t.b.peer->state() == State::Failed; });
  EXPECT_EQ(t.b.peer->reason(), Reason::DtlsFailed);
  EXPECT_LT(t.now - kStart, 32s);
}

TEST(Peer, MediaAndHandshakesFromPlacesThatIceHasNotValidatedAreDropped) {
  PeerWorld t;
  t.connect();
  const auto packet = PeerWorld::protect(t.a, PeerWorld::rtpPacket(1));
  EXPECT_EQ(t.deliver(kStranger, t.b.address, packet), Received::Dropped);
  EXPECT_EQ(t.deliver(kStranger, t.b.address, ByteVector(60, 22)), Received::Dropped);
  EXPECT_EQ(t.b.peer->counters().droppedNotValidated, 2u);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, packet), Received::Rtp);
}

TEST(Peer, WhatIsForgedRepeatedOrNoPacketAtAllIsCountedAndDropped) {
  PeerWorld t;
  t.connect();
  const auto packet = PeerWorld::protect(t.a, PeerWorld::rtpPacket(1));
  auto forged = packet;
  forged[20] ^= 1;
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, forged), Received::Dropped);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, packet), Received::Rtp);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, packet), Received::Dropped);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, {0x80, 0}), Received::Dropped);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, {0xff, 0}), Received::Dropped);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, {0, 1, 0, 0}), Received::Dropped);
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, {}), Received::Dropped);
  const auto counters = t.b.peer->counters();
  EXPECT_EQ(counters.droppedNotAuthentic, 1u);
  EXPECT_EQ(counters.droppedReplayed, 1u);
  EXPECT_EQ(counters.droppedMalformed, 1u);
  EXPECT_EQ(counters.droppedUnknownKind, 3u);
  EXPECT_EQ(counters.rtpReceived, 1u);
}

TEST(Peer, AnIceRestartKeepsTheKeysAndTheMedia) {
  PeerWorld t;
  t.connect();
  t.expectMediaFlows(1);
  t.a.peer->restartIce(t.now, {t.random.alphanumeric(8), t.random.alphanumeric(24)});
  t.expectMediaFlows(2);
  t.b.peer->restartIce(t.now, {t.random.alphanumeric(8), t.random.alphanumeric(24)});
  t.introduce();
  t.expectMediaFlows(3);
  t.runFor(5s);
  EXPECT_TRUE(t.connected());
  t.expectMediaFlows(4);
  EXPECT_EQ(t.b.peer->counters().dtlsHandshakes, 1u);
  EXPECT_EQ(t.b.peer->counters().iceRestarts, 1u);
  t.runFor(60s);
  EXPECT_TRUE(t.connected());
}

TEST(Peer, ARenewedPeerConnectionOfTheFarEndAgreesOnNewKeys) {
  PeerWorld t;
  t.connect();
  t.expectMediaFlows(1);
  t.a.context = dtls::Context(crypto::Certificate::selfSigned(kWallStart));
  t.a.make({.iceRole = Role::Controlling, .dtls = DtlsSetup::ActPass}, t.random, t.now);
  t.b.peer->restartIce(t.now, {t.random.alphanumeric(8), t.random.alphanumeric(24)});
  t.connect();
  t.runFor(2s);
  EXPECT_EQ(t.b.peer->counters().dtlsHandshakes, 2u);
  t.expectMediaFlows(1, 78);
}

TEST(Peer, WhatARenewedPeerConnectionHasLeftBehindIsNotTakenForTheNewHandshake) {
  PeerWorld t;
  t.connect();
  const ByteVector record(60, 22);  // a DTLS handshake record by its first byte
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, record), Received::Control);
  const dtls::Context renewed(crypto::Certificate::selfSigned(kWallStart));
  t.b.peer->setRemote(t.now, {.ice = {t.random.alphanumeric(8), t.random.alphanumeric(24)},
                              .fingerprints = {renewed.fingerprint()},
                              .setup = DtlsSetup::Active});
  EXPECT_EQ(t.deliver(t.a.address, t.b.address, record), Received::Dropped);
}

TEST(Peer, CloseTellsTheFarEndAndIsFinal) {
  PeerWorld t;
  t.connect();
  t.a.peer->close(t.now);
  EXPECT_EQ(t.a.peer->state(), State::Closed);
  EXPECT_EQ(t.a.peer->reason(), Reason::ClosedByUs);
  EXPECT_TRUE(PeerWorld::protect(t.a, PeerWorld::rtpPacket(1)).empty());
  t.runFor(1s);
  EXPECT_EQ(t.b.peer->state(), State::Failed);
  EXPECT_EQ(t.b.peer->reason(), Reason::ClosedByRemote);
  EXPECT_EQ(t.deliver(t.b.address, t.a.address, PeerWorld::rtpPacket(1)), Received::Dropped);
  EXPECT_FALSE(t.a.peer->nextTimeout());
  t.a.peer->close(t.now);
  EXPECT_EQ(t.a.states.back(), State::Closed);
}

TEST(Peer, ADeadNetworkDisconnectsAndThenFails) {
  PeerWorld t;
  t.connect();
  t.down = true;
  t.runUntil(t.now + 60s, [&] { return t.b.peer->state() == State::Failed; });
  EXPECT_EQ(t.b.peer->state(), State::Failed);
  EXPECT_EQ(t.b.peer->reason(), Reason::IceFailed);
  EXPECT_FALSE(t.b.peer->canSend());
}

TEST(Peer, AnIceRestartRevivesAFailedPeer) {
  PeerWorld t;
  t.connect();
  t.down = true;
  t.runUntil(t.now + 90s, [&] { return t.a.peer->state() == State::Failed && t.b.peer->state() == State::Failed; });
  t.down = false;
  t.a.peer->restartIce(t.now, {t.random.alphanumeric(8), t.random.alphanumeric(24)});
  t.b.peer->restartIce(t.now, {t.random.alphanumeric(8), t.random.alphanumeric(24)});
  t.connect();
  t.expectMediaFlows(2);
}

TEST(Peer, AShortInterruptionHealsByItself) {
  PeerWorld t;
  t.connect();
  t.down = true;
  t.runFor(15s);
  t.down = false;
  t.runFor(15s);
  EXPECT_TRUE(t.connected());
  t.expectMediaFlows(1);
}

TEST(Peer, KeysFromSignallingNeedNoHandshake) {
  PeerWorld t;
  const SrtpKey one{SrtpProfile::Aes128CmSha1_80, ByteVector(16, 1), ByteVector(14, 2)};
  const SrtpKey two{SrtpProfile::Aes128CmSha1_80, ByteVector(16, 3), ByteVector(14, 4)};
  t.a.peer->setSdesKeys(t.now, one, two);
  t.b.peer->setSdesKeys(t.now, two, one);
  t.connect();
  t.expectMediaFlows(1);
  EXPECT_EQ(t.a.peer->counters().dtlsHandshakes, 0u);
}

TEST(Peer, CandidatesThatNobodyCanReachAreIgnored) {
  PeerWorld t;
  for (int i = 0; i < 500; ++i) {
    t.b.peer->addRemoteCandidate(t.now, {.foundation = "1", .priority = 1, .hostName = "a1b2.local"});
    t.b.peer->addRemoteCandidate(t.now, {.foundation = "1", .component = 2, .priority = 1, .address = kStranger});
    t.b.peer->addRemoteCandidate(
        t.now, {.foundation = "1", .transport = CandidateTransport::Tcp, .priority = 1, .address = kStranger});
  }
  t.connect();
  t.expectMediaFlows(1);
}

TEST(Peer, TooLittleRoomForTheTagIsRefused) {
  PeerWorld t;
  t.connect();
  auto plain = PeerWorld::rtpPacket(1);
  Datagram datagram{.data = plain.data(),
                    .size = static_cast<std::uint32_t>(plain.size()),
                    .capacity = static_cast<std::uint32_t>(plain.size())};
  EXPECT_FALSE(t.a.peer->protectRtp(datagram));
  EXPECT_EQ(t.a.peer->counters().notSent, 1u);
}

}  // namespace
}  // namespace crosspoint::peer
