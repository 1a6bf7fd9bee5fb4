// Whatever a page posts and we take can be written, is read back as the same, and is recognised by a page for what it
// is.
#include "base/bytes.h"
#include "base/check.h"
#include "core/roap/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const auto body = roap::parsePageBody(asText(Bytes(data, size)));
  if (!body) return 0;
  const auto* message = std::get_if<roap::Message>(&*body);
  if (!message) return 0;
  const auto json = roap::toJson(*message);
  CROSSPOINT_CHECK((json.find("OFFER") != std::string::npos) == (message->type == roap::MessageType::Offer));
  CROSSPOINT_CHECK(message->type == roap::MessageType::Error || json.find("ERROR") == std::string::npos);
  if (json.size() > roap::kBodyBytesMax) return 0;
  auto again = roap::parseMessage(json);
  CROSSPOINT_CHECK(again.has_value());
  // The JSON reader may be off by the last bit of a fraction.
  again->offererSessionId = message->offererSessionId;
  again->answererSessionId = message->answererSessionId;
  CROSSPOINT_CHECK(roap::toJson(*again) == json);
  return 0;
}
