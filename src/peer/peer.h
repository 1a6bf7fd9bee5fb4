// One WebRTC endpoint: one bundled transport with full ICE, DTLS, SRTP and its counters. Knows plain parameters and no
// SDP.
//
//     New ── credentials and a candidate of the far end ──> Connecting ── pair selected, keys agreed ──> Connected
//     Connected ── the agent lost its pair ──> Disconnected ── checks succeed again ──> Connected
//     Connecting, Connected, Disconnected ── no pair works, consent expired, DTLS refused ──> Failed ── ICE restart,
//     new fingerprint ──> Connecting any ── close() ──> Closed
//
// Sans-IO: the owner hands in each event with its time, drains pollOutput() after every call, and calls handleTimeout()
// at nextTimeout(). One thread. Many peers share one UDP socket: `Demultiplexer` says whose a datagram is.
//
//     peer::Peer peer({.iceRole = peer::Role::Controlled, .local = credentials, .sockets = {{socket, address}}, .dtls =
//     ..}, random, now); peer.setRemote(now, {.ice = theirs, .fingerprints = {print}, .setup = DtlsSetup::Active});
//     peer.addRemoteCandidate(now, candidate);
//     if (peer.handleDatagram(now, datagram) == peer::Received::Rtp) ...   // plain RTP is now in `datagram`
//     if (peer.protectRtp(datagram)) sink.forward(datagram);               // ... and goes to the selected pair
//     while (auto output = peer.pollOutput()) ...
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/datagram.h"
#include "base/random.h"
#include "base/time.h"
#include "core/params/transport.h"

namespace crosspoint::dtls {
class Context;
}

