#include "bridge/sections.h"

#include <algorithm>

namespace crosspoint::bridge {

call::Media Sections::read(const SessionDescription& description) {
  for (std::size_t i = 0; i < description.sections.size(); ++i) {
    const MediaSection& section = description.sections[i];
    if (i == entries_.size()) entries_.emplace_back();
    Entry& entry = entries_[i];
    entry.kind = section.kind;
    entry.media = section.media;
    entry.protocol = section.protocol;
    if (!section.mid.empty()) entry.mid = section.mid;
    if (!section.codecs.empty()) entry.codecs = section.codecs;
    entry.formats = section.formats;
  }
  call::Media media;
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    auto carries = [&](std::size_t i) {
      return description.sections[i].kind == call::kKinds[stream] && !description.sections[i].refused();
    };
    auto& index = sectionOf_[stream];
    if (!index || *index >= description.sections.size() || !carries(*index)) {
      for (std::size_t i = 0; i < description.sections.size(); ++i) {
        if (!carries(i)) continue;
        index = i;
        break;
      }
    }
    if (!index || *index >= description.sections.size() || !carries(*index)) continue;
    media[stream] = {description.sections[*index].codecs, description.sections[*index].direction};
  }
  return media;
}

std::vector<MediaSection> Sections::write(const call::Media& media, bool offer, const std::string& protocol) {
  if (offer) {
    for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
      if (!media[stream].present() || sectionOf_[stream]) continue;
      const bool audio = call::kKinds[stream] == MediaKind::Audio;
      Entry entry{.kind = call::kKinds[stream], .media = audio ? "audio" : "video", .protocol = protocol, .mid = freeMid()};
      sectionOf_[stream] = entries_.size();
      entries_.push_back(std::move(entry));
    }
  }
  std::vector<MediaSection> sections;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    MediaSection& section = sections.emplace_back();
    section.kind = entry.kind;
    section.media = entry.media;
    section.protocol = offer && entry.kind != MediaKind::Other ? protocol : entry.protocol;
    section.mid = entry.mid;
    const auto stream = streamOf(i);
    if (stream && media[*stream].present()) {
      section.codecs = media[*stream].codecs;
      section.direction = media[*stream].direction;
      entry.codecs = section.codecs;
    } else {
      section.port = 0;
      section.direction = Direction::Inactive;
      section.codecs = entry.codecs;
      section.formats = entry.formats;
    }
  }
  return sections;
}

const MediaSection* Sections::find(const SessionDescription& description, std::optional<std::size_t> index) {
  return index && *index < description.sections.size() ? &description.sections[*index] : nullptr;
}

std::optional<std::size_t> Sections::streamOf(std::size_t section) const {
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    if (sectionOf_[stream] == section) return stream;
  }
  return std::nullopt;
}

std::string Sections::freeMid() const {
  for (std::size_t number = entries_.size();; ++number) {
    std::string mid = std::to_string(number);
    if (std::ranges::none_of(entries_, [&](const Entry& entry) { return entry.mid == mid; })) return mid;
  }
}

}  // namespace crosspoint::bridge
