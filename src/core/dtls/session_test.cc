// Handshakes in virtual time over a wire that loses, reorders and invents.
#include "core/dtls/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "crypto/hash.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::dtls {
namespace {

constexpr WallTime kWallStart{std::chrono::hours(24 * 365 * 55)};
constexpr TimePoint kStart{std::chrono::seconds(1000)};

const crypto::Certificate& certificateOf(Role role) {
  static const crypto::Certificate kCertificates[2] = {crypto::Certificate::selfSigned(kWallStart),
                                                       crypto::Certificate::selfSigned(kWallStart)};
  return kCertificates[role == Role::Client ? 0 : 1];
}

// One end: the session and what it said.
struct End {
  End(Role role, const Session::Config& config, std::span<const SrtpProfile> profiles = Context::kDefaultProfiles)
      : context(certificateOf(role), profiles), session(context, role, config, kStart) {}

  std::vector<ByteVector> collect() {
    std::vector<ByteVector> datagrams;
    while (auto output = session.pollOutput()) {
      if (auto* datagram = std::get_if<Session::SendDatagram>(&*output))
        datagrams.push_back(std::move(datagram->bytes));
      if (auto* keys = std::get_if<Session::Connected>(&*output)) connected = std::move(*keys);
      if (std::holds_alternative<Session::Closed>(*output)) closed = true;
      if (auto* failure = std::get_if<Session::Failed>(&*output)) failed = *failure;
    }
    return datagrams;
  }

  Context context;
  Session session;
  std::optional<Session::Connected> connected;
  bool closed = false;
  std::optional<Session::Failed> failed;
};

// Two ends and the wire between them. Datagrams arrive in order after a millisecond, but for those that `lose` wants
// lost.
struct Wire {
  explicit Wire(const Session::Config& config = {}, bool withFingerprints = true)
      : client(Role::Client, config), server(Role::Server, config) {
    if (withFingerprints) exchangeFingerprints();
  }
  void exchangeFingerprints() {
    client.session.setRemoteFingerprints(now, {server.context.fingerprint()});
    server.session.setRemoteFingerprints(now, {client.context.fingerprint()});
  }

  // Carries what there is to carry; false when there is nothing.
  bool carry() {
    bool any = false;
    for (auto [from, to] : {std::pair{&client, &server}, {&server, &client}}) {
      auto datagrams = from->collect();
      if (reversed) std::ranges::reverse(datagrams);
      for (ByteVector& datagram : datagrams) {
        any = true;
        largest = std::max(largest, datagram.size());
        const int number = sent++;
        if (lose && lose(number)) continue;
        to->session.handleDatagram(now, datagram);
      }
    }
    now += 1ms;
    return any;
  }

  std::optional<TimePoint> next() const { return earlier(client.session.nextTimeout(), server.session.nextTimeout()); }

  // Until nothing is left to do, or `limit`.
  void run(Duration limit = 60s) {
    const TimePoint end = now + limit;
    while (now < end) {
      if (carry()) continue;
      const auto timeout = next();
      if (!timeout) return;
      now = std::max(now, *timeout);
      client.session.handleTimeout(now);
      server.session.handleTimeout(now);
    }
  }

  bool bothConnected() const {
    return client.session.state() == Session::State::Connected && server.session.state() == Session::State::Connected;
  }

