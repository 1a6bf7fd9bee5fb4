// Digests and HMAC against the RFCs' own vectors.
#include "crypto/hmac.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace crosspoint::crypto {
namespace {

TEST(Hash, GivesThePublishedDigests) {
  EXPECT_EQ(toHex(md5(asBytes("abc"))), "900150983cd24fb0d6963f7d28e17f72");           // RFC 1321 A.5
  EXPECT_EQ(toHex(sha1(asBytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");  // RFC 3174 §7.3
  EXPECT_EQ(toHex(sha256(asBytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(toHex(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Hash, FindsDigestsByTheirSdpName) {
  for (auto [name, bytes] :
       {std::pair{"sha-1", 20u}, {"sha-224", 28u}, {"sha-256", 32u}, {"sha-384", 48u}, {"sha-512", 64u}}) {
    auto digest = digestByName(name, asBytes("abc"));
    ASSERT_TRUE(digest) << name;
    EXPECT_EQ(digest->size(), bytes) << name;
  }
  EXPECT_EQ(toHex(*digestByName("sha-256", asBytes("abc"))), toHex(sha256(asBytes("abc"))));
  EXPECT_FALSE(digestByName("md5", asBytes("abc")));
  EXPECT_FALSE(digestByName("SHA-256", asBytes("abc")));
}

TEST(Hash, ReadsAndWritesHexadecimalText) {
  EXPECT_EQ(*fromHex("00fFa1"), (ByteVector{0x00, 0xff, 0xa1}));
  EXPECT_EQ(toHex(ByteVector{0x00, 0xff, 0xa1}), "00ffa1");
  EXPECT_TRUE(fromHex("")->empty());
  EXPECT_FALSE(fromHex("0"));
  EXPECT_FALSE(fromHex("0g"));
}

TEST(Hash, ComparesInConstantTime) {
  EXPECT_TRUE(equalInConstantTime({}, {}));
  EXPECT_TRUE(equalInConstantTime(asBytes("abc"), asBytes("abc")));
  EXPECT_FALSE(equalInConstantTime(asBytes("abc"), asBytes("abd")));
  EXPECT_FALSE(equalInConstantTime(asBytes("abc"), asBytes("ab")));
}

TEST(Hmac, GivesTheVectorsOfRfc2202AndRfc4231) {
  const ByteVector key20(20, 0x0b);
  EXPECT_EQ(toHex(hmacSha1(key20, asBytes("Hi There"))), "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(toHex(hmacSha256(key20, asBytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(toHex(hmacSha1(asBytes("Jefe"), asBytes("what do ya want for nothing?"))),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(Hmac, HashesKeysLongerThanABlock) {
  const ByteVector key80(80, 0xaa);
  EXPECT_EQ(toHex(hmacSha1(key80, asBytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  const ByteVector key131(131, 0xaa);
  EXPECT_EQ(toHex(hmacSha256(key131, asBytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, TakesAMessageInTwoParts) {
  const ByteVector key(16, 0x42);
  EXPECT_EQ(hmacSha1(key, asBytes("some message")), hmacSha1(key, asBytes("some"), asBytes(" message")));
  EXPECT_EQ(hmacSha256(key, asBytes("some message")), hmacSha256(key, asBytes("some"), asBytes(" message")));
}

TEST(Hmac, KeptStatesServeManyMessages) {
  const ByteVector key(20, 0x17);
  const HmacSha1 kept(key);
  for (std::size_t size : {0u, 1u, 55u, 63u, 64u, 65u, 200u}) {
    const ByteVector message(size, 0x99);
    EXPECT_EQ(kept.compute(message), hmacSha1(key, message)) << size;
  }
}

}  // namespace
}  // namespace crosspoint::crypto
