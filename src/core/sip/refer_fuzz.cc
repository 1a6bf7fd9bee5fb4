// Any text as what transfers are made of: what is taken is written as one line that says the same.
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "base/utf8.h"
#include "core/sip/refer.h"
#include "core/sip/shown_text.h"

namespace {

void check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const auto text = asText(Bytes(data, size));
  if (const auto replaces = sip::parseReplaces(text)) {
    const std::string written = sip::toString(*replaces);
    check(written.find_first_of("\r\n") == std::string::npos && sip::parseReplaces(written) == replaces);
    const auto target = sip::Uri::parse("sip:a@b");
    sip::Request refer;
    refer.referTo = sip::makeReferTo(*target, replaces);
    const auto read = sip::Uri::parse(refer.referTo->uri.toString());
    if (read) {  // it is not when it has become too long
      refer.referTo->uri = *read;
      const auto again = sip::referTargetOf(refer);
      check(again && again->replaces == replaces);
    }
  }
  sip::Request refer;
  if (const auto uri = sip::Uri::parse(text)) refer.referTo = sip::NameAddr{.uri = *uri};
  if (const auto target = sip::referTargetOf(refer)) check(target->uri.headers.empty());
  if (const auto line = sip::parseSipfrag(text)) check(line->status >= 100 && line->status <= 699);
  static_cast<void>(sip::isTerminated(text));
  static_cast<void>(sip::eventId(text));
  check(sip::eventName(text).size() <= text.size());

  const std::string shown = sip::shownText(text);
  check(shown.size() <= sip::kShownBytesMax && sip::shownText(shown) == shown);
  for (std::string_view rest = shown; !rest.empty(); rest.remove_prefix(utf8CharacterBytes(rest))) {
    check(utf8CharacterBytes(rest) > 0 && static_cast<unsigned char>(rest[0]) >= ' ' && rest[0] != 0x7f);
  }
  return 0;
}
