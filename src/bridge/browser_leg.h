// The page's side of one call as SDP sees it: its sections and the peer behind them.
#pragma once
#include <array>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "bridge/bridge.h"
#include "bridge/sections.h"
#include "core/call/media.h"
#include "peer/peer.h"

namespace crosspoint::bridge {

// What our description says of the streams that we send.
struct SentStream {
  std::uint32_t ssrc = 0;
  std::string cname;
};

class BrowserLeg {
 public:
  // `weOffer`: the first offer is ours, so that we control ICE. Everything referred to must outlive the leg.
  BrowserLeg(const Config& config, const Dependencies& dependencies, bool weOffer, TimePoint now);

  // The page's description and the candidates that came beside it ("candidate:…" or "a=candidate:…"). A description
  // with new ICE credentials restarts ICE; one with a new fingerprint begins a new DTLS session, unless the
  // configuration expects a page to keep its peer connection: then the first one's is the call's. An error is one
  // sentence.
  std::expected<call::Media, std::string> read(TimePoint now, bool offer, std::string_view text,
                                               std::span<const std::string> candidates);
  // The offer that was read last is refused: its sections are forgotten.
  // What was read last comes from another peer connection, and new-pc-support is off: there will be no media.
  bool renewedInVain() const { return renewedInVain_; }
  void undoOffer() { sections_ = sectionsBefore_; }
  std::string write(TimePoint now, bool offer, const call::Media&, const std::array<SentStream, call::kStreams>& sent);

  peer::Peer& peer() { return peer_; }
  const peer::Peer& peer() const { return peer_; }

 private:
  IceCredentials makeCredentials() const;

  const Dependencies& dependencies_;
  const bool newPeerConnections_;
  bool renewedInVain_ = false;
  peer::Peer peer_;
  Sections sections_{Sections::Further::SameStream};
  Sections sectionsBefore_{Sections::Further::SameStream};  // the last offer
  std::optional<peer::RemoteParameters> remote_;
  std::uint64_t sessionId_;
  std::uint64_t sessionVersion_ = 0;
  // A source once announced stays announced through a hold, as browsers do it: Chromium (seen in version 156) takes one
  // that comes back on the same connection for a new one, and plays silence.
  std::array<bool, call::kStreams> announced_{};
};

}  // namespace crosspoint::bridge
