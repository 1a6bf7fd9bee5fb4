// The text of WebSocket messages between a page and the gateway (docs/protocols/signalling.md section 3.4): "name:
// value" lines, an empty line, the body.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "bridge/page.h"

namespace crosspoint::gateway {

// What the page says, or one sentence about what is wrong with it.
std::expected<bridge::SocketMessage, std::string> parseFrame(bridge::RequestId socket, std::string_view text);

// What is written for a PageReply in the form Frame.
std::string frameText(const bridge::PageReply& reply);

}  // namespace crosspoint::gateway