  TimePoint now = kStart;
  End client, server;
  std::function<bool(int)> lose;  // by the number of the datagram
  bool reversed = false;
  int sent = 0;
  std::size_t largest = 0;
};

void expectMatchingKeys(const Wire& wire) {
  ASSERT_TRUE(wire.client.connected && wire.server.connected);
  const auto& client = *wire.client.connected;
  const auto& server = *wire.server.connected;
  EXPECT_EQ(client.profile, server.profile);
  EXPECT_EQ(client.local.masterKey, server.remote.masterKey);
  EXPECT_EQ(client.local.masterSalt, server.remote.masterSalt);
  EXPECT_EQ(client.remote.masterKey, server.local.masterKey);
  EXPECT_EQ(client.remote.masterSalt, server.local.masterSalt);
  EXPECT_NE(client.local.masterKey, client.remote.masterKey);
  EXPECT_EQ(client.local.masterKey.size(), 16u);
  EXPECT_EQ(client.local.masterSalt.size(), client.profile == SrtpProfile::AeadAes128Gcm ? 12u : 14u);
}

TEST(Session, ConnectsInFourFlightsWithGcmFirst) {
  Wire wire;
  wire.run();
  expectMatchingKeys(wire);
  EXPECT_EQ(wire.client.connected->profile, SrtpProfile::AeadAes128Gcm);
  EXPECT_EQ(wire.sent, 4);
  EXPECT_FALSE(wire.next()) << "nothing is left to time";
}

TEST(Session, AgreesOnTheProfileThatBothKnow) {
  static constexpr SrtpProfile kOnlyCounter[] = {SrtpProfile::Aes128CmSha1_80};
  Wire wire;
  End client(Role::Client, {}, kOnlyCounter);
  client.session.setRemoteFingerprints(kStart, {wire.server.context.fingerprint()});
  for (int round = 0; round < 4; ++round) {
    for (const ByteVector& datagram : client.collect()) wire.server.session.handleDatagram(kStart, datagram);
    for (const ByteVector& datagram : wire.server.collect()) client.session.handleDatagram(kStart, datagram);
  }
  client.collect();
  ASSERT_TRUE(client.connected);
  EXPECT_EQ(client.connected->profile, SrtpProfile::Aes128CmSha1_80);
  EXPECT_EQ(client.connected->local.masterSalt.size(), 14u);
}

TEST(Session, SurvivesTheLossOfEachDatagramInTurn) {
  for (int lost = 0; lost < 6; ++lost) {
    Wire wire;
    wire.lose = [=](int number) { return number == lost; };
    wire.run();
    EXPECT_TRUE(wire.bothConnected()) << "lost " << lost;
    expectMatchingKeys(wire);
    EXPECT_LT(wire.now - kStart, 1s) << "lost " << lost;
  }
}

TEST(Session, SurvivesTheLossOfEachDatagramOfFragmentedFlights) {
  Session::Config config;
  config.datagramBytesMax = 300;
  for (int lost = 0; lost < 14; ++lost) {
    Wire wire(config);
    wire.lose = [=](int number) { return number == lost; };
    wire.run();
    EXPECT_TRUE(wire.bothConnected()) << "lost " << lost;
    EXPECT_LE(wire.largest, 300u);
  }
}

TEST(Session, SurvivesAThirdOfAllBeingLost) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    test::SeededRandom random{seed};
    Wire wire;
    wire.lose = [&](int) { return random.below(3) == 0; };
    wire.run();
    EXPECT_TRUE(wire.bothConnected()) << "seed " << seed;
  }
}

TEST(Session, SurvivesEachFlightArrivingBackwards) {
  for (std::size_t bytesMax : {300u, 1200u}) {
    Session::Config config;
    config.datagramBytesMax = bytesMax;
    Wire wire(config);
    wire.reversed = true;
    wire.run();
    EXPECT_TRUE(wire.bothConnected()) << bytesMax;
  }
}

TEST(Session, AClientHelloInFragmentsIsPutTogether) {
  Session::Config config;
  config.datagramBytesMax = 256;
  Wire wire(config);
  const auto hello = wire.client.collect();
  ASSERT_GE(hello.size(), 1u);
  wire.server.session.handleDatagram(wire.now, hello[0]);
  for (std::size_t i = 1; i < hello.size(); ++i) wire.server.session.handleDatagram(wire.now, hello[i]);
  wire.run();
  EXPECT_TRUE(wire.bothConnected());
  EXPECT_LE(wire.largest, 256u);
}

TEST(Session, EverythingTwiceIsHarmless) {
  Wire wire;
  std::vector<ByteVector> all;
  for (int round = 0; round < 10; ++round) {
    for (auto [from, to] : {std::pair{&wire.client, &wire.server}, {&wire.server, &wire.client}}) {
      for (const ByteVector& datagram : from->collect()) {
        to->session.handleDatagram(wire.now, datagram);
        to->session.handleDatagram(wire.now, datagram);
        all.push_back(datagram);
      }
    }
  }
  EXPECT_TRUE(wire.bothConnected());
  for (const ByteVector& datagram : all) {
    wire.client.session.handleDatagram(wire.now, datagram);
    wire.server.session.handleDatagram(wire.now, datagram);
  }
  EXPECT_TRUE(wire.bothConnected());
}

