// Any text as a URI: what is taken is written as one line that is taken again, and stays the same from then on.
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "core/sip/uri.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const auto text = asText(Bytes(data, size));
  if (const auto uri = sip::Uri::parse(text)) {
    const std::string written = uri->toString();
    if (written.find_first_of("\r\n <>\"") != std::string::npos) std::abort();
    if (const auto again = sip::Uri::parse(written); again && again->toString() != written) std::abort();
  }
  if (sip::unescape(sip::escapeUser(text)) != text) std::abort();
  return 0;
}
