// What the echo does to a packet before it goes back: it becomes a stream of its own. Every SSRC is exchanged for a
// partner (the same bits turned over, so that the partner's partner is the SSRC itself). A receiver then sees no
// collision with its own SSRC (RFC 3550 §8.2), and reflected RTCP is right: what the caller says about our stream
// becomes what we say about its stream, and its request for a key frame of ours becomes ours for one of its.
#pragma once
#include "base/bytes.h"

namespace crosspoint::sip {

// False: no RTP packet, nothing is to be sent.
bool reflectRtp(MutableBytes packet);
// A compound packet. False: malformed, or with a packet whose SSRCs we would not find all of; nothing is to be sent.
bool reflectRtcp(MutableBytes packet);
// RFC 5761 §4: which of the two it is, where both share a port.
bool looksLikeRtcp(Bytes packet);

}  // namespace crosspoint::sip
