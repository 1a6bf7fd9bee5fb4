#include "core/call/media.h"

#include <algorithm>

namespace crosspoint::call {
namespace {

struct PassedThrough {
  std::string_view name;
  std::uint32_t clockRate;  // 0: any
  bool media;
};
constexpr std::array kPassedThrough = {
    PassedThrough{"opus", 48000, true}, PassedThrough{"PCMU", 8000, true},          PassedThrough{"PCMA", 8000, true},
    PassedThrough{"VP8", 90000, true},  PassedThrough{"telephone-event", 0, false},
};

const PassedThrough* find(const Codec& codec) {
  for (const auto& known : kPassedThrough) {
    if (namesEqual(codec.name, known.name) && (known.clockRate == 0 || known.clockRate == codec.clockRate))
      return &known;
  }
  return nullptr;
}

bool answeredFeedback(std::string_view value) { return value == "nack pli" || value == "ccm fir"; }

bool hasMediaCodec(const std::vector<Codec>& codecs) { return std::ranges::any_of(codecs, isMediaCodec); }

}  // namespace

bool passedThrough(const Codec& codec) { return find(codec) != nullptr; }

bool isMediaCodec(const Codec& codec) {
  const auto* known = find(codec);
  return known != nullptr && known->media;
}

Media reduced(const Media& media) {
  Media result;
  for (std::size_t i = 0; i < kStreams; ++i) {
    result[i].direction = media[i].direction;
    for (const auto& codec : media[i].codecs) {
      const auto* known = find(codec);
      if (known == nullptr || result[i].codecs.size() == kCodecsMax) continue;
      auto& kept = result[i].codecs.emplace_back(codec);
      kept.name = known->name;  // clients in the field know VP8 in capitals only
      std::erase_if(kept.feedback, [](const std::string& value) { return !answeredFeedback(value); });
    }
    if (!hasMediaCodec(result[i].codecs)) result[i] = {};
  }
  return result;
}

bool usable(const Media& media) { return std::ranges::any_of(media, &Stream::present); }

bool isTelephoneEvent(const Codec& codec) { return namesEqual(codec.name, "telephone-event"); }

std::vector<Codec> common(const std::vector<Codec>& own, const std::vector<Codec>& other) {
  std::vector<Codec> result;
  for (const auto& theirs : other) {
    const auto ours = std::ranges::find_if(own, [&](const Codec& codec) { return sameEncoding(codec, theirs); });
    if (ours == own.end() || isTelephoneEvent(theirs)) continue;
    result.push_back(*ours);
    result.back().parameters = theirs.parameters;
  }
  if (result.empty()) return result;
  const std::uint32_t clockRate = result.front().clockRate;
  const Codec* digits = nullptr;
  for (const auto& codec : own) {
    if (isTelephoneEvent(codec) && (digits == nullptr || codec.clockRate == clockRate)) digits = &codec;
  }
  if (digits != nullptr && std::ranges::any_of(other, isTelephoneEvent)) result.push_back(*digits);
  return result;
}

}  // namespace crosspoint::call
