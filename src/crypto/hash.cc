// Digests on OpenSSL's low-level functions: no provider look-up and no allocation per call.
#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

// Deprecated in OpenSSL 3 in favour of EVP, which costs several times as much for a short message.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace crosspoint::crypto {

std::array<std::uint8_t, 16> md5(Bytes data) {
  std::array<std::uint8_t, 16> digest;
  MD5_CTX context;
  MD5_Init(&context);
  MD5_Update(&context, data.data(), data.size());
  MD5_Final(digest.data(), &context);
  return digest;
}

std::array<std::uint8_t, 20> sha1(Bytes data) {
  std::array<std::uint8_t, 20> digest;
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, data.data(), data.size());
  SHA1_Final(digest.data(), &context);
  return digest;
}

std::array<std::uint8_t, 32> sha256(Bytes data) {
  std::array<std::uint8_t, 32> digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, data.data(), data.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

std::optional<ByteVector> digestByName(std::string_view name, Bytes data) {
  using OneShot = unsigned char* (*)(const unsigned char*, std::size_t, unsigned char*);
  struct Known {
    std::string_view name;
    std::size_t bytes;
    OneShot function;
  };
  static constexpr Known kKnown[] = {{"sha-1", 20, &SHA1},
                                     {"sha-224", 28, &SHA224},
                                     {"sha-256", 32, &SHA256},
                                     {"sha-384", 48, &SHA384},
                                     {"sha-512", 64, &SHA512}};
  for (const Known& known : kKnown) {
    if (known.name != name) continue;
    ByteVector digest(known.bytes);
    known.function(data.data(), data.size(), digest.data());
    return digest;
  }
  return std::nullopt;
}

std::string toHex(Bytes data) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(data.size() * 2);
  for (std::uint8_t byte : data) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<ByteVector> fromHex(std::string_view text) {
  const auto value = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  ByteVector bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = value(text[i]);
    const int low = value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

bool equalInConstantTime(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace crosspoint::crypto
