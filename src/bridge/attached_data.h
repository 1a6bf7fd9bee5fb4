// Data that an application attaches to a call (guide: setData, getData), as one SIP header of the INVITE and of its
// 200:
//
//     X-Attached-Data: account=4711&name=J%C3%BCrgen%20%26%20Co
//
// Percent-encoded UTF-8 (RFC 3986 §2.1): nothing but unreserved characters, `%`, `=` and `&` leaves, so no value can
// end the header or begin another one. It travels whole or not at all.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/roap/message.h"
#include "core/sip/message.h"

namespace crosspoint::bridge {

inline constexpr std::size_t kAttachedHeaderBytesMax = 4 * 1024;  // of the header's value, either way

// Whether data may be attached under this header's name: a token (RFC 3261 §25.1) that SIP does not use itself.
bool isAttachedDataHeader(std::string_view name);

// The header's value; nothing if it would be larger than the limit.
std::optional<std::string> encodeAttachedData(std::span<const roap::AttachedItem> items);
// What the headers of that name say, several joined; empty if there is none. Nothing if it is larger than the limit.
// Characters that are no UTF-8 or stand unencoded are taken as kindly as can be: the page gets proper text.
std::optional<std::vector<roap::AttachedItem>> decodeAttachedData(std::span<const sip::Header> headers,
                                                                  std::string_view name);

}  // namespace crosspoint::bridge
