#include "bridge/browser_leg.h"

#include "core/dtls/context.h"
#include "core/sdp/sdp.h"

namespace crosspoint::bridge {
namespace {

constexpr std::size_t kCandidatesMax = 64;  // of one description; further ones are not looked at

peer::Config peerConfig(const Config& config, const Dependencies& dependencies, bool weOffer, IceCredentials local) {
  peer::Config result{.iceRole = weOffer ? peer::Role::Controlling : peer::Role::Controlled,
                      .local = std::move(local),
                      .stunServers = config.stunServers,
                      .dtls = DtlsSetup::Passive,
                      .context = &dependencies.dtls};
  for (const auto& socket : config.iceSockets) result.sockets.push_back({socket.socket, socket.address});
  return result;
}

}  // namespace

IceCredentials BrowserLeg::makeCredentials() const {
  // RFC 8445 §5.3 asks for 24 and 128 bits. The ufrag alone finds the peer on a shared socket, so it is longer.
  return {dependencies_.random.alphanumeric(8), dependencies_.random.alphanumeric(24)};
}

BrowserLeg::BrowserLeg(const Config& config, const Dependencies& dependencies, bool weOffer, TimePoint now)
    : dependencies_(dependencies),
      newPeerConnections_(config.newPeerConnections),
      peer_(peerConfig(config, dependencies, weOffer, makeCredentials()), dependencies.random, now),
      sessionId_(dependencies.random.next<std::uint32_t>()) {}

std::expected<call::Media, std::string> BrowserLeg::read(TimePoint now, bool offer, std::string_view text,
                                                         std::span<const std::string> candidates) {
  const auto description = sdp::parse(text);
  if (!description)
    return std::unexpected("SDP line " + std::to_string(description.error().line) + ": " + description.error().message);
  const MediaSection* transport = nullptr;
  for (const auto& section : description->sections) {
    if (!section.refused() && section.kind != MediaKind::Other) {
      transport = &section;
      break;
    }
  }
  if (transport == nullptr) return std::unexpected("the SDP has no audio or video section that is in use");
  if (!transport->ice) return std::unexpected("the SDP has no ICE credentials");
  if (transport->fingerprints.empty()) return std::unexpected("the SDP has no DTLS fingerprint");

  peer::RemoteParameters remote{.ice = *transport->ice,
                                .fingerprints = transport->fingerprints,
                                .setup = transport->setup.value_or(offer ? DtlsSetup::ActPass : DtlsSetup::Active)};
  renewedInVain_ = false;
  if (remote_ && !newPeerConnections_) {
    renewedInVain_ = remote.fingerprints != remote_->fingerprints;
    remote.fingerprints = remote_->fingerprints;
    remote.setup = remote_->setup;
  }
  // RFC 8445 §9: an offer with other credentials restarts ICE, and the answer has to have new ones too.
  if (offer && remote_ && remote_->ice != remote.ice) peer_.restartIce(now, makeCredentials());
  if (remote_ != remote) {
    remote_ = remote;
    peer_.setRemote(now, remote);
  }
  std::size_t count = 0;
  for (const auto& section : description->sections) {
    for (const auto& candidate : section.candidates) {
      if (++count <= kCandidatesMax) peer_.addRemoteCandidate(now, candidate);
    }
  }
  for (const auto& line : candidates) {
    if (++count > kCandidatesMax) break;
    if (const auto candidate = sdp::parseCandidate(line)) peer_.addRemoteCandidate(now, *candidate);
  }
  peer_.endOfRemoteCandidates(now);
  if (offer) sectionsBefore_ = sections_;
  return sections_.read(*description, offer);
}

std::string BrowserLeg::write(TimePoint now, bool offer, const call::Media& media,
                              const std::array<SentStream, call::kStreams>& sent) {
  SessionDescription description;
  description.sessionId = sessionId_;
  description.sessionVersion = ++sessionVersion_;
  description.originAddress = IpAddress::v4(0x7f000001);  // RFC 8829 §5.2.1 leaves it open; browsers do the same
  description.sections = sections_.write(media, offer, "UDP/TLS/RTP/SAVPF");
  const auto candidates = peer_.localCandidates();
  std::vector<std::string> bundle;
  for (std::size_t i = 0; i < description.sections.size(); ++i) {
    MediaSection& section = description.sections[i];
    section.connection = IpAddress();
    if (section.port == 0) continue;
    if (!section.mid.empty()) bundle.push_back(section.mid);
    if (!candidates.empty()) {
      section.connection = candidates.front().address.ip;
      section.port = candidates.front().address.port;
    }
    section.rtcpMux = true;
    section.ice = peer_.localCredentials();
    section.candidates = candidates;
    section.endOfCandidates = true;
    section.fingerprints = {dependencies_.dtls.fingerprint()};
    section.setup = offer ? DtlsSetup::ActPass : peer_.dtlsSetup();
    const auto stream = sections_.streamOf(i);
    if (!stream) continue;
    announced_[*stream] |= sends(section.direction);
    if (announced_[*stream]) {
      section.streamId = sent[*stream].cname;
      section.trackId = sent[*stream].cname + (section.kind == MediaKind::Audio ? "a" : "v");
      section.ssrcs = {{.ssrc = sent[*stream].ssrc, .cname = sent[*stream].cname}};
    }
  }
  if (!bundle.empty()) description.bundles = {bundle};
  peer_.localDescriptionSent(now);
  return sdp::write(description);
}

}  // namespace crosspoint::bridge
