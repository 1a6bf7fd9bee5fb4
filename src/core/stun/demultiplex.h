// What the owner of a shared socket must know of a datagram before any engine has parsed it: whether it is STUN, and
// whose. All of it looks at a few bytes only, allocates nothing and proves nothing: the agent checks the message.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace crosspoint::stun {

// First two bits, magic cookie and length say STUN (RFC 8489 §5; RFC 7983 keeps DTLS, RTP and RTCP off these values).
bool looksLikeStun(Bytes datagram);

// A request's USERNAME up to the colon: the ufrag of the side that receives it (RFC 8445 §7.2.2). Nothing for
// everything else. The text is valid while the datagram is.
std::optional<std::string_view> localUfragOf(Bytes datagram);

// The first four bytes of a response's transaction id: what ice::Agent::Config::transactionPrefix was when the request
// was made. Nothing for everything else.
std::optional<std::uint32_t> transactionPrefixOf(Bytes datagram);

}  // namespace crosspoint::stun
