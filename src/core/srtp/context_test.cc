// SRTP contexts: replay, rollover, bounds, state, and agreement with libsrtp2 in both directions.
#include "core/srtp/context.h"

#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include "core/rtp/packet.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::srtp {

// For readable parameter names.
void PrintTo(Error error, std::ostream* out) { *out << "Error(" << static_cast<int>(error) << ")"; }

namespace {

constexpr std::size_t kRoom = 32;

SrtpKey makeKey(SrtpProfile profile, std::uint64_t seed = 1) {
  test::SeededRandom random{seed};
  SrtpKey key{profile, ByteVector(16), ByteVector(profile == SrtpProfile::AeadAes128Gcm ? 12 : 14)};
  random.fill(key.masterKey);
  random.fill(key.masterSalt);
  return key;
}

ByteVector makeRtp(std::uint32_t ssrc, std::uint16_t sequenceNumber, std::size_t payloadBytes = 160) {
  ByteVector packet(rtp::kFixedHeaderBytes + payloadBytes, static_cast<std::uint8_t>(sequenceNumber));
  ByteWriter writer(packet);
  rtp::writeHeader(
      writer, {.payloadType = 8, .sequenceNumber = sequenceNumber, .timestamp = 7u * sequenceNumber, .ssrc = ssrc});
  return packet;
}

ByteVector makeRtcp(std::uint32_t ssrc) {
  ByteVector packet{0x80, 201, 0, 1, 0, 0, 0, 0, 0x81, 202, 0, 2, 1, 2, 3, 4, 1, 1, 'x', 0};
  storeBigEndian(packet.data() + 4, ssrc);
  return packet;
}

using Operation = Result (Context::*)(MutableBytes, std::size_t);

std::expected<ByteVector, Error> seal(Context& context, ByteVector packet, Operation operation = &Context::protect) {
  const std::size_t size = packet.size();
  packet.resize(size + kRoom);
  const Result result = (context.*operation)(packet, size);
  if (!result) return std::unexpected(result.error());
  packet.resize(*result);
  return packet;
}

std::expected<ByteVector, Error> open(Context& context, ByteVector packet,
                                      Result (Context::*operation)(MutableBytes) = &Context::unprotect) {
  const Result result = (context.*operation)(packet);
  if (!result) return std::unexpected(result.error());
  packet.resize(*result);
  return packet;
}

class ContextTest : public testing::TestWithParam<SrtpProfile> {
 protected:
  SrtpKey key = makeKey(GetParam());
  Context out{Direction::Send, key};
  Context in{Direction::Receive, key};
};

INSTANTIATE_TEST_SUITE_P(Profiles, ContextTest,
                         testing::Values(SrtpProfile::Aes128CmSha1_80, SrtpProfile::AeadAes128Gcm),
                         [](const auto& tested) {
                           return tested.param == SrtpProfile::AeadAes128Gcm ? "Gcm" : "CounterSha1";
                         });

TEST_P(ContextTest, WhatIsProtectedComesBack) {
  const ByteVector packet = makeRtp(1, 100);
  const auto sealed = seal(out, packet);
  ASSERT_TRUE(sealed);
  EXPECT_GT(sealed->size(), packet.size());
  EXPECT_EQ(ByteVector(sealed->begin(), sealed->begin() + 12), ByteVector(packet.begin(), packet.begin() + 12));
  EXPECT_NE(ByteVector(sealed->begin() + 12, sealed->begin() + 172), ByteVector(packet.begin() + 12, packet.end()));
  EXPECT_EQ(open(in, *sealed).value(), packet);
}

TEST_P(ContextTest, RtcpComesBackToo) {
  for (int i = 0; i < 3; ++i) {
    const auto sealed = seal(out, makeRtcp(9), &Context::protectRtcp);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(open(in, *sealed, &Context::unprotectRtcp).value(), makeRtcp(9));
    EXPECT_EQ(open(in, *sealed, &Context::unprotectRtcp).error(), Error::Replayed);
  }
}

TEST_P(ContextTest, AReplayIsRefusedAndALatePacketIsNot) {
  std::vector<ByteVector> sealed;
  for (std::uint16_t i = 0; i < 2000; ++i) sealed.push_back(seal(out, makeRtp(1, i)).value());
  EXPECT_TRUE(open(in, sealed[1999]));
  EXPECT_EQ(open(in, sealed[1999]).error(), Error::Replayed);
  EXPECT_TRUE(open(in, sealed[1999 - 1023]));
  EXPECT_EQ(open(in, sealed[1999 - 1023]).error(), Error::Replayed);
  EXPECT_EQ(open(in, sealed[1999 - 1024]).error(), Error::Replayed) << "too old to know";
}

TEST_P(ContextTest, EveryChangedBitIsNoticed) {
  const ByteVector sealed = seal(out, makeRtp(1, 100, 20)).value();
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    ByteVector changed = sealed;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(open(in, changed)) << bit;
  }
  EXPECT_TRUE(in.streams().empty()) << "no stream was made for any of them";
  EXPECT_TRUE(open(in, sealed));
}

