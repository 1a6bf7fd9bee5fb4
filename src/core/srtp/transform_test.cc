// The transforms against the vectors of RFC 3711 appendix B and RFC 7714 §16, §17.
#include "core/srtp/transform.h"

#include <gtest/gtest.h>

#include "core/srtp/keys.h"
#include "crypto/hash.h"

namespace crosspoint::srtp {
namespace {

using crypto::fromHex;
using crypto::toHex;

template <std::size_t N>
std::array<std::uint8_t, N> fixed(std::string_view hex) {
  std::array<std::uint8_t, N> result{};
  const ByteVector bytes = fromHex(hex).value();
  std::copy_n(bytes.begin(), N, result.begin());
  return result;
}

TEST(Keys, AreDerivedAsInRfc3711AppendixB3) {
  const SrtpKey key{SrtpProfile::Aes128CmSha1_80, *fromHex("E1F97A0D3E018BE0D64FA32C06DE4139"),
                    *fromHex("0EC675AD498AFEEBB6960B3AABE6")};
  EXPECT_EQ(toHex(derive<16>(key, Label::RtpEncryption)), "c61e7a93744f39ee10734afe3ff7a087");
  EXPECT_EQ(toHex(derive<14>(key, Label::RtpSalt)), "30cbbc08863d8c85d49db34a9ae1");
  EXPECT_EQ(toHex(derive<20>(key, Label::RtpAuthentication)), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

TEST(Keys, CounterModeGivesTheKeyStreamOfRfc3711AppendixB2) {
  crypto::AesCounter cipher(*fromHex("2B7E151628AED2A6ABF7158809CF4F3C"));
  ByteVector stream(48);
  cipher.apply(counterFor(fixed<14>("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"), 0, 0), stream);
  EXPECT_EQ(toHex(stream),
            "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0");
}

TEST(Keys, CounterMixesSaltSourceAndIndexAtTheirPlaces) {
  const auto counter = counterFor(fixed<14>("0000000000000000000000000000"), 0x11223344, 0x0000aabbccddeeff);
  EXPECT_EQ(toHex(counter),
            "00000000112233"
            "44aabbccddeeff0000");
}

constexpr char kGcmKey[] = "000102030405060708090a0b0c0d0e0f";
constexpr char kGcmSalt[] = "517569642070726f2071756f";

TEST(Keys, GcmSealsTheRtpPacketOfRfc7714Section16) {
  ByteVector packet =
      *fromHex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
  const auto nonce = nonceFor(fixed<12>(kGcmSalt), 0x5501a0b2, 0xf17b);
  EXPECT_EQ(toHex(nonce), "51753c6580c2726f20718414");
  crypto::AesGcm cipher(crypto::AesGcm::Use::Seal, *fromHex(kGcmKey));
  ByteVector tag(16);
  cipher.seal(nonce, Bytes(packet).first(12), MutableBytes(packet).subspan(12), tag);
  EXPECT_EQ(
      toHex(Bytes(packet).subspan(12)) + toHex(tag),
      "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce");
}

TEST(Keys, GcmSealsTheRtcpPacketOfRfc7714Section17) {
  ByteVector packet = *fromHex(
      "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
  const auto nonce = nonceFor(fixed<12>(kGcmSalt), 0x4d617273, 0x5d4);
  EXPECT_EQ(toHex(nonce), "517524055203726f207170bb");
  ByteVector associated(packet.begin(), packet.begin() + 8);
  for (std::uint8_t byte : {0x80, 0x00, 0x05, 0xd4}) associated.push_back(byte);
  crypto::AesGcm cipher(crypto::AesGcm::Use::Seal, *fromHex(kGcmKey));
  ByteVector tag(16);
  cipher.seal(nonce, associated, MutableBytes(packet).subspan(8), tag);
  EXPECT_EQ(
      toHex(Bytes(packet).subspan(8)) + toHex(tag),
      "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872"
      "45d9eade");
}

}  // namespace
}  // namespace crosspoint::srtp
