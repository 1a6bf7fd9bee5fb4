// SDP text to plain values and back (RFC 8866), and nothing else: who offers what, and what it means, is decided
// elsewhere.
//
// Tolerant towards real clients: CRLF or LF, unknown lines and attributes, payload numbers without an rtpmap, static
// payload types, host names where an address should stand, TCP and IPv6 candidates, values given once for the whole
// session. An attribute whose value makes no sense is passed over as if it were unknown; a broken structure or a limit
// reached is an error. A description without a section is no error here.
//
//     auto description = sdp::parse(text);
//     if (!description) return reject(description.error().message);
//     std::string text = sdp::write(*description);
#pragma once
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "core/params/session.h"

namespace crosspoint::sdp {

// What a stranger can make us store. Reaching the first group is an error; of the second, what comes later is left out.
inline constexpr std::size_t kBytesMax = 64 * 1024;
inline constexpr std::size_t kLinesMax = 2'000;
inline constexpr std::size_t kLineBytesMax = 4'096;
inline constexpr std::size_t kSectionsMax = 32;
inline constexpr std::size_t kFormatsMax = 128;  // of one section

inline constexpr std::size_t kTokenBytesMax =
    256;  // one word: a mid, an ufrag, a host name; longer ones are passed over
inline constexpr std::size_t kCandidatesMax = 64;  // of one section, as are those below
inline constexpr std::size_t kExtensionsMax = 32;
inline constexpr std::size_t kFingerprintsMax = 8;
inline constexpr std::size_t kFingerprintBytesMax = 64;
inline constexpr std::size_t kCryptosMax = 16;
inline constexpr std::size_t kFeedbacksMax = 16;  // of one codec
inline constexpr std::size_t kSsrcsMax = 32;
inline constexpr std::size_t kSsrcGroupsMax = 8;
inline constexpr std::size_t kBundlesMax = 4;  // of the description

struct ParseError {
  std::size_t line = 0;  // counted from 1; 0: the text as a whole
  std::string message;   // one sentence, safe to show
  bool operator==(const ParseError&) const = default;
};

std::expected<SessionDescription, ParseError> parse(std::string_view text);

// CRLF text. Control characters in any value are left out, so that no value can add a line. TCP candidates are not
// written.
std::string write(const SessionDescription& description);

// One candidate by itself: "candidate:…" (as in RTCIceCandidate.candidate) or "a=candidate:…" (RFC 8839 §5.1).
std::expected<Candidate, ParseError> parseCandidate(std::string_view text);
// "candidate:…", without a line's end.
std::string writeCandidate(const Candidate& candidate);

// The name that RFC 3551 §6 gives to a payload number, if it gives one.
std::optional<Codec> staticCodec(std::uint8_t payloadType);

}  // namespace crosspoint::sdp
