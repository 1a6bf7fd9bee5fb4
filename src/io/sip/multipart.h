// Bodies of several parts (RFC 2046 §5.1, RFC 5621): of these only the session description is wanted.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace crosspoint::sip {

inline constexpr int kMultipartDepthMax = 3;           // a multipart inside a multipart inside one
inline constexpr std::size_t kMultipartPartsMax = 16;  // of one level; what follows is ignored

// A body part that was found: its whole Content-Type, and what stands behind the empty line.
struct BodyPart {
  std::string_view contentType;
  std::string_view body;
};

// The first application/sdp in a body whose Content-Type is multipart/…; nothing if the type is another, no boundary is
// named or no such part is there. The views are into `body`. A part with a Content-Transfer-Encoding that would have to
// be undone (anything but 7bit, 8bit, binary) is passed over.
std::optional<BodyPart> findSdpPart(std::string_view contentType, std::string_view body);

}  // namespace crosspoint::sip
