// What two sides of a medium agree on, without a word of SDP: codecs, direction, header extensions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crosspoint {

enum class MediaKind : std::uint8_t { Audio, Video, Other };

enum class Direction : std::uint8_t { Inactive = 0, SendOnly = 1, RecvOnly = 2, SendRecv = 3 };
constexpr bool sends(Direction d) { return (static_cast<unsigned>(d) & 1) != 0; }
constexpr bool receives(Direction d) { return (static_cast<unsigned>(d) & 2) != 0; }
constexpr Direction makeDirection(bool send, bool receive) {
  return static_cast<Direction>((send ? 1 : 0) | (receive ? 2 : 0));
}
// The same stream seen from the other end.
constexpr Direction reversed(Direction d) { return makeDirection(receives(d), sends(d)); }
constexpr Direction intersection(Direction a, Direction b) {
  return static_cast<Direction>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

struct Codec {
  std::uint8_t payloadType = 0;  // 0 .. 127
  std::string name;              // as written; compared without regard to case (RFC 4566 §6)
  std::uint32_t clockRate = 0;   // Hz
  std::uint8_t channels = 1;
  std::string parameters;             // the fmtp value, as written
  std::vector<std::string> feedback;  // rtcp-fb values ("nack pli"), as written

  bool operator==(const Codec&) const = default;
};

// Same encoding: name, clock rate and channels; payload type and parameters may differ.
bool sameEncoding(const Codec& a, const Codec& b);
bool namesEqual(std::string_view a, std::string_view b);  // ASCII, without regard to case

struct HeaderExtension {
  std::uint8_t id = 0;
  std::string uri;
  bool operator==(const HeaderExtension&) const = default;
};

}  // namespace crosspoint
