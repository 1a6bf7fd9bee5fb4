// What all DTLS sessions of a process share: the certificate, and OpenSSL's configuration for DTLS-SRTP (RFC 5763,
// 5764, 8827).
//
// DTLS 1.2 only; AEAD_AES_128_GCM before AES_CM_128_HMAC_SHA1_80; X25519 before P-256; extended master secret; no
// renegotiation, no resumption, no cookie (ICE has validated the address, and browsers' ClientHello comes in
// fragments). OpenSSL draws its own randomness. docs/protocols/dtls.md says why and what follows.
#pragma once
#include <memory>
#include <span>

#include "core/params/transport.h"
#include "crypto/certificate.h"

struct ssl_ctx_st;

namespace crosspoint::dtls {

// Immutable after construction; any thread may make sessions from it. Must outlive none of them (OpenSSL counts
// references).
class Context {
 public:
  // In order of preference.
  static constexpr SrtpProfile kDefaultProfiles[] = {SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmSha1_80};
  explicit Context(const crypto::Certificate& certificate, std::span<const SrtpProfile> profiles = kDefaultProfiles);

  const Fingerprint& fingerprint() const { return fingerprint_; }  // "sha-256", to be signalled
  ssl_ctx_st* native() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
  Fingerprint fingerprint_;
};

}  // namespace crosspoint::dtls
