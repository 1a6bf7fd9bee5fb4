// OpenSSL configured for DTLS-SRTP.
#include "core/dtls/context.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <stdexcept>
#include <string>

#include "base/check.h"
#include "core/dtls/session.h"

namespace crosspoint::dtls {
namespace {

// RFC 8827 §6.5 asks for the first; the RSA ones are for far ends whose certificate is RSA.
constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-"
    "POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr long kCertificateBytesMax = 16 * 1024;  // of a whole chain; what a stranger can make a handshake hold

// Since 3.2 OpenSSL keeps its retransmission timer where Session cannot set it.
constexpr unsigned long kFirstUnknownVersion = 0x30200000UL;

std::string profileNames(std::span<const SrtpProfile> profiles) {
  std::string names;
  for (SrtpProfile profile : profiles) {
    if (!names.empty()) names += ':';
    names += profile == SrtpProfile::AeadAes128Gcm ? "SRTP_AEAD_AES_128_GCM" : "SRTP_AES128_CM_SHA1_80";
  }
  return names;
}

}  // namespace

void Context::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Context::Context(const crypto::Certificate& certificate, std::span<const SrtpProfile> profiles) {
  if (OpenSSL_version_num() >= kFirstUnknownVersion) {
    throw std::runtime_error(std::string("core/dtls needs OpenSSL 3.0 or 3.1; this is ") +
                             OpenSSL_version(OPENSSL_VERSION));
  }
  context_.reset(SSL_CTX_new(DTLS_method()));
  SSL_CTX* context = context_.get();
  CROSSPOINT_CHECK(context != nullptr);
  CROSSPOINT_CHECK(SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1);
  CROSSPOINT_CHECK(SSL_CTX_use_certificate(context, certificate.x509()) == 1);
  CROSSPOINT_CHECK(SSL_CTX_use_PrivateKey(context, certificate.key()) == 1);
  CROSSPOINT_CHECK(SSL_CTX_set_cipher_list(context, kCiphers) == 1);
  CROSSPOINT_CHECK(SSL_CTX_set1_groups_list(context, kGroups) == 1);
  CROSSPOINT_CHECK(SSL_CTX_set_tlsext_use_srtp(context, profileNames(profiles).c_str()) == 0);  // 0 is success here
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kCertificateBytesMax);
  // The chain is not looked at: RFC 8827 §6.5 trusts the fingerprint that came with the signalling.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &Session::verifyPeer, nullptr);

  const auto digest = certificate.sha256Fingerprint();
  fingerprint_ = {"sha-256", ByteVector(digest.begin(), digest.end())};
}

}  // namespace crosspoint::dtls
