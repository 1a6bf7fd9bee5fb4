// The plain values of core/sip as messages that sofia-sip can send. Every text that could hold something of a page or
// of a far end loses its control characters on the way: nothing of it can start a header of its own.
#pragma once
#include <string>

#include "core/sip/message.h"
#include "io/sip/sofia.h"

namespace crosspoint::sip {

// Nothing if sofia-sip cannot read what the values say (a URI without host, a header name that is none).
// The request gets Max-Forwards and, if it names none, `userAgent`.
MessagePointer requestToSofia(nta_agent_t* agent, const Request& request, const std::string& userAgent);

// Without Via, From, Call-ID and CSeq: those come from the transaction. With To, so that its tag becomes the
// transaction's.
MessagePointer responseToSofia(nta_agent_t* agent, const Response& response, const std::string& userAgent);

std::string textOf(const NameAddr& address);
std::string textOf(const Reason& reason);

}  // namespace crosspoint::sip