TEST(Session, RetransmitsAtTheGivenTimesAndGivesUpAfterThirtySeconds) {
  Wire wire;
  wire.lose = [](int) { return true; };
  std::vector<Duration> sentAt;
  EXPECT_EQ(wire.client.collect().size(), 1u);
  while (auto next = wire.client.session.nextTimeout()) {
    wire.client.session.handleTimeout(*next - 1us);
    EXPECT_TRUE(wire.client.collect().empty()) << "not before its time";
    wire.client.session.handleTimeout(*next);
    if (!wire.client.collect().empty()) sentAt.push_back(*next - kStart);
    wire.now = *next;
  }
  ASSERT_GE(sentAt.size(), 7u);
  EXPECT_EQ(sentAt[0], 100ms);
  EXPECT_EQ(sentAt[1], 300ms);
  EXPECT_EQ(sentAt[2], 700ms);
  EXPECT_EQ(sentAt[3], 1500ms);
  EXPECT_EQ(sentAt[4], 3100ms);
  EXPECT_EQ(sentAt[5], 6100ms);
  EXPECT_EQ(sentAt[6], 9100ms);
  EXPECT_EQ(wire.client.session.state(), Session::State::Failed);
  ASSERT_TRUE(wire.client.failed);
  EXPECT_EQ(wire.client.failed->reason, Session::Reason::Timeout);
  EXPECT_LE(wire.now - kStart, 30s);
  EXPECT_GE(wire.now - kStart, 25s);
}

TEST(Session, AServerWaitsForItsClientWithoutLimit) {
  Wire wire;
  EXPECT_FALSE(wire.server.session.nextTimeout());
  wire.server.session.handleTimeout(kStart + std::chrono::hours(1));
  wire.now += std::chrono::hours(1);
  EXPECT_EQ(wire.server.session.state(), Session::State::Handshaking);
}

TEST(Session, AWrongFingerprintFailsTheHandshakeAtBothEnds) {
  Wire wire({}, false);
  Fingerprint wrong = wire.client.context.fingerprint();
  wrong.digest[7] ^= 1;
  wire.client.session.setRemoteFingerprints(kStart, {wire.server.context.fingerprint()});
  wire.server.session.setRemoteFingerprints(kStart, {wrong});
  wire.run();
  ASSERT_TRUE(wire.server.failed);
  EXPECT_EQ(wire.server.failed->reason, Session::Reason::FingerprintMismatch);
  EXPECT_FALSE(wire.server.connected);
  ASSERT_TRUE(wire.client.failed) << "told by an alert";
  EXPECT_EQ(wire.client.failed->reason, Session::Reason::Handshake);
}

TEST(Session, KeysAreHandedOutOnlyOnceTheFingerprintIsKnown) {
  Wire wire({}, false);
  wire.client.session.setRemoteFingerprints(kStart, {wire.server.context.fingerprint()});
  wire.run();
  EXPECT_TRUE(wire.client.connected);
  EXPECT_FALSE(wire.server.connected);
  EXPECT_EQ(wire.server.session.state(), Session::State::Handshaking);
  EXPECT_FALSE(wire.server.session.nextTimeout()) << "the person called may take minutes";
  wire.server.session.setRemoteFingerprints(wire.now, {wire.client.context.fingerprint()});
  wire.run();
  EXPECT_TRUE(wire.bothConnected());
  expectMatchingKeys(wire);
}

TEST(Session, AFingerprintThatComesLateAndIsWrongFails) {
  Wire wire({}, false);
  wire.client.session.setRemoteFingerprints(kStart, {wire.server.context.fingerprint()});
  wire.run();
  wire.server.session.setRemoteFingerprints(wire.now, {wire.server.context.fingerprint()});
  wire.run();
  ASSERT_TRUE(wire.server.failed);
  EXPECT_EQ(wire.server.failed->reason, Session::Reason::FingerprintMismatch);
  EXPECT_FALSE(wire.server.connected);
  EXPECT_TRUE(wire.client.closed) << "told by close_notify";
}