TEST_P(ContextTest, EveryChangedBitOfRtcpIsNoticed) {
  const ByteVector sealed = seal(out, makeRtcp(1), &Context::protectRtcp).value();
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    ByteVector changed = sealed;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(open(in, changed, &Context::unprotectRtcp)) << bit;
  }
  EXPECT_TRUE(open(in, sealed, &Context::unprotectRtcp));
}

TEST_P(ContextTest, ShortPacketsAreMalformed) {
  const ByteVector sealed = seal(out, makeRtp(1, 100, 0)).value();
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(open(in, ByteVector(sealed.begin(), sealed.begin() + static_cast<long>(size))).error(), Error::Malformed)
        << size;
  }
  const ByteVector report = seal(out, makeRtcp(1), &Context::protectRtcp).value();
  for (std::size_t size = 0; size < report.size(); ++size) {
    EXPECT_FALSE(
        open(in, ByteVector(report.begin(), report.begin() + static_cast<long>(size)), &Context::unprotectRtcp))
        << size;
  }
}

TEST_P(ContextTest, NoSequenceNumberIsEncryptedTwice) {
  EXPECT_TRUE(seal(out, makeRtp(1, 100)));
  EXPECT_EQ(seal(out, makeRtp(1, 100)).error(), Error::Replayed);
  EXPECT_TRUE(seal(out, makeRtp(2, 100))) << "another stream";
}

TEST_P(ContextTest, ABufferWithoutRoomIsRefusedAndLosesNothing) {
  ByteVector packet = makeRtp(1, 100);
  EXPECT_EQ(out.protect(packet, packet.size()).error(), Error::NoRoom);
  EXPECT_TRUE(seal(out, packet));
  ByteVector report = makeRtcp(1);
  EXPECT_EQ(out.protectRtcp(report, report.size()).error(), Error::NoRoom);
}

