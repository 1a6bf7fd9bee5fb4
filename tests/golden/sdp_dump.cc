#include "tests/golden/sdp_dump.h"

#include <sstream>

namespace crosspoint::test {
namespace {

const char* name(Direction direction) {
  static constexpr const char* kNames[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
  return kNames[static_cast<std::size_t>(direction)];
}
const char* name(MediaKind kind) {
  return kind == MediaKind::Audio ? "audio" : kind == MediaKind::Video ? "video" : "other";
}
const char* name(CandidateType type) {
  static constexpr const char* kNames[] = {"host", "server-reflexive", "peer-reflexive", "relayed"};
  return kNames[static_cast<std::size_t>(type)];
}
const char* name(DtlsSetup setup) {
  return setup == DtlsSetup::ActPass ? "actpass" : setup == DtlsSetup::Active ? "active" : "passive";
}

void dumpCandidate(std::ostream& out, const Candidate& candidate) {
  out << "  candidate " << name(candidate.type) << ' '
      << (candidate.transport == CandidateTransport::Udp ? "udp " : "tcp ")
      << (candidate.hostName.empty() ? candidate.address.toString()
                                     : candidate.hostName + " port " + std::to_string(candidate.address.port))
      << " component " << candidate.component << " priority " << candidate.priority << " foundation "
      << candidate.foundation;
  if (candidate.related) out << " related " << candidate.related->toString();
  out << '\n';
}

void dumpTransport(std::ostream& out, const MediaSection& section) {
  if (section.connection) out << "  connection " << section.connection->toString() << '\n';
  if (section.rtcp) out << "  rtcp " << section.rtcp->toString() << '\n';
  if (section.rtcpMux) out << "  rtcp-mux\n";
  if (section.rtcpReducedSize) out << "  rtcp-reduced-size\n";
  if (section.ice) out << "  ice " << section.ice->ufrag << " / " << section.ice->password << '\n';
  for (const auto& candidate : section.candidates) dumpCandidate(out, candidate);
  if (section.endOfCandidates) out << "  end-of-candidates\n";
  for (const auto& print : section.fingerprints) {
    out << "  fingerprint " << print.algorithm << ' ' << std::hex;
    for (const auto byte : print.digest) out << (byte < 16 ? "0" : "") << unsigned{byte};
    out << std::dec << '\n';
  }
  if (section.setup) out << "  setup " << name(*section.setup) << '\n';
  for (const auto& crypto : section.crypto) {
    out << "  crypto " << crypto.tag << ' ' << crypto.suite << ' ' << crypto.keyParameters << " ["
        << crypto.sessionParameters << "]\n";
  }
}

void dumpMedia(std::ostream& out, const MediaSection& section) {
  for (const auto& format : section.formats) out << "  format " << format << '\n';
  for (const auto& codec : section.codecs) {
    out << "  codec " << unsigned{codec.payloadType} << ' ' << codec.name << ' ' << codec.clockRate << " Hz x"
        << unsigned{codec.channels};
    if (!codec.parameters.empty()) out << " parameters [" << codec.parameters << ']';
    for (const auto& entry : codec.feedback) out << " feedback [" << entry << ']';
    out << '\n';
  }
  if (section.bandwidthKbps) out << "  bandwidth " << *section.bandwidthKbps << " kbit/s\n";
  if (section.packetTimeMs) out << "  packet time " << *section.packetTimeMs << " ms\n";
  if (section.maxPacketTimeMs) out << "  longest packet time " << *section.maxPacketTimeMs << " ms\n";
  for (const auto& extension : section.extensions) {
    out << "  extension " << unsigned{extension.id} << ' ' << extension.uri << '\n';
  }
  if (!section.streamId.empty() || !section.trackId.empty()) {
    out << "  stream [" << section.streamId << "] track [" << section.trackId << "]\n";
  }
  for (const auto& source : section.ssrcs) {
    out << "  ssrc " << source.ssrc << " cname [" << source.cname << "] stream [" << source.streamId << "] track ["
        << source.trackId << "]\n";
  }
  for (const auto& group : section.ssrcGroups) {
    out << "  ssrc group " << group.semantics;
    for (const auto ssrc : group.ssrcs) out << ' ' << ssrc;
    out << '\n';
  }
}

}  // namespace

std::string dump(const SessionDescription& description) {
  std::ostringstream out;
  out << "origin " << description.originUser << ' ' << description.sessionId << ' ' << description.sessionVersion << ' '
      << description.originAddress.toString() << "\nname " << description.name << '\n';
  if (description.connection) out << "connection " << description.connection->toString() << '\n';
  for (const auto& mids : description.bundles) {
    out << "bundle";
    for (const auto& mid : mids) out << ' ' << mid;
    out << '\n';
  }
  if (description.iceLite) out << "ice-lite\n";
  if (description.trickle) out << "trickle\n";
  for (const auto& section : description.sections) {
    out << "section " << name(section.kind) << " (" << section.media << ") mid [" << section.mid << "] port "
        << section.port << ' ' << section.protocol << ' ' << name(section.direction)
        << (section.bundleOnly ? " bundle-only" : "") << (section.refused() ? " refused" : "") << '\n';
    dumpTransport(out, section);
    dumpMedia(out, section);
  }
  return out.str();
}

}  // namespace crosspoint::test
