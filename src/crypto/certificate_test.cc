// Certificates are made, written out and taken up.
#include "crypto/certificate.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace crosspoint::crypto {
namespace {

constexpr WallTime kNow{std::chrono::hours(24 * 365 * 55)};

TEST(Certificate, FingerprintIsTheDigestOfItsDerForm) {
  const Certificate certificate = Certificate::selfSigned(kNow);
  EXPECT_EQ(certificate.sha256Fingerprint(), sha256(certificate.certificateDer()));
}

TEST(Certificate, EachIsDifferent) {
  EXPECT_NE(Certificate::selfSigned(kNow).sha256Fingerprint(), Certificate::selfSigned(kNow).sha256Fingerprint());
}

TEST(Certificate, IsTakenUpFromWhatItWroteOut) {
  const Certificate first = Certificate::selfSigned(kNow);
  const auto second = Certificate::fromDer(first.certificateDer(), first.privateKeyDer());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->sha256Fingerprint(), first.sha256Fingerprint());
  EXPECT_EQ(second->privateKeyDer(), first.privateKeyDer());
}

TEST(Certificate, RefusesTheKeyOfAnotherAndGarbage) {
  const Certificate first = Certificate::selfSigned(kNow);
  const Certificate second = Certificate::selfSigned(kNow);
  EXPECT_FALSE(Certificate::fromDer(first.certificateDer(), second.privateKeyDer()));
  EXPECT_FALSE(Certificate::fromDer(asBytes("garbage"), first.privateKeyDer()));
  EXPECT_FALSE(Certificate::fromDer(first.certificateDer(), {}));
}

}  // namespace
}  // namespace crosspoint::crypto
