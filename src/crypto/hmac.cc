// HMAC on OpenSSL's low-level hash functions: no provider look-up and no allocation per message.
#include "crypto/hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "crypto/hash.h"

// Deprecated in OpenSSL 3 in favour of EVP, which costs several times as much for a short message.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace crosspoint::crypto {
namespace {

constexpr std::size_t kBlockBytes = 64;  // of SHA-1 and SHA-256 alike
using Block = std::array<std::uint8_t, kBlockBytes>;

// RFC 2104 §2: keys longer than a block are hashed first.
template <typename Digest>
Block padded(Bytes key, Digest digest) {
  Block block{};
  if (key.size() > kBlockBytes) {
    const auto hashed = digest(key);
    std::memcpy(block.data(), hashed.data(), hashed.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  return block;
}

Block mixed(const Block& block, std::uint8_t pad) {
  Block result;
  for (std::size_t i = 0; i < kBlockBytes; ++i) result[i] = block[i] ^ pad;
  return result;
}

constexpr std::uint8_t kInnerPad = 0x36;
constexpr std::uint8_t kOuterPad = 0x5c;

std::array<std::uint32_t, 5> stateAfter(const Block& block) {
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, block.data(), block.size());
  const std::array<std::uint32_t, 5> state{context.h0, context.h1, context.h2, context.h3, context.h4};
  OPENSSL_cleanse(&context, sizeof context);
  return state;
}

// A context that has taken one block and come to `state`.
void resume(SHA_CTX& context, const std::array<std::uint32_t, 5>& state) {
  context.h0 = state[0];
  context.h1 = state[1];
  context.h2 = state[2];
  context.h3 = state[3];
  context.h4 = state[4];
  context.Nl = kBlockBytes * 8;
  context.Nh = 0;
  context.num = 0;
}

}  // namespace

HmacSha1::HmacSha1(Bytes key) {
  Block block = padded(key, &sha1);
  inner_ = stateAfter(mixed(block, kInnerPad));
  outer_ = stateAfter(mixed(block, kOuterPad));
  OPENSSL_cleanse(block.data(), block.size());
}

std::array<std::uint8_t, HmacSha1::kTagBytes> HmacSha1::compute(Bytes a, Bytes b) const {
  std::array<std::uint8_t, kTagBytes> tag;
  SHA_CTX context;
  resume(context, inner_);
  SHA1_Update(&context, a.data(), a.size());
  SHA1_Update(&context, b.data(), b.size());
  SHA1_Final(tag.data(), &context);
  resume(context, outer_);
  SHA1_Update(&context, tag.data(), tag.size());
  SHA1_Final(tag.data(), &context);
  return tag;
}

std::array<std::uint8_t, 20> hmacSha1(Bytes key, Bytes a, Bytes b) { return HmacSha1(key).compute(a, b); }

std::array<std::uint8_t, 32> hmacSha256(Bytes key, Bytes a, Bytes b) {
  Block block = padded(key, &sha256);
  std::array<std::uint8_t, 32> tag;
  SHA256_CTX context;
  const auto begin = [&](std::uint8_t pad) {
    const Block start = mixed(block, pad);
    SHA256_Init(&context);
    SHA256_Update(&context, start.data(), start.size());
  };
  begin(kInnerPad);
  SHA256_Update(&context, a.data(), a.size());
  SHA256_Update(&context, b.data(), b.size());
  SHA256_Final(tag.data(), &context);
  begin(kOuterPad);
  SHA256_Update(&context, tag.data(), tag.size());
  SHA256_Final(tag.data(), &context);
  OPENSSL_cleanse(block.data(), block.size());
  return tag;
}

}  // namespace crosspoint::crypto
