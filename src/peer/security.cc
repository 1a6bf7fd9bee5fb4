#include "peer/security.h"

namespace crosspoint::peer {

void Security::setRemote(TimePoint now, const std::vector<Fingerprint>& fingerprints, DtlsSetup theirs) {
  if (fromSignalling_ || (fingerprints == fingerprints_ && state_ != State::Ended)) return;
  fingerprints_ = fingerprints;
  // RFC 5763 §5: the two ends take opposite roles. RFC 8842 §5.5: the role is decided anew with each DTLS association
  // only.
  if (theirs == DtlsSetup::Active) setup_ = DtlsSetup::Passive;
  if (theirs == DtlsSetup::Passive) setup_ = DtlsSetup::Active;
  if (setup_ == DtlsSetup::ActPass) setup_ = DtlsSetup::Passive;
  session_.reset();
  state_ = State::Waiting;
  reason_ = Reason::None;
  if (pathReady_) expectKeys(now);
}

void Security::setSdesKeys(const SrtpKey& local, const SrtpKey& remote) {
  if (!srtp::Context::isValid(local) || !srtp::Context::isValid(remote)) return end(Reason::DtlsFailed);
  fromSignalling_ = true;
  session_.reset();
  takeKeys(local, remote);
}

void Security::pathIsReady(TimePoint now) {
  pathReady_ = true;
  expectKeys(now);
}

void Security::expectKeys(TimePoint now) {
  if (state_ == State::Keyed || state_ == State::Ended || fingerprints_.empty()) return;
  keysDueAt_ = now + kKeysWithin;
  if (setup_ == DtlsSetup::Active) start(now);
}

bool Security::start(TimePoint now) {
  if (session_ || fromSignalling_ || fingerprints_.empty() || !context_) return session_ != nullptr;
  const auto role = setup_ == DtlsSetup::Active ? dtls::Role::Client : dtls::Role::Server;
  session_ = std::make_unique<dtls::Session>(*context_, role, dtls::Session::Config{}, now);
  session_->setRemoteFingerprints(now, fingerprints_);
  state_ = State::Handshaking;
  return true;
}

void Security::handleDatagram(TimePoint now, Bytes datagram) {
  if (state_ == State::Ended) return;
  if (start(now)) session_->handleDatagram(now, datagram);
}

void Security::close(TimePoint now) {
  if (session_) session_->close(now);
  send_.reset();
  receive_.reset();
}

void Security::handleTimeout(TimePoint now) {
  if (session_) session_->handleTimeout(now);
  if (keysDueAt_ && now >= *keysDueAt_) end(Reason::DtlsFailed);
}

std::optional<TimePoint> Security::nextTimeout() const {
  return session_ ? earlier(session_->nextTimeout(), keysDueAt_) : keysDueAt_;
}

std::optional<ByteVector> Security::pollOutput() {
  while (session_) {
    auto output = session_->pollOutput();
    if (!output) return std::nullopt;
    if (auto* send = std::get_if<dtls::Session::SendDatagram>(&*output)) return std::move(send->bytes);
    if (auto* connected = std::get_if<dtls::Session::Connected>(&*output)) {
      ++handshakes_;
      takeKeys(connected->local, connected->remote);
    } else if (std::holds_alternative<dtls::Session::Closed>(*output)) {
      end(Reason::ClosedByRemote);
    } else if (auto* failed = std::get_if<dtls::Session::Failed>(&*output)) {
      const bool print = failed->reason == dtls::Session::Reason::FingerprintMismatch ||
                         failed->reason == dtls::Session::Reason::NoKnownFingerprint;
      end(print ? Reason::FingerprintMismatch : Reason::DtlsFailed);
    }
  }
  return std::nullopt;
}

void Security::takeKeys(const SrtpKey& local, const SrtpKey& remote) {
  send_.emplace(srtp::Direction::Send, local);
  receive_.emplace(srtp::Direction::Receive, remote);
  state_ = State::Keyed;
  reason_ = Reason::None;
  keysDueAt_.reset();
}

void Security::end(Reason reason) {
  state_ = State::Ended;
  reason_ = reason;
  keysDueAt_.reset();
  send_.reset();
  receive_.reset();
}

}  // namespace crosspoint::peer
