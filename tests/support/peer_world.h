// Two peers and the network between them, in virtual time. Included by tests only.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <memory>

#include "core/dtls/context.h"
#include "crypto/certificate.h"
#include "peer/peer.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::peer {

inline const WallTime kWallStart{std::chrono::hours(24 * 365 * 50)};
inline constexpr TimePoint kStart{std::chrono::seconds(1000)};

// One end: a peer with one socket, and what came out of it.
struct TestEnd {
  TestEnd(SocketId itsSocket, std::uint16_t port)
      : socket(itsSocket),
        address{IpAddress::v4(0x0a000001), port},
        context(crypto::Certificate::selfSigned(kWallStart)) {}

  void make(const Config& base, Random& random, TimePoint now) {
    Config config = base;
    config.local = {random.alphanumeric(8), random.alphanumeric(24)};
    config.sockets = {{socket, address}};
    config.context = &context;
    peer = std::make_unique<Peer>(config, random, now);
    validated.clear();
    states.clear();
  }
  RemoteParameters parameters() const {
    return {.ice = peer->localCredentials(), .fingerprints = {context.fingerprint()}, .setup = peer->dtlsSetup()};
  }

  SocketId socket;
  SocketAddress address;
  dtls::Context context;
  std::unique_ptr<Peer> peer;
  std::vector<SocketAddress> validated;
  std::vector<State> states;
  std::vector<ByteVector> rtp, rtcp;  // plain, as received
};

struct PeerWorld {
  explicit PeerWorld(std::uint64_t seed = 1) : random(seed) {
    a.make({.iceRole = Role::Controlling, .dtls = DtlsSetup::ActPass}, random, now);
    b.make({.iceRole = Role::Controlled}, random, now);
  }

  // Each is told of the other, and runs until both are connected or the time is up.
  void introduce() {
    auto ofA = a.parameters();
    ofA.setup = DtlsSetup::ActPass;
    b.peer->setRemote(now, ofA);
    auto ofB = b.parameters();
    ofB.setup = b.peer->dtlsSetup();
    a.peer->setRemote(now, ofB);
    for (const auto& candidate : a.peer->localCandidates()) b.peer->addRemoteCandidate(now, candidate);
    for (const auto& candidate : b.peer->localCandidates()) a.peer->addRemoteCandidate(now, candidate);
    a.peer->endOfRemoteCandidates(now);
    b.peer->endOfRemoteCandidates(now);
    drain();
  }
  bool connected() const { return a.peer->state() == State::Connected && b.peer->state() == State::Connected; }
  void connect() {
    introduce();
    runUntil(now + 30s, [this] { return connected(); });
    ASSERT_TRUE(connected()) << toString(a.peer->state()) << ' ' << toString(b.peer->state());
  }

  void runFor(Duration duration) {
    runUntil(now + duration, [] { return false; });
  }
  void runUntil(TimePoint end, const std::function<bool()>& done) {
    drain();
    while (!done()) {
      auto next = earlier(a.peer->nextTimeout(), b.peer->nextTimeout());
      if (!flying.empty()) next = earlier(next, flying.begin()->first);
      if (!next || *next > end) break;
      now = std::max(now, *next);
      while (!flying.empty() && flying.begin()->first <= now) {
        auto packet = std::move(flying.begin()->second);
        flying.erase(flying.begin());
        deliver(packet.from, packet.to, std::move(packet.bytes));
      }
      a.peer->handleTimeout(now);
      b.peer->handleTimeout(now);
      drain();
      ASSERT_LT(++steps, 200'000u) << "the engines do not come to rest";
    }
    if (!done()) now = std::max(now, end);
  }

  void drain() {
    for (auto* end : {&a, &b}) {
      while (auto output = end->peer->pollOutput()) {
        if (auto* send = std::get_if<SendDatagram>(&*output)) {
          transmit(end->address, send->remote, std::move(send->bytes));
        } else if (auto* found = std::get_if<AddressValidated>(&*output)) {
          end->validated.push_back(found->remote);
        } else if (auto* changed = std::get_if<StateChanged>(&*output)) {
          end->states.push_back(changed->state);
        }
      }
    }
  }
  void transmit(const SocketAddress& from, const SocketAddress& to, ByteVector bytes) {
    ++sent;
    if (down || random.below(1000) < lossPerMille) return;
    flying.emplace(now + 20ms + Duration(random.below(5'000'000)), Packet{from, to, std::move(bytes)});
  }
  Received deliver(const SocketAddress& from, const SocketAddress& to, ByteVector bytes) {
    auto* end = to == a.address ? &a : to == b.address ? &b : nullptr;
    if (!end) return Received::Dropped;
    std::array<std::uint8_t, kDatagramCapacity> buffer;
    std::copy(bytes.begin(), bytes.end(), buffer.begin());
    Datagram datagram{.socket = end->socket,
                      .remote = from,
                      .data = buffer.data(),
                      .size = static_cast<std::uint32_t>(bytes.size()),
                      .capacity = buffer.size()};
    const auto received = end->peer->handleDatagram(now, datagram);
    const ByteVector plain(datagram.bytes().begin(), datagram.bytes().end());
    if (received == Received::Rtp) end->rtp.push_back(plain);
    if (received == Received::Rtcp) end->rtcp.push_back(plain);
    return received;
  }

  static ByteVector rtpPacket(std::uint16_t number, std::uint32_t ssrc = 77) {
    ByteVector packet(12 + 20, 0x11);
    packet[0] = 0x80;
    packet[1] = 0;
    storeBigEndian<std::uint16_t>(packet.data() + 2, number);
    storeBigEndian<std::uint32_t>(packet.data() + 4, number * 160u);
    storeBigEndian<std::uint32_t>(packet.data() + 8, ssrc);
    return packet;
  }
  // A protected packet, ready to be carried; empty if the peer refused.
  static ByteVector protect(TestEnd& end, const ByteVector& plain) {
    std::array<std::uint8_t, kDatagramCapacity> buffer;
    std::copy(plain.begin(), plain.end(), buffer.begin());
    Datagram datagram{
        .data = buffer.data(), .size = static_cast<std::uint32_t>(plain.size()), .capacity = buffer.size()};
    const bool rtcp = plain[1] >= 192;
    if (!(rtcp ? end.peer->protectRtcp(datagram) : end.peer->protectRtp(datagram))) return {};
    EXPECT_EQ(datagram.socket, end.socket);
    return {datagram.bytes().begin(), datagram.bytes().end()};
  }
  // One packet each way arrives as it was sent.
  void expectMediaFlows(std::uint16_t number, std::uint32_t ssrc = 77) {
    const auto plain = rtpPacket(number, ssrc);
    EXPECT_EQ(deliver(a.address, b.address, protect(a, plain)), Received::Rtp);
    EXPECT_EQ(deliver(b.address, a.address, protect(b, plain)), Received::Rtp);
    ASSERT_FALSE(a.rtp.empty() || b.rtp.empty());
    EXPECT_EQ(a.rtp.back(), plain);
    EXPECT_EQ(b.rtp.back(), plain);
  }

  struct Packet {
    SocketAddress from, to;
    ByteVector bytes;
  };
  test::SeededRandom random;
  TimePoint now = kStart;
  TestEnd a{SocketId{1}, 1000}, b{SocketId{2}, 2000};
  std::multimap<TimePoint, Packet> flying;
  std::uint64_t lossPerMille = 0;
  bool down = false;
  std::size_t steps = 0, sent = 0;
};

}  // namespace crosspoint::peer
