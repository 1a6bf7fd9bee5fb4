// Any text as a header of attached data: what is taken is proper text, and travels on unchanged if it fits.
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "bridge/attached_data.h"
#include "bridge/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const std::vector<sip::Header> headers{{"X-Data", std::string(asText(Bytes(data, size)))}};
  const auto items = bridge::decodeAttachedData(headers, "x-data");
  if (!items) return 0;
  for (const auto& item : *items) {
    if (bridge::asUtf8(item.key) != item.key || bridge::asUtf8(item.value) != item.value) std::abort();
  }
  const auto written = bridge::encodeAttachedData(*items);
  if (!written) return 0;
  if (written->find_first_of("\r\n ,;\"<>") != std::string::npos) std::abort();
  if (bridge::decodeAttachedData(std::vector<sip::Header>{{"X-Data", *written}}, "X-Data") != items) std::abort();
  return 0;
}
