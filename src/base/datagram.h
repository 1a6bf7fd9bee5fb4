// The door between io/udp and the engines: batches of datagrams, in pooled buffers, changed in place.
//
// A buffer belongs to io/udp. An engine may read it, change it and shrink it while the batch is handled; a datagram
// that goes out again is sent from the same buffer before the next batch is read. Nothing on this path allocates.
#pragma once
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"

namespace crosspoint {

// A local UDP socket, by number. Valid from opening until closing; numbers are used again afterwards.
enum class SocketId : std::uint32_t {};
inline constexpr SocketId kNoSocket{0xffffffff};

// 2048: Chromium's and Firefox' DTLS datagrams above 1200 bytes arrive, and an SRTP tag still fits behind a full
// packet.
inline constexpr std::size_t kDatagramCapacity = 2048;
inline constexpr std::size_t kDatagramBytesMax = 1500;  // what may be received or sent

struct Datagram {
  SocketId socket = kNoSocket;   // received on, or to be sent from
  SocketAddress remote;          // received from, or to be sent to
  std::uint8_t* data = nullptr;  // kDatagramCapacity bytes are usable from the buffer's start
  std::uint32_t size = 0;        // bytes from `data` on
  std::uint32_t capacity = 0;    // bytes usable from `data` on

  MutableBytes bytes() const { return {data, size}; }
};

// What an engine gives back. `send` may be called while a batch is handled (the datagram's own buffer) or from a timer
// (a buffer of the engine's that stays alive until the call returns: it is copied when it cannot be sent at once).
class DatagramSink {
 public:
  virtual ~DatagramSink() = default;
  // Queues one datagram. For a received buffer nothing is copied: the buffer must not be changed after this call.
  virtual void forward(const Datagram& datagram) = 0;
  // Copies `bytes` (at most kDatagramBytesMax) and queues it.
  virtual void send(SocketId from, const SocketAddress& to, Bytes bytes) = 0;
};

}  // namespace crosspoint
