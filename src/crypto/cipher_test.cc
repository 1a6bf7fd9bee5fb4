// AES modes against NIST's vectors.
#include "crypto/cipher.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace crosspoint::crypto {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> fixed(std::string_view hex) {
  std::array<std::uint8_t, N> result{};
  const ByteVector bytes = fromHex(hex).value();
  std::copy(bytes.begin(), bytes.end(), result.begin());
  return result;
}

TEST(AesCounter, GivesTheVectorOfSp800_38a) {  // F.5.1
  AesCounter cipher(*fromHex("2b7e151628aed2a6abf7158809cf4f3c"));
  const auto counter = fixed<16>("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  ByteVector text = *fromHex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  const ByteVector plain = text;
  for (int round = 0; round < 2; ++round) {  // the context is used again
    text = plain;
    cipher.apply(counter, text);
    EXPECT_EQ(toHex(text), "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
  }
  cipher.apply(counter, text);
  EXPECT_EQ(text, plain);
}

TEST(AesCounter, TakesPartBlocksAndNothing) {
  AesCounter cipher(*fromHex("2b7e151628aed2a6abf7158809cf4f3c"));
  const auto counter = fixed<16>("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  ByteVector text = *fromHex("6bc1bee22e");
  cipher.apply(counter, text);
  EXPECT_EQ(toHex(text), "874d6191b6");
  cipher.apply(counter, {});
}

struct GcmCase {
  AesGcm::Nonce nonce = fixed<12>("cafebabefacedbaddecaf888");
  ByteVector key = *fromHex("feffe9928665731c6d6a8f9467308308");
  ByteVector associated = *fromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  ByteVector text = *fromHex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  ByteVector tag = ByteVector(AesGcm::kTagBytes);
};

TEST(AesGcm, GivesTheVectorOfItsSpecification) {  // McGrew and Viega, test case 4
  GcmCase t;
  const ByteVector plain = t.text;
  AesGcm seal(AesGcm::Use::Seal, t.key);
  seal.seal(t.nonce, t.associated, t.text, t.tag);
  EXPECT_EQ(
      toHex(t.text),
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97"
      "3d58e091");
  EXPECT_EQ(toHex(t.tag), "5bc94fbc3221a5db94fae95ae7121a47");
  AesGcm open(AesGcm::Use::Open, t.key);
  EXPECT_TRUE(open.open(t.nonce, t.associated, t.text, t.tag));
  EXPECT_EQ(t.text, plain);
}

TEST(AesGcm, RefusesWhatWasChangedAndThenGoesOn) {
  GcmCase t;
  AesGcm seal(AesGcm::Use::Seal, t.key);
  seal.seal(t.nonce, t.associated, t.text, t.tag);
  AesGcm open(AesGcm::Use::Open, t.key);
  for (ByteVector* part : {&t.text, &t.tag, &t.associated}) {
    const ByteVector text = t.text;
    part->front() ^= 1;
    EXPECT_FALSE(open.open(t.nonce, t.associated, t.text, t.tag));
    if (part != &t.text) part->front() ^= 1;
    t.text = text;
  }
  EXPECT_TRUE(open.open(t.nonce, t.associated, t.text, t.tag));
}

TEST(AesGcm, AuthenticatesWithoutText) {
  GcmCase t;
  AesGcm seal(AesGcm::Use::Seal, t.key);
  seal.seal(t.nonce, t.associated, {}, t.tag);
  AesGcm open(AesGcm::Use::Open, t.key);
  EXPECT_TRUE(open.open(t.nonce, t.associated, {}, t.tag));
  t.tag[15] ^= 0x80;
  EXPECT_FALSE(open.open(t.nonce, t.associated, {}, t.tag));
}

}  // namespace
}  // namespace crosspoint::crypto
