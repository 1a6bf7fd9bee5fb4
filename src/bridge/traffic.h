// What has passed between the gateway and the page in one stream, for the statistics that a page asks for. Bytes are
// those of whole RTP packets, as the guide's example has them (172 for 20 ms of G.711).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace crosspoint::bridge {

struct Traffic {
  std::uint64_t packets = 0, bytes = 0, errors = 0, rtcp = 0;
  std::uint32_t ssrc = 0;
  std::uint8_t payloadType = 0;  // of the last packet

  void count(std::size_t packetBytes, std::uint8_t type) {
    ++packets;
    bytes += packetBytes;
    payloadType = type;
  }
};

// The SSRCs under which a page has sent one stream: a renewed connection and a changed source bring new ones.
class Sources {
 public:
  static constexpr std::size_t kMax = 8;  // the oldest makes room

  void add(std::uint32_t ssrc) {
    for (std::size_t i = 0; i < size(); ++i) {
      if (ssrcs_[i] == ssrc) return;
    }
    ssrcs_[added_++ % kMax] = ssrc;
  }
  std::size_t size() const { return added_ < kMax ? added_ : kMax; }
  const std::uint32_t* begin() const { return ssrcs_.data(); }
  const std::uint32_t* end() const { return ssrcs_.data() + size(); }

 private:
  std::array<std::uint32_t, kMax> ssrcs_{};
  std::size_t added_ = 0;
};

}  // namespace crosspoint::bridge
