// The packets of one call, between the page's peer and the RTP ports towards SIP, or from the page back to itself.
//
//     page ── SRTP ──► Peer ── RTP ──► [payload type, Rewriter] ──► RTP port ──► SIP
//     page ◄── SRTP ── Peer ◄── RTP ── [payload type, Rewriter] ◄── RTP port ◄── SIP
//
// Each side sees one SSRC per stream with continuous sequence numbers and timestamps for the whole call, whatever
// happens on the other one. RTCP is ended here: each side gets our own reports; key frame requests are passed on.
//
// handleBrowser() and handleSip() are the packet path: they change the datagram in place, do not allocate and do not
// log.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/datagram.h"
#include "base/random.h"
#include "base/time.h"
#include "bridge/bridge.h"
#include "bridge/traffic.h"
#include "core/call/machine.h"
#include "core/rtp/rewriter.h"
#include "core/rtp/rtcp_session.h"
#include "core/rtp/telephone_event.h"
#include "peer/peer.h"

namespace crosspoint::bridge {

class MediaPath {
 public:
  struct SipEnd {  // of one stream
    RtpPortPair ports;
    SocketAddress rtp, rtcp;  // where the far end said it receives; port 0: it did not say, its first packet will
  };
  enum class Shape : std::uint8_t { PageToSip, Mirror };

  // All references must outlive the path.
  MediaPath(Shape shape, peer::Peer& peer, DatagramSink& sink, Random& random, const WallClockAnchor& clock,
            Counters& counters, TimePoint now);

  // What the machine has agreed. Called whenever that may have changed.
  void configure(TimePoint now, const call::Machine& machine, call::Side browser);
  // From now on (or, with nothing, no longer) the stream goes through these ports. A changed address starts latching
  // anew.
  void setSipEnd(std::size_t stream, const std::optional<SipEnd>& end);
  // The early dialog that is listened to now, or that has answered (RFC 3261 §12.1). Stragglers of the one before
  // cannot take the stream over while nothing has come of this one.
  void followBranch(TimePoint now, std::uint32_t branch);
  bool hasSipEnd(std::size_t stream) const { return streams_[stream].end.has_value(); }

  // A datagram on one of the peer's sockets: already decrypted RTP or RTCP.
  void handleBrowserRtp(TimePoint now, Datagram& datagram);
  void handleBrowserRtcp(TimePoint now, const Datagram& datagram);
  // A datagram on one of the stream's ports.
  void handleSip(TimePoint now, std::size_t stream, Datagram& datagram);

  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  // Says RTCP BYE to both sides.
  void close(TimePoint now);

  std::uint32_t ssrcToPage(std::size_t stream) const { return streams_[stream].toPage.ssrc(); }
  const std::string& cname() const { return cname_; }
  TimePoint lastMediaAt() const { return lastMediaAt_; }  // authentic RTP or RTCP of the page
  const rtp::RtcpSession& browserRtcp() const { return browserRtcp_; }
  const Traffic& fromPage(std::size_t stream) const { return streams_[stream].received; }
  const Traffic& toPage(std::size_t stream) const { return streams_[stream].sent; }
  const Sources& sourcesFromPage(std::size_t stream) const { return streams_[stream].sources; }

 private:
  static constexpr std::uint8_t kNotNegotiated = 0xff;
  struct Format {  // what an incoming payload type means
    std::uint8_t outgoing = kNotNegotiated;
    std::uint8_t stream = 0;
    bool forwarded = false;
    bool media = false;  // telephone-event is none: it keeps to the clock of what it interrupts
    std::uint32_t clockRate = 0;
    std::uint32_t outgoingClockRate = 0;  // differs for telephone-event only
  };
  using Formats = std::array<Format, 128>;

  struct LeftSource {  // of a branch that was followed before
    std::uint32_t branch = 0, ssrc = 0;
  };
  static constexpr std::size_t kLeftSourcesMax = 8;
  static constexpr Duration kStragglersMax = std::chrono::seconds(5);  // then a branch that was left has been ended

  struct Stream {
    rtp::Rewriter toSip, toPage;
    rtp::EventStarts events;  // towards SIP
    std::optional<SipEnd> end;
    SocketAddress target, rtcpTarget;              // where we send now: announced, or latched
    std::optional<std::uint32_t> sipSsrc;          // of what was accepted last
    std::vector<LeftSource> left;                  // the oldest makes room
    std::uint32_t toSipRate = 0, toPageRate = 0;   // Hz, of what was sent last
    bool flowsToPage = false, flowsToSip = false;  // agreed, and not on hold
    Traffic received, sent;                        // from and to the page
    Sources sources;                               // of `received`
    std::unique_ptr<rtp::RtcpSession> sipRtcp;
    Formats fromSip;
  };

  bool straggles(TimePoint now, const Stream&, std::uint32_t ssrc) const;
  bool latch(TimePoint now, Stream&, const Datagram&, std::uint32_t ssrc);
  bool latchRtcp(Stream&, const Datagram&);
  void sendToPage(TimePoint now, Stream&, Datagram&, MutableBytes packet, const Format&);
  void sendToSip(TimePoint now, Stream&, Datagram&, MutableBytes packet, const Format&);
  void sendEventStart(TimePoint now, Stream&, Bytes end, const Format&);
  void setRateToPage(Stream&, std::uint32_t clockRate);
  void setRateToSip(Stream&, std::uint32_t clockRate);
  void countRtcpFromPage(Bytes compound);
  void drainBrowserRtcp(TimePoint now);
  void drainSipRtcp(TimePoint now, Stream&);
  rtp::RtcpSession::Config rtcpConfig(std::uint32_t ssrc) const;

  const Shape shape_;
  peer::Peer& peer_;
  DatagramSink& sink_;
  Random& random_;
  WallClockAnchor clock_;
  Counters& counters_;
  std::string cname_;
  std::array<Stream, call::kStreams> streams_;
  rtp::RtcpSession browserRtcp_;
  Formats fromPage_;
  TimePoint lastMediaAt_;
  std::optional<std::uint32_t> branch_;  // followed
  TimePoint stragglersUntil_;
};

}  // namespace crosspoint::bridge
