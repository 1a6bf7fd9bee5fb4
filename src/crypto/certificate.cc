// Self-signed P-256 certificates, made and read with OpenSSL.
#include "crypto/certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "base/check.h"

namespace crosspoint::crypto {
namespace {

constexpr char kCommonName[] = "crosspoint";  // says nothing about the machine
constexpr Duration kClockTolerance = std::chrono::hours(24);

std::time_t toTime(WallTime wall) {
  return static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(wall).time_since_epoch().count());
}

// RFC 5280 §4.1.2.2: positive, at most 20 bytes.
void setSerialNumber(X509* certificate) {
  std::array<std::uint8_t, 16> bytes;
  CROSSPOINT_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);
  BIGNUM* number = BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr);
  CROSSPOINT_CHECK(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
  BN_free(number);
}

template <typename Object, typename Encode>
ByteVector toDer(Object* object, Encode encode) {
  const int size = encode(object, nullptr);
  CROSSPOINT_CHECK(size > 0);
  ByteVector der(static_cast<std::size_t>(size));
  unsigned char* end = der.data();
  encode(object, &end);
  return der;
}

}  // namespace

void Certificate::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void Certificate::Free::operator()(x509_st* certificate) const { X509_free(certificate); }

Certificate Certificate::selfSigned(WallTime now, Duration lifetime) {
  Certificate result;
  result.key_.reset(EVP_EC_gen("P-256"));
  CROSSPOINT_CHECK(result.key_ != nullptr);
  result.x509_.reset(X509_new());
  X509* certificate = result.x509_.get();
  CROSSPOINT_CHECK(certificate != nullptr);
  CROSSPOINT_CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
  setSerialNumber(certificate);
  CROSSPOINT_CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate), toTime(now - kClockTolerance)) != nullptr);
  CROSSPOINT_CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate), toTime(now + lifetime)) != nullptr);
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(kCommonName);
  CROSSPOINT_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1);
  CROSSPOINT_CHECK(X509_set_issuer_name(certificate, name) == 1);
  CROSSPOINT_CHECK(X509_set_pubkey(certificate, result.key_.get()) == 1);
  CROSSPOINT_CHECK(X509_sign(certificate, result.key_.get(), EVP_sha256()) > 0);
  return result;
}

std::optional<Certificate> Certificate::fromDer(Bytes certificate, Bytes privateKey) {
  Certificate result;
  const unsigned char* at = certificate.data();
  result.x509_.reset(d2i_X509(nullptr, &at, static_cast<long>(certificate.size())));
  at = privateKey.data();
  result.key_.reset(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(privateKey.size())));
  if (!result.x509_ || !result.key_ || X509_check_private_key(result.x509_.get(), result.key_.get()) != 1)
    return std::nullopt;
  return result;
}

std::array<std::uint8_t, 32> Certificate::sha256Fingerprint() const {
  std::array<std::uint8_t, 32> digest;
  CROSSPOINT_CHECK(X509_digest(x509_.get(), EVP_sha256(), digest.data(), nullptr) == 1);
  return digest;
}

ByteVector Certificate::certificateDer() const { return toDer(x509_.get(), &i2d_X509); }
ByteVector Certificate::privateKeyDer() const { return toDer(key_.get(), &i2d_PrivateKey); }

}  // namespace crosspoint::crypto
