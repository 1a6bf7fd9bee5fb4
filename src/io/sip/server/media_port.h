// Two UDP sockets on the SIP thread, an even port for RTP and the next one for RTCP (RFC 3550 §11).
#pragma once
#include <functional>
#include <memory>

#include "base/address.h"
#include "base/bytes.h"
#include "io/loop/file_descriptor.h"
#include "io/sip/sofia.h"

namespace crosspoint::sip {

enum class MediaSocket : std::uint8_t { Rtp, Rtcp };

class MediaPort {
 public:
  // The datagram may be changed. The port must live until the call returns.
  using Receive = std::function<void(MediaSocket socket, MutableBytes datagram, const SocketAddress& source)>;

  // Nothing if the system has no pair of ports or no descriptors left.
  static std::unique_ptr<MediaPort> open(su_root_t* root, const IpAddress& address, Receive receive);
  ~MediaPort();
  MediaPort(const MediaPort&) = delete;
  MediaPort& operator=(const MediaPort&) = delete;

  std::uint16_t rtpPort() const { return rtpPort_; }
  void send(MediaSocket socket, const SocketAddress& to, Bytes datagram);

 private:
  MediaPort(su_root_t* root, Receive receive) : root_(root), receive_(std::move(receive)) {}
  bool bindPair(const IpAddress& address);
  bool registerBoth();
  void readAll(MediaSocket socket);
  static int rtpReady(void*, su_wait_t*, void* self);
  static int rtcpReady(void*, su_wait_t*, void* self);

  su_root_t* root_;
  Receive receive_;
  loop::FileDescriptor rtp_, rtcp_;
  std::uint16_t rtpPort_ = 0;
  int rtpIndex_ = -1, rtcpIndex_ = -1;
};

}  // namespace crosspoint::sip
