// UTF-8 in text that a stranger wrote (RFC 3629).
#pragma once
#include <cstddef>
#include <string_view>

namespace crosspoint {

// Bytes of the character that the text begins with; 0 if it begins with none, or is empty (RFC 3629 §4).
std::size_t utf8CharacterBytes(std::string_view text);

}  // namespace crosspoint
