// Whatever parses can be written, and what was written parses to a text that stays the same from then on.
#include "base/check.h"
#include "core/sdp/sdp.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const auto text = asText(Bytes(data, size));
  if (const auto candidate = sdp::parseCandidate(text)) {
    const auto again = sdp::parseCandidate(sdp::writeCandidate(*candidate));
    CROSSPOINT_CHECK(again && again->address == candidate->address && again->hostName == candidate->hostName);
  }
  const auto description = sdp::parse(text);
  if (!description) return 0;
  const auto written = sdp::write(*description);
  const auto again = sdp::parse(written);
  if (!again) {  // only where the limits bite on a text that has grown
    CROSSPOINT_CHECK(written.size() > sdp::kBytesMax || again.error().line > 0);
    return 0;
  }
  CROSSPOINT_CHECK(again->sections.size() == description->sections.size());
  const auto twice = sdp::parse(sdp::write(*again));
  CROSSPOINT_CHECK(!twice || sdp::write(*twice) == sdp::write(*again));
  return 0;
}
