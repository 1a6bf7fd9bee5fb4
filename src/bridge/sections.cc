#include "bridge/sections.h"

#include <algorithm>

namespace crosspoint::bridge {

bool Sections::carries(std::size_t section, std::size_t stream) const {
  return section < entries_.size() && entries_[section].kind == call::kKinds[stream] && !entries_[section].refused;
}

call::Media Sections::read(const SessionDescription& description, bool offer) {
  if (offer && description.sections.size() < entries_.size()) entries_.resize(description.sections.size());
  for (std::size_t i = 0; i < description.sections.size(); ++i) {
    const MediaSection& section = description.sections[i];
    if (i == entries_.size()) entries_.emplace_back();
    Entry& entry = entries_[i];
    entry.kind = section.kind;
    entry.media = section.media;
    entry.protocol = section.protocol;
    entry.refused = section.refused();
    entry.direction = section.refused() ? Direction::Inactive : section.direction;
    if (!section.mid.empty()) entry.mid = section.mid;
    if (!section.codecs.empty()) entry.codecs = section.codecs;
    entry.formats = section.formats;
  }
  // An answer without all of our offer's sections (RFC 3264 §6 forbids it) has refused the others.
  for (std::size_t i = description.sections.size(); i < entries_.size(); ++i) {
    entries_[i].refused = true;
    entries_[i].direction = Direction::Inactive;
  }
  call::Media media;
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    auto& index = sectionOf_[stream];
    if (index && *index >= entries_.size()) index.reset();
    for (std::size_t i = 0; i < description.sections.size() && !(index && carries(*index, stream)); ++i) {
      if (carries(i, stream)) index = i;
    }
    auto& source = sourceOf_[stream];
    source = index;
    if (!index || !carries(*index, stream)) continue;
    for (std::size_t i = 0;
         i < entries_.size() && further_ == Further::SameStream && !sends(entries_[*source].direction); ++i) {
      if (carries(i, stream) && sends(entries_[i].direction)) source = i;
    }
    media[stream] = {description.sections[*index].codecs,
                     makeDirection(sends(entries_[*source].direction), receives(entries_[*index].direction))};
  }
  return media;
}

std::optional<Direction> Sections::directionOf(std::size_t section, std::size_t stream,
                                               const call::Stream& agreed) const {
  if (sectionOf_[stream] == section && sourceOf_[stream].value_or(section) == section) return agreed.direction;
  if (sectionOf_[stream] == section) return intersection(agreed.direction, Direction::SendOnly);
  if (further_ == Further::Refused || !carries(section, stream)) return std::nullopt;
  return sourceOf_[stream] == section ? intersection(agreed.direction, Direction::RecvOnly) : Direction::Inactive;
}

std::vector<MediaSection> Sections::write(const call::Media& media, bool offer, const std::string& protocol) {
  if (offer) {
    for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
      if (!media[stream].present() || sectionOf_[stream]) continue;
      const bool audio = call::kKinds[stream] == MediaKind::Audio;
      Entry entry{
          .kind = call::kKinds[stream], .media = audio ? "audio" : "video", .protocol = protocol, .mid = freeMid()};
      sectionOf_[stream] = sourceOf_[stream] = entries_.size();
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
    const auto index = static_cast<std::size_t>(std::ranges::find(call::kKinds, entry.kind) - call::kKinds.begin());
    const auto direction =
        index < call::kStreams && media[index].present() ? directionOf(i, index, media[index]) : std::nullopt;
    if (direction) {
      section.codecs = media[index].codecs;
      section.direction = *direction;
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
