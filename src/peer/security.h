// What encrypts one peer's media: the DTLS session that agrees on keys, and the SRTP contexts made of them.
//
//     Waiting ── far end known, and a datagram of it or a pair to send on ──> Handshaking ── finished ──> Keyed
//     any but Waiting ── refused, timed out, close_notify ──> Ended ── another fingerprint ──> Waiting
//     Keyed ── another fingerprint ──> Waiting, with the old keys until the new ones are agreed
//
// A part of Peer, which carries the datagrams and drains pollOutput().
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/datagram.h"
#include "base/time.h"
#include "core/dtls/session.h"
#include "core/params/transport.h"
#include "core/srtp/context.h"
#include "peer/peer.h"

namespace crosspoint::peer {

class Security {
 public:
  enum class State : std::uint8_t { Waiting, Handshaking, Keyed, Ended };
  // From the moment that datagrams can pass: a far end that never begins its handshake must not be waited for for ever.
  static constexpr Duration kKeysWithin = std::chrono::seconds(30);

  // `context` may be null if keys come from signalling.
  Security(const dtls::Context* context, DtlsSetup preferred) : context_(context), setup_(preferred) {}

  // Fingerprints other than the ones before begin a new session; the same ones change nothing unless the session has
  // ended. Ignored with keys from
  // signalling.
  void setRemote(TimePoint now, const std::vector<Fingerprint>& fingerprints, DtlsSetup theirs);
  void setSdesKeys(const SrtpKey& local, const SrtpKey& remote);
  // There is a pair to send on, the first or another one: a client's handshake can begin.
  void pathIsReady(TimePoint now);
  void handleDatagram(TimePoint now, Bytes datagram);
  void close(TimePoint now);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  // A datagram to send.
  std::optional<ByteVector> pollOutput();

  bool keyed() const { return send_.has_value(); }
  State state() const { return state_; }
  Reason reason() const { return reason_; }
  DtlsSetup setup() const { return setup_; }
  std::uint64_t handshakes() const { return handshakes_; }

  srtp::Context* sending() { return send_ ? &*send_ : nullptr; }
  srtp::Context* receiving() { return receive_ ? &*receive_ : nullptr; }

 private:
  bool start(TimePoint now);
  void expectKeys(TimePoint now);
  void end(Reason reason);
  void takeKeys(const SrtpKey& local, const SrtpKey& remote);

  const dtls::Context* context_;
  DtlsSetup setup_;  // ours: decided when the far end's is known
  State state_ = State::Waiting;
  Reason reason_ = Reason::None;
  bool pathReady_ = false;
  bool fromSignalling_ = false;
  std::vector<Fingerprint> fingerprints_;
  std::optional<TimePoint> keysDueAt_;
  std::unique_ptr<dtls::Session> session_;
  std::optional<srtp::Context> send_, receive_;
  std::uint64_t handshakes_ = 0;
};

}  // namespace crosspoint::peer
