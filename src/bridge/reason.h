// Why a call ended, from what SIP said to what the page is told and the log records.
#pragma once
#include <string>

#include "core/call/machine.h"
#include "core/roap/message.h"
#include "core/sip/user_agent.h"

namespace crosspoint::bridge {

// `outgoing`: the call was ours to make.
call::Reason reasonFromSip(const sip::Ended& event, bool outgoing);
// ROAP ERROR with our extensions, for every end that is not a plain hang-up.
roap::Message errorMessage(const call::Reason& reason);
std::string toText(const call::Reason& reason);  // "refused 486: Busy Here"

}  // namespace crosspoint::bridge
