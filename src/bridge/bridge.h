// All sessions and calls of one worker as one sans-IO machine.
//
//     HTTP requests ──► sessions ──► calls ──► SIP user agent ──► SIP messages
//     datagrams     ──► peers and RTP ports ◄──► (media path) ──► datagrams
//
// Deterministic: everything it knows of the world comes in through the handle functions and the dependencies. Not
// thread-safe: one thread calls it. After any handle function: drain pollOutput() and look at nextTimeout() again.
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/datagram.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "bridge/page.h"
#include "core/sip/message.h"

namespace crosspoint::dtls {
class Context;
}

namespace crosspoint::bridge {

// An even RTP port and the odd RTCP port above it, bound towards SIP.
struct RtpPortPair {
  SocketId rtp = kNoSocket;
  SocketId rtcp = kNoSocket;
  SocketAddress rtpAddress;  // what is announced in SDP
  SocketAddress rtcpAddress;
};

// Where RTP ports come from. Called on the bridge's thread.
class RtpPorts {
 public:
  virtual ~RtpPorts() = default;
  virtual std::optional<RtpPortPair> open() = 0;  // nothing: all taken
  virtual void close(const RtpPortPair&) = 0;
};

struct IceSocket {
  SocketId socket = kNoSocket;
  SocketAddress address;  // as a host candidate
};

struct Config {
  unsigned worker = 0;                // 0 .. 255, the first characters of every SSID: see workerOfSsid()
  std::vector<IceSocket> iceSockets;  // shared by all browser connections of this worker
  std::vector<SocketAddress> stunServers;

  std::string sipServer;       // "sip:host:port;transport=udp"; every call and REGISTER goes there
  std::string sipDomain;       // what stands behind @ in From and To; empty: the server's host and port
  std::string sipContactHost;  // where the SIP server reaches us
  std::uint16_t sipContactPort = 0;
  std::string sipOutboundProxy;    // like sipServer; empty: sipServer itself
  Duration sipOptionsInterval{0};  // OPTIONS to the server; 0: none
  bool sipFollowRedirects = true;  // of 3xx, by way of the same server
  Duration registerExpires = std::chrono::seconds(300);
  bool passwordsChecked = false;  // a DN whose REGISTER was taken without a challenge is refused: nobody has checked it
  std::chrono::seconds sessionExpires{1800}, minSe{90};  // session timers (RFC 4028); 0: none are asked for
  std::string attachedDataHeader = "X-Attached-Data";    // of INVITE and its 200: see attached_data.h

  bool newPeerConnections = true;  // a page may renew its peer connection in a call
  bool earlyMedia = false;         // clients in the field get their ANSWER at 183 instead of at 200
  Duration noAnswerMax = std::chrono::seconds(180);
  Duration sessionTimeout =
      std::chrono::seconds(60);                  // a session that has not polled, and has no call whose media flows
  Duration pollHold = std::chrono::seconds(25);  // then an open poll gets an empty reply
  WallClockAnchor wallClock;

  std::size_t sessionsMax = 50'000;
  std::size_t callsMax = 5'000;
};

struct Dependencies {
  Random& random;
  Log& log;
  RtpPorts& ports;
  DatagramSink& datagrams;    // what the bridge sends outside of a batch goes here too
  const dtls::Context& dtls;  // one certificate for the process
};

// Totals since the start, but for the gauges. Summed over workers when read.
struct Counters {
  std::uint64_t sessions = 0, calls = 0;   // gauges: now
  std::uint64_t sipServerUnreachable = 0;  // gauge: workers that the SIP server does not answer
  std::uint64_t signIns = 0, signInsRefused = 0, sessionsExpired = 0;
  std::uint64_t callsStarted = 0, callsAnswered = 0, callsEnded = 0, callsFailed = 0;
  std::uint64_t packetsFromBrowser = 0, packetsToBrowser = 0, packetsFromSip = 0, packetsToSip = 0;
  std::uint64_t packetsDropped = 0;  // unknown flow, not authentic, not negotiated, or on hold
  std::uint64_t badMessages = 0;     // bodies that were no message, JSON or SDP
  std::uint64_t limitsReached = 0;
};

using Output = std::variant<PageReply, sip::Outgoing>;

class Bridge {
 public:
  // All dependencies must outlive the bridge.
  Bridge(const Config&, const Dependencies&, TimePoint now);
  ~Bridge();

  void handlePage(TimePoint now, PageRequest&&);
  // The client went away before its reply was written, or writing it failed: what was in it goes back to the queue's
  // head.
  void handlePageClosed(TimePoint now, RequestId);
  void handlePageDelivered(TimePoint now, RequestId);  // the reply was written
  void handleSip(TimePoint now, sip::Incoming&&);
  // Media and ICE/DTLS. Buffers are changed in place and given to DatagramSink::forward: flush it before they are used
  // again.
  void handleDatagrams(TimePoint now, std::span<Datagram>);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();

  // Ends every call and registration. Done when idle(), or when the caller's patience is.
  void shutdown(TimePoint now);
  bool idle() const;

  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Which worker a session belongs to, from its SSID; nothing if it cannot be one of ours.
std::optional<unsigned> workerOfSsid(std::string_view ssid);
// The worker for a DN, so that a request from SIP finds the session's worker by its request URI's user.
unsigned workerOfUser(std::string_view user, unsigned workers);

}  // namespace crosspoint::bridge
