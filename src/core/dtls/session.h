// One DTLS-SRTP handshake and what comes after it, over datagrams that the owner carries (RFC 5764, RFC 6347).
//
//     Handshaking ── finished, fingerprint known and right ──> Connected ── close_notify ──> Closed
//          │                                                                                    ▲
//          ├── wrong fingerprint, alert, no SRTP profile, 30 s ──> Failed                       │
//          └── close() ─────────────────────────────────────────────────────────────────────────┘
//
//     dtls::Session session(context, dtls::Role::Client, {}, now);      // a client's first flight is ready at once
//     session.setRemoteFingerprints(now, answer.fingerprints);
//     session.handleDatagram(now, bytes);
//     while (auto output = session.pollOutput()) ...
//
// Sans-IO: OpenSSL's own clock decides nothing. Feed it to the end of the call: a lost last flight is sent again only
// when the far end's repetition comes in. A server session may be made, and its handshake run, before the answer with
// the fingerprint is there; keys are handed out only once a fingerprint is set and fits the certificate. Datagrams are
// processed as they come, none is kept, so a stranger cannot make it store more than OpenSSL's own bound for handshake
// messages out of order.
//
// The owner hands in only datagrams that came over an address pair that ICE has validated.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "core/dtls/context.h"
#include "core/params/transport.h"

struct ssl_st;
struct x509_store_ctx_st;

namespace crosspoint::dtls {

class Transport;  // OpenSSL's side of the datagrams

enum class Role : std::uint8_t { Client, Server };

class Session {
 public:
  struct Config {
    std::size_t datagramBytesMax = 1200;                        // of what we send
    Duration retransmitAfter = std::chrono::milliseconds(100);  // first time, then doubled
    Duration retransmitAfterMax = std::chrono::seconds(3);
    Duration handshakeTimeMax = std::chrono::seconds(30);  // from our first flight on
  };
  enum class State : std::uint8_t { Handshaking, Connected, Closed, Failed };
  enum class Reason : std::uint8_t {
    FingerprintMismatch,  // the far end's certificate is not the one that signalling named
    NoKnownFingerprint,   // signalling named only hash functions that we do not accept
    NoSrtpProfile,        // the far end does not speak use_srtp, or none of our profiles
    Handshake,            // refused by either side; `detail` says how
    Timeout,
  };
  struct SendDatagram {
    ByteVector bytes;
  };
  struct Connected {
    SrtpProfile profile;
    SrtpKey local;   // for what we send
    SrtpKey remote;  // for what we receive
  };
  struct Closed {};  // the far end sent close_notify
  struct Failed {
    Reason reason;
    std::string detail;  // for a log, never for a decision
  };
  using Output = std::variant<SendDatagram, Connected, Closed, Failed>;
  static constexpr std::size_t kOutputsMax =
      64;  // a flight is at most about ten; datagrams beyond this are dropped as if lost
  static constexpr std::size_t kFingerprintsMax = 16;  // more than this from one description are not looked at

  Session(const Context& context, Role role, const Config& config, TimePoint now);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // RFC 8122 §5: of the strongest hash function that we know among them, one must fit. A later call replaces them,
  // until connected.
  void setRemoteFingerprints(TimePoint now, std::vector<Fingerprint> fingerprints);
  void handleDatagram(TimePoint now, Bytes datagram);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();
  // Sends close_notify if there is a session to close. No Closed follows.
  void close(TimePoint now);

  State state() const { return state_; }
  Role role() const { return role_; }

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  friend class Context;  // installs verifyPeer()
  static int verifyPeer(x509_store_ctx_st* store, void*);

  void advance(TimePoint now);
  bool handshake();
  void readRecords();
  void finish();
  Connected exportKeys(SrtpProfile profile) const;
  void followTimer(TimePoint now);
  void shutDown();
  void end(State state, Output output);
  void fail(Reason reason, std::string detail);
  std::optional<Reason> checkFingerprint(x509_st* certificate) const;
  void push(Output output);

  Role role_;
  Config config_;
  State state_ = State::Handshaking;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ssl_st, Free> ssl_;
  std::vector<Fingerprint> fingerprints_;
  std::deque<Output> outputs_;
  std::optional<Reason> refused_;  // why verifyPeer() said no
  std::optional<TimePoint> retransmitAt_;
  std::optional<TimePoint> giveUpAt_;
  Duration retransmitAfter_;
};

}  // namespace crosspoint::dtls
