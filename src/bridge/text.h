// Text that a stranger wrote, made fit to be shown to a page.
#pragma once
#include <string>
#include <string_view>

namespace crosspoint::bridge {

// The same text as UTF-8: each byte that belongs to no character becomes U+FFFD. A page reads its messages as UTF-8,
// and a WebSocket ends at the first text that is none (RFC 6455 §8.1).
std::string asUtf8(std::string_view text);

}  // namespace crosspoint::bridge
