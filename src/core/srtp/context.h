// SRTP and SRTCP for one direction of one transport (RFC 3711, RFC 7714), in place.
//
//     srtp::Context out(srtp::Direction::Send, keys.local);
//     if (auto size = out.protect(buffer, packetBytes)) send(buffer.first(*size));
//     srtp::Context in(srtp::Direction::Receive, keys.remote);
//     if (auto size = in.unprotect(datagram)) use(datagram.first(*size)); else count(size.error());
//
// Profiles: AES_CM_128_HMAC_SHA1_80 and AEAD_AES_128_GCM. The session keys depend on the master key alone, so one
// context holds two ciphers for all streams, and a stream is only its position (index and replay window). A stream of a
// stranger's packet is made after the packet was found authentic, so that nobody without the key can make us store
// anything.
//
// Per packet nothing is allocated except for the first of a new SSRC. Not for two threads at once.
// docs/protocols/srtp.md lists what is left out (MKI, key derivation rates, other transforms).
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "core/params/transport.h"
#include "core/srtp/replay_window.h"
#include "core/srtp/transform.h"

namespace crosspoint::srtp {

enum class Direction : std::uint8_t { Send, Receive };

enum class Error : std::uint8_t {
  Malformed,       // not an RTP or RTCP packet, or too short for its tag
  Authentication,  // the tag does not fit
  Replayed,        // seen before, or too old to know. When sending: the sequence number was used already
  NoRoom,          // sending: the buffer is too small for the tag
  TooManyStreams,  // kStreamsMax SSRCs are in use
  Exhausted,       // 2^48 packets or 2^31 RTCP packets: the key must not be used further (RFC 3711 §9.2)
};
using Result = std::expected<std::size_t, Error>;

inline constexpr std::size_t kStreamsMax = 128;
// What protect() adds at most: RFC 7714 tag, and for RTCP the index.
inline constexpr std::size_t kRtpOverheadMax = 16;
inline constexpr std::size_t kRtcpOverheadMax = 20;
// Packets later than this many behind the newest are refused (RFC 3711 §3.3.2 asks for 64 or more).
inline constexpr std::size_t kReplayWindow = 1024;
inline constexpr std::size_t kRtcpReplayWindow = 128;

// A stream's position as plain data, for taking a call up in another process.
struct StreamState {
  std::uint32_t ssrc = 0;
  ReplayWindow<kReplayWindow> rtp;       // 48-bit index: rollover counter and sequence number
  ReplayWindow<kRtcpReplayWindow> rtcp;  // 31-bit index
};

class Context {
 public:
  // True if key and salt have the sizes of the profile (RFC 3711 §8.2, RFC 7714 §12).
  static bool isValid(const SrtpKey& key);
  // `key` must be valid.
  Context(Direction direction, const SrtpKey& key);

  // Sending only. `buffer` holds a packet of `size` bytes and has room behind it. Gives the new size.
  Result protect(MutableBytes buffer, std::size_t size);
  Result protectRtcp(MutableBytes buffer, std::size_t size);
  // Receiving only. Gives the size of the packet that is left at the front; after an error the bytes are undefined.
  Result unprotect(MutableBytes packet);
  Result unprotectRtcp(MutableBytes packet);

  SrtpProfile profile() const { return profile_; }
  // The index of the newest packet of a stream (rollover counter << 16 | sequence number).
  std::optional<std::uint64_t> newestIndex(std::uint32_t ssrc) const;
  const std::vector<StreamState>& streams() const { return streams_; }
  // Takes up where another context with the same key was. Beyond kStreamsMax is left out.
  void restore(const std::vector<StreamState>& streams);

 private:
  StreamState* find(std::uint32_t ssrc);
  StreamState* findOrMake(std::uint32_t ssrc);

  Direction direction_;
  SrtpProfile profile_;
  std::variant<CounterHmacTransform, GcmTransform> transform_;
  std::vector<StreamState> streams_;
  std::size_t lastUsed_ = 0;  // most packets are of the stream of the packet before
  std::uint32_t rtcpSentIndex_ = 0;
};

}  // namespace crosspoint::srtp
