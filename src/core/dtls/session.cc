// Driving OpenSSL through one handshake, told the time.
#include "core/dtls/session.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "core/dtls/transport.h"
#include "crypto/hash.h"

namespace crosspoint::dtls {
namespace {

constexpr char kExporterLabel[] = "EXTRACTOR-dtls_srtp";  // RFC 5764 §4.2
constexpr std::size_t kMasterKeyBytes = 16;
constexpr std::size_t kReadBytes = 2048;  // application data has no meaning here and is dropped
constexpr unsigned kNeverMicroseconds = 3'600'000'000;

std::size_t masterSaltBytes(SrtpProfile profile) { return profile == SrtpProfile::AeadAes128Gcm ? 12 : 14; }

// Strongest first (RFC 8122 §5: the verifier chooses by its own preference).
constexpr std::string_view kHashFunctions[] = {"sha-512", "sha-384", "sha-256", "sha-224", "sha-1"};

std::string takeErrorText() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (!text.empty()) text += "; ";
    text += reason ? reason : "unnamed error";
  }
  return text;
}

}  // namespace

void Session::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Session::Session(const Context& context, Role role, const Config& config, TimePoint now)
    : role_(role),
      config_(config),
      transport_(std::make_unique<Transport>(config.datagramBytesMax)),
      ssl_(SSL_new(context.native())),
      retransmitAfter_(config.retransmitAfter) {
  SSL* ssl = ssl_.get();
  CROSSPOINT_CHECK(ssl != nullptr);
  BIO* bio = transport_->makeBio();
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, this);
  CROSSPOINT_CHECK(DTLS_set_link_mtu(ssl, static_cast<long>(config.datagramBytesMax)) == 1);
  // OpenSSL's own timer never runs out: see Transport::expire().
  DTLS_set_timer_cb(ssl, [](SSL*, unsigned) { return kNeverMicroseconds; });
  if (role == Role::Server) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  advance(now);
}

Session::~Session() = default;

void Session::setRemoteFingerprints(TimePoint now, std::vector<Fingerprint> fingerprints) {
  if (state_ != State::Handshaking) return;
  if (fingerprints.size() > kFingerprintsMax) fingerprints.resize(kFingerprintsMax);
  fingerprints_ = std::move(fingerprints);
  if (SSL_is_init_finished(ssl_.get())) advance(now);
}

void Session::handleDatagram(TimePoint now, Bytes datagram) {
  if (!ssl_ || datagram.empty()) return;
  transport_->incoming = datagram;
  advance(now);
  if (transport_) transport_->incoming = {};
}

void Session::handleTimeout(TimePoint now) {
  if (giveUpAt_ && now >= *giveUpAt_) return fail(Reason::Timeout, "no handshake in time");
  if (!retransmitAt_ || now < *retransmitAt_) return;
  ERR_clear_error();
  SSL_alloc_buffers(ssl_.get());
  transport_->expire();
  const long handled = DTLSv1_handle_timeout(ssl_.get());
  if (handled < 0) return fail(Reason::Timeout, takeErrorText());
  const Duration next = std::min(2 * retransmitAfter_, config_.retransmitAfterMax);
  followTimer(now);
  retransmitAfter_ = next;
  if (retransmitAt_) retransmitAt_ = now + next;
}

std::optional<TimePoint> Session::nextTimeout() const { return earlier(retransmitAt_, giveUpAt_); }

std::optional<Session::Output> Session::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

void Session::close(TimePoint /*now*/) {
  if (!ssl_) return;
  shutDown();
  state_ = State::Closed;
}

// Lets OpenSSL do all it can with what it has.
void Session::advance(TimePoint now) {
  ERR_clear_error();
  if (!SSL_is_init_finished(ssl_.get()) && !handshake()) return;
  followTimer(now);
  if (!SSL_is_init_finished(ssl_.get())) return;
  giveUpAt_.reset();
  if (state_ == State::Handshaking) finish();
  if (ssl_) readRecords();
  if (!ssl_) return;
  followTimer(now);
  SSL_free_buffers(ssl_.get());  // 32 kB that only a record in work needs
}

bool Session::handshake() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return true;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
  fail(refused_.value_or(Reason::Handshake), takeErrorText());
  return false;
}

void Session::readRecords() {
  std::array<std::uint8_t, kReadBytes> dropped;
  int result;
  do {
    result = SSL_read(ssl_.get(), dropped.data(), static_cast<int>(dropped.size()));
  } while (result > 0);
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  if (error == SSL_ERROR_ZERO_RETURN) shutDown();  // answers close_notify with our own
  if (state_ == State::Connected) {
    end(State::Closed, Closed{});
  } else {
    fail(Reason::Handshake, error == SSL_ERROR_ZERO_RETURN ? "closed by the far end" : takeErrorText());
  }
}