TEST(Session, TakesEveryUsualHashFunctionAndTheStrongestDecides) {
  const ByteVector der = certificateOf(Role::Client).certificateDer();
  const auto of = [&](const char* name) { return Fingerprint{name, *crypto::digestByName(name, der)}; };
  const Fingerprint wrong512{"sha-512", ByteVector(64, 1)};
  const Fingerprint unknown{"md5", ByteVector(16, 1)};
  struct Case {
    std::vector<Fingerprint> fingerprints;
    std::optional<Session::Reason> expected;
  };
  const Case cases[] = {
      {{of("sha-1")}, {}},
      {{of("sha-224")}, {}},
      {{of("sha-256")}, {}},
      {{of("sha-384")}, {}},
      {{of("sha-512")}, {}},
      {{unknown, of("sha-256")}, {}},
      {{{"sha-256", ByteVector(32, 9)}, of("sha-256")}, {}},
      {{of("sha-256"), wrong512}, Session::Reason::FingerprintMismatch},
      {{unknown}, Session::Reason::NoKnownFingerprint},
      {{{"sha-256", {}}}, Session::Reason::FingerprintMismatch},
  };
  for (const Case& t : cases) {
    Wire wire({}, false);
    wire.client.session.setRemoteFingerprints(kStart, {wire.server.context.fingerprint()});
    wire.server.session.setRemoteFingerprints(kStart, t.fingerprints);
    wire.run();
    EXPECT_EQ(wire.server.connected.has_value(), !t.expected) << t.fingerprints[0].algorithm;
    const auto reason = wire.server.failed ? std::optional(wire.server.failed->reason) : std::nullopt;
    EXPECT_EQ(reason, t.expected) << t.fingerprints[0].algorithm;
  }
}

TEST(Session, CloseIsSaidAndAnswered) {
  for (bool clientCloses : {true, false}) {
    Wire wire;
    wire.run();
    (clientCloses ? wire.client : wire.server).session.close(wire.now);
    wire.run();
    End& other = clientCloses ? wire.server : wire.client;
    EXPECT_TRUE(other.closed);
    EXPECT_EQ(other.session.state(), Session::State::Closed);
    EXPECT_EQ((clientCloses ? wire.client : wire.server).session.state(), Session::State::Closed);
    EXPECT_FALSE((clientCloses ? wire.client : wire.server).closed) << "who closes is not told";
  }
}

TEST(Session, EveryEntryIsHarmlessAfterTheEnd) {
  Wire wire;
  wire.run();
  wire.client.session.close(wire.now);
  wire.client.session.close(wire.now);
  wire.client.session.handleDatagram(wire.now, ByteVector(50, 22));
  wire.client.session.handleTimeout(wire.now + 1h);
  wire.client.session.setRemoteFingerprints(wire.now, {});
  EXPECT_EQ(wire.client.session.state(), Session::State::Closed);
  EXPECT_FALSE(wire.client.session.nextTimeout());
}

TEST(Session, GarbageDoesNotDisturbAHandshakeOrAConnection) {
  test::SeededRandom random{7};
  Wire wire;
  const auto throwGarbage = [&] {
    for (int i = 0; i < 50; ++i) {
      ByteVector garbage(1 + random.below(200));
      random.fill(garbage);
      if (i % 2 == 0) garbage[0] = static_cast<std::uint8_t>(20 + random.below(4));  // a record's content type
      wire.client.session.handleDatagram(wire.now, garbage);
      wire.server.session.handleDatagram(wire.now, garbage);
    }
  };
  throwGarbage();
  while (wire.carry()) throwGarbage();
  EXPECT_TRUE(wire.bothConnected());
  throwGarbage();
  EXPECT_TRUE(wire.bothConnected());
}

TEST(Session, UnauthenticatedAlertsDoNotCloseAConnection) {
  Wire wire;
  wire.run();
  const ByteVector closeNotify{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 77, 0, 2, 1, 0};
  ByteVector nextEpoch = closeNotify;
  nextEpoch[4] = 1;
  for (const ByteVector& alert : {closeNotify, nextEpoch}) {
    wire.client.session.handleDatagram(wire.now, alert);
    wire.server.session.handleDatagram(wire.now, alert);
  }
  EXPECT_TRUE(wire.bothConnected());
}

}  // namespace
}  // namespace crosspoint::dtls
