// Any bytes as one STUN message; every accessor is used.
#include "core/stun/demultiplex.h"
#include "core/stun/message_view.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crosspoint;
  const Bytes bytes(data, size);
  std::size_t seen = 0;
  if (const auto ufrag = stun::localUfragOf(bytes)) seen += ufrag->size();
  if (const auto prefix = stun::transactionPrefixOf(bytes)) seen += *prefix & 1;
  if (const auto message = stun::MessageView::parse(bytes)) {
    seen += message->username().value_or("").size() + message->errorReason().size() + message->unknownRequired().size();
    seen += message->verifyIntegrity(asBytes("VOkJxbRl1RmTxUk/WvJxBt"));
    if (message->xorMappedAddress()) seen += message->xorMappedAddress()->toString().size();
  }
  return seen == ~std::size_t{0} ? 1 : 0;  // so that nothing above is optimised away
}
