// A session description as plain values (what SDP says, RFC 8866, 8829, 8839, 8842, 8843): the only thing core/sdp
// gives and takes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/params/media.h"
#include "core/params/transport.h"

namespace crosspoint {

struct SsrcDescription {
  std::uint32_t ssrc = 0;
  std::string cname;
  std::string streamId, trackId;  // msid, either may be empty
  bool operator==(const SsrcDescription&) const = default;
};

struct SsrcGroup {        // RFC 5576 §4.2
  std::string semantics;  // "FID": media and its retransmission
  std::vector<std::uint32_t> ssrcs;
  bool operator==(const SsrcGroup&) const = default;
};

struct SdesCrypto {  // RFC 4568
  std::uint32_t tag = 1;
  std::string suite;
  std::string keyParameters;      // "inline:…"
  std::string sessionParameters;  // what follows, as written; not empty: refuse what is not understood (RFC 4568 §6.3)
  bool operator==(const SdesCrypto&) const = default;
};

struct MediaSection {
  MediaKind kind = MediaKind::Audio;
  std::string media = "audio";  // the m-line's first word; decides `kind` (Other where the protocol is not RTP)
  std::string protocol = "RTP/AVP";
  std::uint16_t port = 9;            // 0 with !bundleOnly: refused
  std::vector<std::string> formats;  // the m-line's formats as written, only where `codecs` is empty
  std::vector<Codec>
      codecs;  // in order of preference; formats without an rtpmap and without a static meaning are left out
  Direction direction = Direction::SendRecv;
  std::string mid;
  bool bundleOnly = false;
  std::optional<IpAddress> connection;  // c= of this section, or of the session
  std::optional<SocketAddress> rtcp;    // a=rtcp
  bool rtcpMux = false;
  bool rtcpReducedSize = false;
  std::optional<std::uint32_t> bandwidthKbps;    // b=AS
  std::optional<std::uint32_t> packetTimeMs;     // a=ptime
  std::optional<std::uint32_t> maxPacketTimeMs;  // a=maxptime
  std::vector<HeaderExtension> extensions;

  std::optional<IceCredentials> ice;  // of this section, or of the session
  std::vector<Candidate> candidates;
  bool endOfCandidates = false;
  std::vector<Fingerprint> fingerprints;  // of this section, or of the session
  std::optional<DtlsSetup> setup;
  std::vector<SdesCrypto> crypto;

  std::string streamId, trackId;  // a=msid; both empty: no such line
  std::vector<SsrcDescription> ssrcs;
  std::vector<SsrcGroup> ssrcGroups;

  bool refused() const { return port == 0 && !bundleOnly; }
  bool operator==(const MediaSection&) const = default;
};

struct SessionDescription {
  std::string originUser = "-";
  std::uint64_t sessionId = 0;
  std::uint64_t sessionVersion = 0;
  IpAddress originAddress;
  std::string name = "-";
  std::optional<IpAddress> connection;
  std::vector<std::vector<std::string>> bundles;  // a=group:BUNDLE, by mid
  bool iceLite = false;
  bool trickle = false;  // a=ice-options:trickle
  std::vector<MediaSection> sections;
  bool operator==(const SessionDescription&) const = default;
};

}  // namespace crosspoint
