// AES-128 in counter mode and in Galois/counter mode, with the expanded key kept between messages.
//
// Each object holds one OpenSSL EVP context (about 1 kB). After construction nothing allocates and nothing is looked
// up, so a 160-byte message costs a third of a microsecond. Movable; not for use by two threads at once.
#pragma once
#include <array>
#include <memory>

#include "base/bytes.h"

struct evp_cipher_ctx_st;

namespace crosspoint::crypto {

inline constexpr std::size_t kAes128KeyBytes = 16;

struct FreeCipherContext {
  void operator()(evp_cipher_ctx_st* context) const;
};
using CipherContext = std::unique_ptr<evp_cipher_ctx_st, FreeCipherContext>;

// NIST SP 800-38A §6.5. The same call encrypts and decrypts.
class AesCounter {
 public:
  using Counter = std::array<std::uint8_t, 16>;  // of the first block; counts up by one a block over all 128 bits

  explicit AesCounter(Bytes key);  // kAes128KeyBytes
  void apply(const Counter& counter, MutableBytes inPlace);

 private:
  CipherContext context_;
};

// NIST SP 800-38D with a 96-bit nonce and a 128-bit tag. One object either seals or opens.
class AesGcm {
 public:
  enum class Use : bool { Seal, Open };
  static constexpr std::size_t kNonceBytes = 12;
  static constexpr std::size_t kTagBytes = 16;
  using Nonce = std::array<std::uint8_t, kNonceBytes>;

  AesGcm(Use use, Bytes key);  // kAes128KeyBytes
  // Encrypts in place and writes the tag to `tag` (kTagBytes). The caller never uses a nonce twice.
  void seal(const Nonce& nonce, Bytes associated, MutableBytes inPlace, MutableBytes tag);
  // Decrypts in place; false if `tag` (kTagBytes) does not fit. Then the bytes are undefined and must not be used.
  bool open(const Nonce& nonce, Bytes associated, MutableBytes inPlace, Bytes tag);
  // The same for associated data in two pieces.
  bool open(const Nonce& nonce, Bytes associated, Bytes moreAssociated, MutableBytes inPlace, Bytes tag);

 private:
  CipherContext context_;
};

}  // namespace crosspoint::crypto
