// Why a call ended: from what SIP or the page said to what the other side is told and the log records.
// docs/errors.md is the table of all of it.
#pragma once
#include <optional>
#include <string>

#include "core/call/machine.h"
#include "core/roap/message.h"
#include "core/sip/user_agent.h"

namespace crosspoint::bridge {

// ---- what was said ----

// `outgoing`: the call was ours to make.
call::Reason reasonFromSip(const sip::Ended& event, bool outgoing);
// The page refused the OFFER of a call that came in.
call::Reason reasonFromPage(roap::ErrorType error);
// One sentence for a person on a SIP status or, below 200, a cause of ITU-T Q.850; with what the far end added in its
// own words.
std::string sentenceFor(int statusOrCause, std::string_view farEndsWords = {});

// The SIP server refused to register `user`, or did not answer (408).
std::string signInRefusal(std::string_view user, int status, std::string_view phrase);

// ---- what the page is told ----

// ROAP ERROR with our extensions, for every end that is not a plain hang-up.
roap::Message errorMessage(const call::Reason& reason);
// For these BYE alone says it all.
bool isPlainEnd(const call::Reason& reason);

// ---- what SIP is told ----

// The final response to a call that came in and was not answered.
int statusToSip(const call::Reason& reason);
// Its reason phrase, where the standard one would not tell an operator what to look for; empty: the standard one.
std::string phraseToSip(const call::Reason& reason);
// The Reason header (RFC 3326) of our BYE or CANCEL; none where somebody has simply hung up.
std::optional<sip::Reason> reasonToSip(const call::Reason& reason);

std::string toText(const call::Reason& reason);  // "refused 486: The called party is busy"

}  // namespace crosspoint::bridge
