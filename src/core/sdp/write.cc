// From a SessionDescription to text, in the order of lines that browsers use.
#include "core/sdp/sdp.h"

namespace crosspoint::sdp {
namespace {

class Writer {
 public:
  std::string run(const SessionDescription& description) {
    session(description);
    for (const auto& section : description.sections) {
      mediaLines(section, description.connection);
      transportLines(section);
      if (!section.mid.empty()) line("a=mid:", section.mid);
      streamLines(section);
      codecLines(section);
      ssrcLines(section);
    }
    return std::move(text_);
  }

 private:
  // Values may hold what a stranger wrote: no control character gets through, so a value stays on its line.
  template <typename... Parts>
  void line(const Parts&... parts) {
    (append(parts), ...);
    text_ += "\r\n";
  }
  void append(std::string_view part) {
    for (const char c : part) {
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) text_ += c;
    }
  }
  void append(std::uint64_t number) { text_ += std::to_string(number); }
  void append(const IpAddress& address) {
    text_ += address.isV6() ? "IN IP6 " : "IN IP4 ";
    text_ += address.toString();
  }

  void session(const SessionDescription& description) {
    line("v=0");
    line("o=", description.originUser.empty() ? "-" : description.originUser, " ", description.sessionId, " ",
         description.sessionVersion, " ", description.originAddress);
    line("s=", description.name.empty() ? "-" : description.name);
    if (description.connection) line("c=", *description.connection);
    line("t=0 0");
    for (const auto& mids : description.bundles) {
      std::string joined;
      for (const auto& mid : mids) joined += ' ' + mid;
      line("a=group:BUNDLE", joined);
    }
    if (description.iceLite) line("a=ice-lite");
    if (description.trickle) line("a=ice-options:trickle");
  }

  void mediaLines(const MediaSection& section, const std::optional<IpAddress>& sessionConnection) {
    std::string formats;
    if (section.kind == MediaKind::Other || section.codecs.empty()) {
      for (const auto& format : section.formats) formats += ' ' + format;
    } else {
      for (const auto& codec : section.codecs) formats += ' ' + std::to_string(codec.payloadType);
    }
    // RFC 8866 §5.14: at least one format, even where the section is refused.
    line("m=", section.media, " ", section.port, " ", section.protocol, formats.empty() ? " 0" : formats);
    if (section.connection && section.connection != sessionConnection) line("c=", *section.connection);
    if (section.bandwidthKbps) line("b=AS:", *section.bandwidthKbps);
  }

  void transportLines(const MediaSection& section) {
    if (section.rtcp) line("a=rtcp:", section.rtcp->port, " ", section.rtcp->ip);
    for (const auto& candidate : section.candidates) {
      // A TCP candidate needs a tcptype (RFC 6544 §4.5), and we never have one of our own.
      if (candidate.transport == CandidateTransport::Udp) line("a=", writeCandidate(candidate));
    }
    if (section.endOfCandidates) line("a=end-of-candidates");
    if (section.ice) {
      line("a=ice-ufrag:", section.ice->ufrag);
      line("a=ice-pwd:", section.ice->password);
    }
    for (const auto& print : section.fingerprints) fingerprint(print);
    if (section.setup) line("a=setup:", setupName(*section.setup));
    for (const auto& crypto : section.crypto) {
      line("a=crypto:", crypto.tag, " ", crypto.suite, " ", crypto.keyParameters,
           crypto.sessionParameters.empty() ? "" : " ", crypto.sessionParameters);
    }
  }

  void fingerprint(const Fingerprint& print) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string digest;
    for (const auto byte : print.digest) {
      if (!digest.empty()) digest += ':';
      digest += kDigits[byte >> 4];
      digest += kDigits[byte & 15];
    }
    line("a=fingerprint:", print.algorithm, " ", digest);
  }

  static std::string_view setupName(DtlsSetup setup) {
    return setup == DtlsSetup::ActPass ? "actpass" : setup == DtlsSetup::Active ? "active" : "passive";
  }

  void streamLines(const MediaSection& section) {
    for (const auto& extension : section.extensions) line("a=extmap:", extension.id, " ", extension.uri);
    static constexpr std::string_view kDirections[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
    line("a=", kDirections[static_cast<std::size_t>(section.direction)]);
    if (!section.streamId.empty() || !section.trackId.empty()) {
      line("a=msid:", section.streamId.empty() ? "-" : section.streamId, section.trackId.empty() ? "" : " ",
           section.trackId);
    }
    if (section.bundleOnly) line("a=bundle-only");
    if (section.rtcpMux) line("a=rtcp-mux");
    if (section.rtcpReducedSize) line("a=rtcp-rsize");
  }

  void codecLines(const MediaSection& section) {
    for (const auto& codec : section.codecs) {
      if (codec.channels > 1) {
        line("a=rtpmap:", codec.payloadType, " ", codec.name, "/", codec.clockRate, "/", codec.channels);
      } else {
        line("a=rtpmap:", codec.payloadType, " ", codec.name, "/", codec.clockRate);
      }
      for (const auto& entry : codec.feedback) line("a=rtcp-fb:", codec.payloadType, " ", entry);
      if (!codec.parameters.empty()) line("a=fmtp:", codec.payloadType, " ", codec.parameters);
    }
    if (section.packetTimeMs) line("a=ptime:", *section.packetTimeMs);
    if (section.maxPacketTimeMs) line("a=maxptime:", *section.maxPacketTimeMs);
  }

  void ssrcLines(const MediaSection& section) {
    for (const auto& group : section.ssrcGroups) {
      std::string joined;
      for (const auto ssrc : group.ssrcs) joined += ' ' + std::to_string(ssrc);
      line("a=ssrc-group:", group.semantics, joined);
    }
    for (const auto& source : section.ssrcs) {
      if (!source.cname.empty()) line("a=ssrc:", source.ssrc, " cname:", source.cname);
      if (source.streamId.empty() && source.trackId.empty()) continue;
      line("a=ssrc:", source.ssrc, " msid:", source.streamId.empty() ? "-" : source.streamId,
           source.trackId.empty() ? "" : " ", source.trackId);
    }
  }

  std::string text_;
};

}  // namespace

std::string write(const SessionDescription& description) { return Writer().run(description); }

}  // namespace crosspoint::sdp