namespace crosspoint::peer {

enum class Role : std::uint8_t { Controlling, Controlled };  // RFC 8445 §6.1.1: who offers controls

// A UDP socket of ours that this peer may use. Shared with other peers.
struct LocalSocket {
  SocketId id = kNoSocket;
  SocketAddress address;  // bound address; becomes a host candidate
};

struct Config {
  Role iceRole = Role::Controlled;
  IceCredentials local;                    // made by the caller, who registers the ufrag at the Demultiplexer
  std::vector<LocalSocket> sockets;        // at least one
  std::vector<SocketAddress> stunServers;  // for server-reflexive candidates; none: host candidates only
  DtlsSetup dtls = DtlsSetup::Passive;  // our role: Passive or Active. Passive is cheaper and gives GCM with browsers
  const dtls::Context* context = nullptr;  // certificate and settings shared by the process; must outlive the peer
};

// What the far end says of itself.
struct RemoteParameters {
  IceCredentials ice;
  std::vector<Fingerprint> fingerprints;  // at least one that we can check, else the handshake is refused
  DtlsSetup setup =
      DtlsSetup::Active;  // its role. ActPass leaves ours as configured; equal to ours: we take the other one
  bool iceLite = false;   // then we control, whatever the configuration said (RFC 8445 §6.1.1)
  bool operator==(const RemoteParameters&) const = default;
};

enum class State : std::uint8_t { New, Connecting, Connected, Disconnected, Failed, Closed };
const char* toString(State);

// Why the state became Failed or Closed.
enum class Reason : std::uint8_t {
  None,
  IceFailed,            // no candidate pair works, or the far end's consent expired
  FingerprintMismatch,  // the far end's certificate is not the announced one
  DtlsFailed,           // handshake refused, timed out, or without an SRTP profile that we know
  ClosedByRemote,       // close_notify
  ClosedByUs,
};
const char* toString(Reason);

// Outputs. Acting on one late is harmless.
struct SendDatagram {
  SocketId socket = kNoSocket;
  SocketAddress remote;
  ByteVector bytes;
};
struct CandidateFound {
  Candidate candidate;
};
struct GatheringDone {};
// The far end proved (by an authentic STUN check) that it is at this address: media from it may now arrive. To be
// registered at the Demultiplexer.
struct AddressValidated {
  SocketId socket = kNoSocket;
  SocketAddress remote;
};
struct StateChanged {
  State state = State::New;
  Reason reason = Reason::None;
};
struct SelectedPairChanged {
  SocketId socket = kNoSocket;
  SocketAddress remote;
};
using Output =
    std::variant<SendDatagram, CandidateFound, GatheringDone, AddressValidated, StateChanged, SelectedPairChanged>;

enum class Received : std::uint8_t {
  Control,  // STUN or DTLS, taken
  Rtp,      // authentic and plain now: `datagram.size` has shrunk
  Rtcp,     // likewise, a compound packet
  Dropped,  // counted
};

// Totals since the peer was made. Bytes are those of the datagrams on the wire, without IP and UDP headers.
struct Counters {
  std::uint64_t rtpReceived = 0, rtpBytesReceived = 0, rtcpReceived = 0;
  std::uint64_t rtpSent = 0, rtpBytesSent = 0, rtcpSent = 0;
  std::uint64_t controlReceived = 0, controlSent = 0;
  std::uint64_t droppedUnknownKind = 0;   // neither STUN, DTLS nor SRTP (RFC 7983)
  std::uint64_t droppedNotValidated = 0;  // DTLS or SRTP from an address pair that ICE has not validated
  std::uint64_t droppedWithoutKeys = 0;   // SRTP before DTLS has ended
  std::uint64_t droppedNotAuthentic = 0;  // SRTP whose tag is wrong
  std::uint64_t droppedReplayed = 0;      // SRTP seen before, or too old to tell
  std::uint64_t droppedMalformed = 0;     // SRTP that is no RTP or RTCP packet, or one stream too many
  std::uint64_t notSent = 0;              // protectRtp or protectRtcp while not connected
  std::uint64_t dtlsHandshakes = 0;       // completed
  std::uint64_t iceRestarts = 0;
};

class Peer {
 public:
  // Gathering starts at once; candidates are outputs. `random` and `config.context` must outlive the peer.
  Peer(const Config& config, Random& random, TimePoint now);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // The far end's parameters, first or again. Other ICE credentials than before: it restarted ICE (RFC 8445 §9); call
  // restartIce for our half, before or after. Other fingerprints: a new DTLS session begins (a browser renewed its peer
  // connection); the old keys stay in use for sending until the new ones are agreed. The same again: nothing happens.
  void setRemote(TimePoint now, const RemoteParameters& remote);
  // Candidates with a host name, of TCP, or of another component than 1 are ignored (RFC 8445 §5.3, RFC 8843 §10).
  void addRemoteCandidate(TimePoint now, const Candidate& candidate);
  void endOfRemoteCandidates(TimePoint now);
  // Our parameters have been sent: giving up on ICE is counted from here (or from the far end's first check), because
  // an answer may follow an offer by minutes.
  void localDescriptionSent(TimePoint now);
  // New credentials of ours; gathering starts again. Media goes on over the old pair until a new one is selected.
  void restartIce(TimePoint now, const IceCredentials& newLocal);
  // Keys from signalling (RFC 4568) in place of DTLS: to be called before setRemote, whose fingerprints are then
  // ignored.
  void setSdesKeys(TimePoint now, const SrtpKey& local, const SrtpKey& remote);
  // Sends close_notify. Nothing else is sent or taken afterwards.
  void close(TimePoint now);

  // One datagram that the Demultiplexer gave this peer. Media is changed in place; nothing is allocated for media.
  Received handleDatagram(TimePoint now, Datagram& datagram);
  // A plain packet in its buffer becomes a protected one, addressed to the selected pair. False (and counted) when not
  // connected, when it is no RTP or RTCP packet, or when `capacity` leaves no room for the tag (24 bytes). Nothing is
  // allocated but for a stream's first packet.
  bool protectRtp(Datagram& datagram);
  bool protectRtcp(Datagram& datagram);

  void handleTimeout(TimePoint now);  // harmless early or late
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();

  State state() const;
  Reason reason() const;
  bool gathered() const;
  std::vector<Candidate> localCandidates() const;
  const IceCredentials& localCredentials() const;
  DtlsSetup dtlsSetup() const;  // our role: what to tell the far end
  bool canSend() const;         // a pair is selected and keys are agreed
  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::peer