// The handshake is done. Without a fingerprint to compare nobody knows with whom, so it waits for one.
void Session::finish() {
  if (fingerprints_.empty()) return;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()), &X509_free);
  if (const auto reason = checkFingerprint(certificate.get())) return fail(*reason, "found after the handshake");
  const SRTP_PROTECTION_PROFILE* chosen = SSL_get_selected_srtp_profile(ssl_.get());
  if (!chosen) return fail(Reason::NoSrtpProfile, {});
  state_ = State::Connected;
  push(exportKeys(static_cast<SrtpProfile>(chosen->id)));
}

// RFC 5764 §4.2: client key, server key, client salt, server salt.
Session::Connected Session::exportKeys(SrtpProfile profile) const {
  const std::size_t saltBytes = masterSaltBytes(profile);
  std::array<std::uint8_t, 2 * (kMasterKeyBytes + 14)> material;
  CROSSPOINT_CHECK(SSL_export_keying_material(ssl_.get(), material.data(), 2 * (kMasterKeyBytes + saltBytes),
                                              kExporterLabel, sizeof kExporterLabel - 1, nullptr, 0, 0) == 1);
  const auto keyOf = [&](std::size_t side) {
    const Bytes all(material);
    const Bytes key = all.subspan(side * kMasterKeyBytes, kMasterKeyBytes);
    const Bytes salt = all.subspan(2 * kMasterKeyBytes + side * saltBytes, saltBytes);
    return SrtpKey{profile, ByteVector(key.begin(), key.end()), ByteVector(salt.begin(), salt.end())};
  };
  const std::size_t ours = role_ == Role::Client ? 0 : 1;
  Connected connected{profile, keyOf(ours), keyOf(1 - ours)};
  OPENSSL_cleanse(material.data(), material.size());
  return connected;
}

// What OpenSSL wrote becomes output, and what it did with its timer is done with ours.
void Session::followTimer(TimePoint now) {
  for (ByteVector& datagram : transport_->written) push(SendDatagram{std::move(datagram)});
  transport_->written.clear();
  switch (std::exchange(transport_->timerChange, Transport::TimerChange::None)) {
    case Transport::TimerChange::None:
      return;
    case Transport::TimerChange::Stopped:
      retransmitAt_.reset();
      return;
    case Transport::TimerChange::Started:
      retransmitAfter_ = config_.retransmitAfter;
      retransmitAt_ = now + retransmitAfter_;
      if (!giveUpAt_) giveUpAt_ = now + config_.handshakeTimeMax;
  }
}

// Says close_notify if there is somebody to say it to, and lets go of OpenSSL's part.
void Session::shutDown() {
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_.get())) {
    SSL_alloc_buffers(ssl_.get());  // advance() let them go, and an alert does not look whether they are there
    SSL_shutdown(ssl_.get());
  }
  for (ByteVector& datagram : transport_->written) push(SendDatagram{std::move(datagram)});
  ERR_clear_error();
  ssl_.reset();
  transport_.reset();
  retransmitAt_.reset();
  giveUpAt_.reset();
}

void Session::end(State state, Output output) {
  if (ssl_) shutDown();
  state_ = state;
  outputs_.push_back(std::move(output));
}

void Session::fail(Reason reason, std::string detail) { end(State::Failed, Failed{reason, std::move(detail)}); }

void Session::push(Output output) {
  if (outputs_.size() < kOutputsMax || !std::holds_alternative<SendDatagram>(output))
    outputs_.push_back(std::move(output));
}

std::optional<Session::Reason> Session::checkFingerprint(x509_st* certificate) const {
  CROSSPOINT_CHECK(certificate != nullptr);
  unsigned char* encoded = nullptr;
  const int size = i2d_X509(certificate, &encoded);
  CROSSPOINT_CHECK(size > 0);
  const ByteVector der(encoded, encoded + size);
  OPENSSL_free(encoded);
  for (std::string_view hash : kHashFunctions) {
    const auto named = [&](const Fingerprint& fingerprint) { return fingerprint.algorithm == hash; };
    if (std::ranges::none_of(fingerprints_, named)) continue;
    const auto digest = crypto::digestByName(hash, der);
    const auto fits = [&](const Fingerprint& fingerprint) {
      return named(fingerprint) && fingerprint.digest == digest;
    };
    if (std::ranges::any_of(fingerprints_, fits)) return std::nullopt;
    return Reason::FingerprintMismatch;
  }
  return Reason::NoKnownFingerprint;
}

// Called by OpenSSL in place of checking a chain. With the fingerprint known, a wrong certificate ends the handshake
// here, with an alert; otherwise finish() looks.
int Session::verifyPeer(x509_store_ctx_st* store, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* session = static_cast<Session*>(SSL_get_app_data(ssl));
  if (session->fingerprints_.empty()) return 1;
  session->refused_ = session->checkFingerprint(X509_STORE_CTX_get0_cert(store));
  if (!session->refused_) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

}  // namespace crosspoint::dtls
