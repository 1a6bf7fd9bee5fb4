// AES on OpenSSL's EVP, with kept contexts.
#include "crypto/cipher.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace crosspoint::crypto {
namespace {

int intSize(std::size_t size) { return static_cast<int>(size); }

}  // namespace

void FreeCipherContext::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

AesCounter::AesCounter(Bytes key) : context_(EVP_CIPHER_CTX_new()) {
  CROSSPOINT_CHECK(key.size() == kAes128KeyBytes);
  CROSSPOINT_CHECK(context_ &&
                   EVP_EncryptInit_ex(context_.get(), EVP_aes_128_ctr(), nullptr, key.data(), nullptr) == 1);
}

void AesCounter::apply(const Counter& counter, MutableBytes inPlace) {
  int written = 0;
  CROSSPOINT_CHECK(EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, counter.data()) == 1);
  CROSSPOINT_CHECK(
      EVP_EncryptUpdate(context_.get(), inPlace.data(), &written, inPlace.data(), intSize(inPlace.size())) == 1);
}

AesGcm::AesGcm(Use use, Bytes key) : context_(EVP_CIPHER_CTX_new()) {
  CROSSPOINT_CHECK(key.size() == kAes128KeyBytes);
  const int encrypts = use == Use::Seal ? 1 : 0;
  CROSSPOINT_CHECK(context_ &&
                   EVP_CipherInit_ex(context_.get(), EVP_aes_128_gcm(), nullptr, key.data(), nullptr, encrypts) == 1);
}

void AesGcm::seal(const Nonce& nonce, Bytes associated, MutableBytes inPlace, MutableBytes tag) {
  EVP_CIPHER_CTX* context = context_.get();
  int written = 0;
  CROSSPOINT_CHECK(tag.size() == kTagBytes);
  CROSSPOINT_CHECK(EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1);
  CROSSPOINT_CHECK(EVP_EncryptUpdate(context, nullptr, &written, associated.data(), intSize(associated.size())) == 1);
  if (!inPlace.empty()) {
    CROSSPOINT_CHECK(EVP_EncryptUpdate(context, inPlace.data(), &written, inPlace.data(), intSize(inPlace.size())) ==
                     1);
  }
  CROSSPOINT_CHECK(EVP_EncryptFinal_ex(context, tag.data(), &written) == 1);
  CROSSPOINT_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, intSize(kTagBytes), tag.data()) == 1);
}

bool AesGcm::open(const Nonce& nonce, Bytes associated, MutableBytes inPlace, Bytes tag) {
  return open(nonce, associated, {}, inPlace, tag);
}

bool AesGcm::open(const Nonce& nonce, Bytes associated, Bytes moreAssociated, MutableBytes inPlace, Bytes tag) {
  EVP_CIPHER_CTX* context = context_.get();
  int written = 0;
  CROSSPOINT_CHECK(tag.size() == kTagBytes);
  CROSSPOINT_CHECK(EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1);
  CROSSPOINT_CHECK(EVP_DecryptUpdate(context, nullptr, &written, associated.data(), intSize(associated.size())) == 1);
  if (!moreAssociated.empty()) {
    const int size = intSize(moreAssociated.size());
    CROSSPOINT_CHECK(EVP_DecryptUpdate(context, nullptr, &written, moreAssociated.data(), size) == 1);
  }
  if (!inPlace.empty()) {
    CROSSPOINT_CHECK(EVP_DecryptUpdate(context, inPlace.data(), &written, inPlace.data(), intSize(inPlace.size())) ==
                     1);
  }
  auto* expected = const_cast<std::uint8_t*>(tag.data());  // only read
  CROSSPOINT_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, intSize(kTagBytes), expected) == 1);
  std::array<std::uint8_t, kTagBytes> nothing;
  return EVP_DecryptFinal_ex(context, nothing.data(), &written) == 1;
}

}  // namespace crosspoint::crypto
