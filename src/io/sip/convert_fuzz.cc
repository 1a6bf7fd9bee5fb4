// Bytes as a far end sends them, through sofia-sip's parser and our conversion, and what came of it back into a
// message.
#include <cstdint>

#include "io/sip/agent.h"
#include "io/sip/from_sofia.h"
#include "io/sip/sofia.h"
#include "io/sip/to_sofia.h"

namespace {

using namespace crosspoint::sip;

// An agent without sockets: enough to make messages.
nta_agent_t* agent() {
  static nta_agent_t* const kept = [] {
    su_init();
    su_root_t* root = su_root_create(nullptr);
    su_root_threading(root, 0);
    return nta_agent_create(root, reinterpret_cast<url_string_t*>(-1), nullptr, nullptr, NTATAG_UA(1), TAG_END());
  }();
  return kept;
}

// What sending does to a message.
void serialize(const MessagePointer& message) {
  sip_t* sip = message ? sip_object(message.get()) : nullptr;
  if (sip && sip_complete_message(message.get()) == 0) {
    msg_serialize(message.get(), reinterpret_cast<msg_pub_t*>(sip));
  }
}

// What transactions and the proxy do to a received message.
void copy(msg_t* message) {
  if (sip_sanity_check(sip_object(message)) < 0) return;
  serialize(copyForForwarding(message));
}

void convert(const sip_t* sip) {
  mayBeAnswered(sip);
  reasonsFromSofia(sip);
  authorizationsFromSofia(sip);
  if (const auto request = requestFromSofia(sip)) serialize(requestToSofia(agent(), *request, "fuzz"));
  if (const auto response = responseFromSofia(sip)) serialize(responseToSofia(agent(), *response, "fuzz"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65536) return 0;
  const MessagePointer message(msg_make(sip_default_mclass(), 0, data, static_cast<ssize_t>(size)));
  const sip_t* sip = message ? sip_object(message.get()) : nullptr;
  if (!sip) return 0;
  convert(sip);
  copy(message.get());
  return 0;
}
