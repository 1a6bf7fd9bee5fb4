// What a page asks over HTTP, as the bridge understands it, and the bridge's reply as HTTP (signalling.md sections 1
// and 2).
#pragma once
#include <variant>

#include "bridge/page.h"
#include "core/sip/message.h"
#include "gateway/configuration.h"
#include "io/http/message.h"

namespace crosspoint::gateway {

// A request of a page, an answer that needs no bridge (an error), or nothing: not an endpoint of the signalling.
using Routed = std::variant<std::monostate, bridge::PageRequest, http::Response>;

Routed routePage(const http::Request& request, bridge::RequestId id, const Configuration::Auth& auth);

// Who handles it: the worker that the DN or the SSID names. One that is no SSID of ours may go to any: it is refused
// there.
unsigned workerOf(const bridge::PageRequest& request, unsigned workers);

// The same for a request from SIP: the worker whose dialog its To tag names, or the one of its request URI's user.
unsigned workerOfSipRequest(std::string_view toTag, std::string_view user, unsigned workers);
// An INVITE that is to replace a call goes to the worker of that call, whoever it is for (RFC 3891 §3).
unsigned workerOfSipRequest(const sip::Request& request, unsigned workers);

http::Response toHttp(bridge::PageReply&& reply);

// What a page is told when its worker has no room. A poll is never told an error for what passes (signalling.md section
// 2).
http::Response overloaded(const http::Request& request);

}  // namespace crosspoint::gateway
