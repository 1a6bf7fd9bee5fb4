#include "core/sip/shown_text.h"

#include "base/utf8.h"

namespace crosspoint::sip {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// Whether a whole character would do something to a terminal, a log's line or a sentence instead of standing in it.
bool isControl(std::string_view character) {
  if (character.size() == 1) return static_cast<unsigned char>(character[0]) < ' ' || character[0] == 0x7f;
  if (character.size() == 2) return character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;  // C1
  if (character.size() != 3 || character[0] != '\xe2') return false;
  const auto last = static_cast<unsigned char>(character[2]);
  if (character[1] == '\x80') return last >= 0xa8 && last <= 0xae;  // U+2028 to U+202E: separators, embeddings
  return character[1] == '\x81' && last >= 0xa6 && last <= 0xa9;    // U+2066 to U+2069: isolates
}

}  // namespace

std::string shownText(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t size = utf8CharacterBytes(text);
    std::string_view next = text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
    if (next == "\t") {
      next = " ";
    } else if (size == 0 || isControl(next)) {
      next = kReplacement;
    }
    if (shown.size() + next.size() > kShownBytesMax) break;
    shown += next;
  }
  return shown;
}

std::vector<Reason> shownReasons(std::vector<Reason> reasons) {
  for (auto& reason : reasons) {
    reason.protocol = shownText(reason.protocol);
    reason.text = shownText(reason.text);
  }
  return reasons;
}

NameAddr shownAddress(NameAddr address) {
  address.display = shownText(address.display);
  return address;
}

std::vector<NameAddr> shownAddresses(std::vector<NameAddr> addresses) {
  for (auto& address : addresses) address.display = shownText(address.display);
  return addresses;
}

}  // namespace crosspoint::sip
