#include "bridge/text.h"

#include "base/utf8.h"

namespace crosspoint::bridge {

std::string asUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = utf8CharacterBytes(text);
    if (size == 0)
      result += "\xef\xbf\xbd";
    else
      result += text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return result;
}

}  // namespace crosspoint::bridge
