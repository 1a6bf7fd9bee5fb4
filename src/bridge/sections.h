// The m-sections of one SDP session: which section carries which stream of the call, in the order that must never change
// (RFC 3264 §8). One for each leg.
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
  // A description of the far end's, offer or answer. Sections that it adds are remembered. The first section of a kind that is
  // not refused becomes the stream's and stays it; further ones of that kind are refused.
  call::Media read(const SessionDescription&);

  // Our next description: one section for every section there is, in order, with kind, mid, protocol, codecs and direction set;
  // refused ones have port 0. In an offer, streams without a section get a new one with `protocol`.
  std::vector<MediaSection> write(const call::Media&, bool offer, const std::string& protocol);

  // The stream's section in what read() was given last, or nothing.
  static const MediaSection* find(const SessionDescription&, std::optional<std::size_t> index);
  std::optional<std::size_t> sectionOf(std::size_t stream) const { return sectionOf_[stream]; }
  // The stream of a section, for writing: nothing for refused ones.
  std::optional<std::size_t> streamOf(std::size_t section) const;

 private:
  struct Entry {
    MediaKind kind = MediaKind::Audio;
    std::string media, protocol, mid;
    std::vector<Codec> codecs;         // as last seen; a refused section must still name a format (RFC 3264 §6)
    std::vector<std::string> formats;
  };
  std::string freeMid() const;

  std::vector<Entry> entries_;
  std::array<std::optional<std::size_t>, call::kStreams> sectionOf_;
};

}  // namespace crosspoint::bridge
