// The SIP side of one call as SDP sees it: its sections, its RTP ports, and where the far end wants its media.
#pragma once
#include <array>
#include <expected>
#include <optional>
#include <string>

#include "base/random.h"
#include "bridge/bridge.h"
#include "bridge/sections.h"
#include "core/call/media.h"

namespace crosspoint::bridge {

class SipLeg {
 public:
  // `ports` must outlive the leg; what the leg opened is closed with it.
  SipLeg(RtpPorts& ports, Random& random);
  ~SipLeg();
  SipLeg(const SipLeg&) = delete;
  SipLeg& operator=(const SipLeg&) = delete;

  // Our offer or answer as text, the same as before where nothing has changed. Opens ports for streams that have none
  // yet; nothing if none are left.
  std::optional<std::string> write(const call::Media&, bool offer);
  // The text of the last write() was not sent after all: its version is the next one's.
  void withdraw();
  // The far end's. An error is one sentence, and nothing has changed.
  std::expected<call::Media, std::string> read(bool offer, std::string_view text);
  // The offer that was read last is refused or withdrawn: what it changed is undone.
  void undoOffer();
  // The answer that was read last cannot be used: what it changed is undone.
  void undoAnswer();

  const std::optional<RtpPortPair>& ports(std::size_t stream) const { return ports_[stream]; }
  // Where the far end said it receives; nothing while the stream is refused or has no address.
  const std::optional<SocketAddress>& announcedRtp(std::size_t stream) const { return said_.announced[stream].rtp; }
  const std::optional<SocketAddress>& announcedRtcp(std::size_t stream) const { return said_.announced[stream].rtcp; }

 private:
  struct Announced {
    std::optional<SocketAddress> rtp, rtcp;
  };
  // What the far end's descriptions have settled.
  struct Said {
    Sections sections{Sections::Further::Refused};
    std::array<Announced, call::kStreams> announced;
  };
  RtpPorts& portSource_;
  std::uint64_t sessionId_;
  std::uint64_t sessionVersion_ = 0;
  std::string lastText_, textBefore_;  // of the last write(), and before it
  std::array<std::optional<RtpPortPair>, call::kStreams> ports_;
  Said said_, beforeOffer_, beforeAnswer_;
};

}  // namespace crosspoint::bridge
