// The m-sections of one SDP session: which section carries which stream of the call, in the order that must never
// change (RFC 3264 §8). One for each leg.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/call/media.h"
#include "core/params/session.h"

namespace crosspoint::bridge {

class Sections {
 public:
  // What a second section of one kind is. A browser whose source was changed sends in a new section and goes on
  // receiving in the old one, all over one transport; elsewhere it is another stream, with ports of its own, and is
  // refused.
  enum class Further : std::uint8_t { SameStream, Refused };

  explicit Sections(Further further) : further_(further) {}

  // A description of the far end's. Sections that it adds are remembered; an offer with fewer than before (a renewed
  // connection) starts anew with those. The first section of a kind that is not refused becomes the stream's and stays
  // it.
  call::Media read(const SessionDescription&, bool offer);

  // Our next description: one section for every section there is, in order, with kind, mid, protocol, codecs and
  // direction set; refused ones have port 0. In an offer, streams without a section get a new one with `protocol`.
  std::vector<MediaSection> write(const call::Media&, bool offer, const std::string& protocol);

  // The stream's section in what read() was given, or nothing.
  static const MediaSection* find(const SessionDescription&, std::optional<std::size_t> index);
  std::optional<std::size_t> sectionOf(std::size_t stream) const { return sectionOf_[stream]; }
  // The stream of a section, for writing: nothing for refused ones.
  std::optional<std::size_t> streamOf(std::size_t section) const;

 private:
  struct Entry {
    MediaKind kind = MediaKind::Audio;
    std::string media, protocol, mid;
    Direction direction = Direction::Inactive;  // as the far end said last
    bool refused = false;                       // by the far end
    std::vector<Codec> codecs;  // as last seen; a refused section must still name a format (RFC 3264 §6)
    std::vector<std::string> formats;
  };
  std::string freeMid() const;
  bool carries(std::size_t section, std::size_t stream) const;
  // Whether the section takes part in the stream, and how; nothing for one that is refused.
  std::optional<Direction> directionOf(std::size_t section, std::size_t stream, const call::Stream& agreed) const;

  Further further_;
  std::vector<Entry> entries_;
  std::array<std::optional<std::size_t>, call::kStreams> sectionOf_;  // where we send
  std::array<std::optional<std::size_t>, call::kStreams>
      sourceOf_;  // where the far end sends, if it does: usually the same
};

}  // namespace crosspoint::bridge