TEST_P(ContextTest, GoesOnAcrossTheRolloverWithLossAndDisorder) {
  test::SeededRandom random{3};
  std::vector<ByteVector> pending;
  int received = 0;
  for (int i = 0; i < 200'000; ++i) {
    auto sealed = seal(out, makeRtp(1, static_cast<std::uint16_t>(30'000 + i), 4));
    ASSERT_TRUE(sealed) << i;
    if (random.below(10) == 0) continue;
    pending.push_back(std::move(*sealed));
    if (pending.size() < 20) continue;
    for (std::size_t n = pending.size(); n > 1; --n) std::swap(pending[n - 1], pending[random.below(n)]);
    for (ByteVector& packet : pending) {
      ASSERT_TRUE(open(in, std::move(packet))) << i;
      ++received;
    }
    pending.clear();
  }
  EXPECT_GT(received, 170'000);
  EXPECT_EQ(*in.newestIndex(1) >> 16, 3u);
  EXPECT_EQ(*out.newestIndex(1), 30'000u + 199'999u);
}

TEST_P(ContextTest, ALateStartBeforeTheRolloverIsFollowed) {
  for (std::uint32_t i = 65'530; i < 65'600; ++i) {
    const auto sealed = seal(out, makeRtp(1, static_cast<std::uint16_t>(i)));
    ASSERT_TRUE(sealed);
    if (i >= 65'535) {
      EXPECT_TRUE(open(in, *sealed)) << i;
    }
  }
  EXPECT_EQ(*in.newestIndex(1), 65'599u);
}

TEST_P(ContextTest, AStrangerCannotMakeStreams) {
  test::SeededRandom random{5};
  for (std::uint32_t ssrc = 0; ssrc < 1000; ++ssrc) {
    ByteVector packet = makeRtp(ssrc, 1);
    random.fill(MutableBytes(packet).subspan(12));
    EXPECT_EQ(open(in, packet).error(), Error::Authentication);
    ByteVector report(60);
    random.fill(report);
    report[0] = 0x80;
    EXPECT_EQ(open(in, report, &Context::unprotectRtcp).error(), Error::Authentication);
  }
  EXPECT_TRUE(in.streams().empty());
}

TEST_P(ContextTest, HoldsAtMostItsLimitOfStreams) {
  Context other(Direction::Send, key);
  for (std::uint32_t ssrc = 0; ssrc < kStreamsMax; ++ssrc) EXPECT_TRUE(open(in, seal(out, makeRtp(ssrc, 1)).value()));
  EXPECT_EQ(seal(out, makeRtp(kStreamsMax, 1)).error(), Error::TooManyStreams);
  EXPECT_EQ(open(in, seal(other, makeRtp(kStreamsMax, 1)).value()).error(), Error::TooManyStreams);
  EXPECT_EQ(in.streams().size(), kStreamsMax);
  EXPECT_TRUE(open(in, seal(out, makeRtp(0, 2)).value())) << "the others go on";
}

TEST_P(ContextTest, AnotherContextTakesUpTheState) {
  for (int i = 0; i < 70'000; ++i) {
    auto sealed = seal(out, makeRtp(1, static_cast<std::uint16_t>(i), 1));
    ASSERT_TRUE(open(in, std::move(*sealed)));
  }
  const auto report = seal(out, makeRtcp(1), &Context::protectRtcp).value();
  EXPECT_TRUE(open(in, report, &Context::unprotectRtcp));
  const ByteVector late = seal(out, makeRtp(1, 4500, 1)).value();

  Context secondOut(Direction::Send, key);
  Context secondIn(Direction::Receive, key);
  secondOut.restore(out.streams());
  secondIn.restore(in.streams());
  EXPECT_EQ(seal(secondOut, makeRtp(1, 4500, 1)).error(), Error::Replayed);
  EXPECT_TRUE(open(secondIn, late));
  EXPECT_EQ(open(secondIn, late).error(), Error::Replayed);
  EXPECT_EQ(open(secondIn, report, &Context::unprotectRtcp).error(), Error::Replayed);
  EXPECT_TRUE(open(secondIn, seal(secondOut, makeRtp(1, 4501, 1)).value()));
  EXPECT_TRUE(open(secondIn, seal(secondOut, makeRtcp(1), &Context::protectRtcp).value(), &Context::unprotectRtcp));
  EXPECT_EQ(*secondIn.newestIndex(1) >> 16, 1u);
}

TEST(Context, KeysOfTheWrongSizeAreNotValid) {
  for (auto profile : {SrtpProfile::Aes128CmSha1_80, SrtpProfile::AeadAes128Gcm}) {
    SrtpKey key = makeKey(profile);
    EXPECT_TRUE(Context::isValid(key));
    key.masterSalt.push_back(0);
    EXPECT_FALSE(Context::isValid(key));
    key = makeKey(profile);
    key.masterKey.pop_back();
    EXPECT_FALSE(Context::isValid(key));
  }
  EXPECT_FALSE(Context::isValid({static_cast<SrtpProfile>(5), ByteVector(16), ByteVector(14)}));
}

// The oracle: libsrtp2 with the same key.
class Oracle {
 public:
  Oracle(const SrtpKey& key, srtp_ssrc_type_t direction) {
    static const srtp_err_status_t kReady = srtp_init();
    EXPECT_EQ(kReady, srtp_err_status_ok);
    masterKeyAndSalt_ = key.masterKey;
    masterKeyAndSalt_.insert(masterKeyAndSalt_.end(), key.masterSalt.begin(), key.masterSalt.end());
    srtp_policy_t policy{};
    if (key.profile == SrtpProfile::AeadAes128Gcm) {
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
      srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
      srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    }
    policy.ssrc.type = direction;
    policy.key = masterKeyAndSalt_.data();
    policy.window_size = 1024;
    EXPECT_EQ(srtp_create(&session_, &policy), srtp_err_status_ok);
  }
  ~Oracle() { srtp_dealloc(session_); }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  using Function = srtp_err_status_t (*)(srtp_t, void*, int*);
  std::optional<ByteVector> apply(Function function, ByteVector packet) {
    int size = static_cast<int>(packet.size());
    packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + 4);
    if (function(session_, packet.data(), &size) != srtp_err_status_ok) return std::nullopt;
    packet.resize(static_cast<std::size_t>(size));
    return packet;
  }

 private:
  ByteVector masterKeyAndSalt_;
  srtp_t session_ = nullptr;
};

// A packet of any shape that the header allows.
ByteVector randomRtp(test::SeededRandom& random, std::uint32_t ssrc, std::uint16_t sequenceNumber) {
  const std::size_t csrcs = random.below(3);
  const bool extended = random.below(2) == 0;
  const std::size_t words = random.below(4);
  ByteVector packet(12 + 4 * csrcs + (extended ? 4 + 4 * words : 0) + random.below(300));
  random.fill(packet);
  packet[0] = static_cast<std::uint8_t>(0x80 | (extended ? 0x10 : 0) | csrcs);
  storeBigEndian(packet.data() + 2, sequenceNumber);
  storeBigEndian(packet.data() + 8, ssrc);
  if (extended) storeBigEndian(packet.data() + 12 + 4 * csrcs + 2, static_cast<std::uint16_t>(words));
  return packet;
}

ByteVector randomRtcp(test::SeededRandom& random, std::uint32_t ssrc) {
  ByteVector packet(8 + 4 * random.below(60));
  random.fill(packet);
  packet[0] = 0x80;
  packet[1] = 200;
  storeBigEndian(packet.data() + 2, static_cast<std::uint16_t>(packet.size() / 4 - 1));
  storeBigEndian(packet.data() + 4, ssrc);
  return packet;
}

TEST_P(ContextTest, WritesByteForByteWhatLibsrtpWritesAcrossRollovers) {
  test::SeededRandom random{11};
  Oracle oracle(key, ssrc_any_outbound);
  std::uint32_t index = 65'000;
  for (int i = 0; i < 5'000; ++i) {
    index += 1 + static_cast<std::uint32_t>(random.below(30));
    for (std::uint32_t ssrc : {0x11111111u, 0x22222222u}) {
      const ByteVector packet = randomRtp(random, ssrc, static_cast<std::uint16_t>(index));
      ASSERT_EQ(seal(out, packet).value(), oracle.apply(&srtp_protect, packet).value()) << i;
    }
  }
  EXPECT_GE(index >> 16, 2u);
}

TEST_P(ContextTest, WritesByteForByteTheRtcpThatLibsrtpWrites) {
  test::SeededRandom random{12};
  Oracle oracle(key, ssrc_any_outbound);
  for (int i = 0; i < 500; ++i) {
    const ByteVector packet = randomRtcp(random, 0x33333333);
    ASSERT_EQ(seal(out, packet, &Context::protectRtcp).value(), oracle.apply(&srtp_protect_rtcp, packet).value()) << i;
  }
}

TEST_P(ContextTest, ReadsWhatLibsrtpWritesWithLossDisorderAndReplays) {
  test::SeededRandom random{13};
  Oracle writer(key, ssrc_any_outbound);
  Oracle reader(key, ssrc_any_inbound);
  std::uint32_t index = 60'000;
  std::vector<ByteVector> recent;
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const ByteVector packet = randomRtp(random, 0x44444444, static_cast<std::uint16_t>(++index));
    recent.push_back(writer.apply(&srtp_protect, packet).value());
    if (recent.size() > 40) recent.erase(recent.begin());
    const ByteVector& arriving = recent[random.below(recent.size())];
    const auto theirs = reader.apply(&srtp_unprotect, arriving);
    const auto ours = open(in, arriving);
    ASSERT_EQ(ours.has_value(), theirs.has_value()) << i;
    if (ours) {
      ASSERT_EQ(*ours, *theirs) << i;
      ++accepted;
    }
  }
  EXPECT_GT(accepted, 10'000);
}

TEST_P(ContextTest, ReadsTheRtcpThatLibsrtpWrites) {
  test::SeededRandom random{14};
  Oracle writer(key, ssrc_any_outbound);
  for (int i = 0; i < 500; ++i) {
    const ByteVector packet = randomRtcp(random, 0x55555555);
    const ByteVector sealed = writer.apply(&srtp_protect_rtcp, packet).value();
    ASSERT_EQ(open(in, sealed, &Context::unprotectRtcp).value(), packet) << i;
  }
}

}  // namespace
}  // namespace crosspoint::srtp
