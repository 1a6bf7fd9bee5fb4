// A self-signed P-256 certificate with its key: what this process shows in every DTLS handshake (RFC 8827 §6.5).
//
//     const auto certificate = crypto::Certificate::selfSigned(wallNow);
//     offer.fingerprint = certificate.sha256Fingerprint();
//
// One serves the whole process: making one costs about 0.3 ms, as much as half a handshake. Immutable, so any thread
// may read it. Key and serial number come from OpenSSL's own random generator.
#pragma once
#include <array>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

struct evp_pkey_st;
struct x509_st;

namespace crosspoint::crypto {

class Certificate {
 public:
  // Valid from a day before `now` (clocks differ) for `lifetime`.
  static Certificate selfSigned(WallTime now, Duration lifetime = std::chrono::hours(24 * 30));
  // Takes up what another process wrote out with certificateDer() and privateKeyDer(). Nothing if the two do not belong
  // together.
  static std::optional<Certificate> fromDer(Bytes certificate, Bytes privateKey);

  std::array<std::uint8_t, 32> sha256Fingerprint() const;  // RFC 8122 §5: over the DER form
  ByteVector certificateDer() const;
  ByteVector privateKeyDer() const;

  evp_pkey_st* key() const { return key_.get(); }
  x509_st* x509() const { return x509_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
    void operator()(x509_st* certificate) const;
  };
  std::unique_ptr<evp_pkey_st, Free> key_;
  std::unique_ptr<x509_st, Free> x509_;
};

}  // namespace crosspoint::crypto
