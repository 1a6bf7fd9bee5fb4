// What the two ends of a call have said about their media, and what follows from it (RFC 3264), without SDP.
//
// A call has at most one audio and one video stream. A leg describes itself: "I send and receive with these codecs,
// under these payload types". What one leg says of itself is told to the other leg as if we were the first: the gateway
// stands between.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/params/media.h"

namespace crosspoint::call {

inline constexpr std::size_t kStreams = 2;  // audio, video
inline constexpr std::array<MediaKind, kStreams> kKinds = {MediaKind::Audio, MediaKind::Video};
inline constexpr std::size_t kCodecsMax = 32;  // of one stream; more are ignored

struct Stream {
  std::vector<Codec> codecs;  // in order of preference; empty: there is no such stream, or it is refused
  Direction direction = Direction::Inactive;

  bool present() const { return !codecs.empty(); }
  bool operator==(const Stream&) const = default;
};
using Media = std::array<Stream, kStreams>;

// Codecs that are passed through, by name; others are dropped from every description. Transcoding does not change this
// list.
bool passedThrough(const Codec&);
// A codec that carries sound or picture by itself, unlike telephone-event.
bool isMediaCodec(const Codec&);

// Only what is passed through, feedback reduced to what we answer to (PLI and FIR), streams without a media codec
// emptied.
Media reduced(const Media&);
bool usable(const Media&);  // at least one stream is present

bool isTelephoneEvent(const Codec&);

// The codecs of `own` that `other` speaks too, in the order of `other`, with the payload types of `own`. The parameters
// are `other`'s. Empty if no media codec is common. Of telephone-event `own` keeps one, with the clock of the first
// codec where it has that: the clocks of the two sides may differ (RFC 4733 §2.4.1 wants the codec's; phones speak 8000
// Hz beside Opus, and browsers then send broken digits), durations are converted on the way.
std::vector<Codec> common(const std::vector<Codec>& own, const std::vector<Codec>& other);

}  // namespace crosspoint::call
