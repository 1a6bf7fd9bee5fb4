// What a far end wrote for people to read (reason phrases, display names, texts of Reason headers), made fit for logs
// and pages where it enters: everything that leaves this folder as an event has passed here.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/sip/message.h"

namespace crosspoint::sip {

inline constexpr std::size_t kShownBytesMax = 256;

// The text as UTF-8 of at most kShownBytesMax bytes. What is no character, and control characters (C0, C1, line and
// paragraph separators, those that turn the direction of writing), become U+FFFD; a tab becomes a space. Nothing is
// left out, so that two names that differ still do.
std::string shownText(std::string_view text);

// The same for the readable parts of whole values.
std::vector<Reason> shownReasons(std::vector<Reason> reasons);
NameAddr shownAddress(NameAddr address);
std::vector<NameAddr> shownAddresses(std::vector<NameAddr> addresses);

}  // namespace crosspoint::sip
