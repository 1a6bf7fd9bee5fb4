#include "gateway/page_routes.h"

#include <algorithm>
#include <charconv>

#include "base/scan.h"
#include "bridge/bridge.h"

namespace crosspoint::gateway {
namespace {

http::Response refusal(int status, std::string sentence) {
  return {.status = status, .body = std::move(sentence) + "\n"};
}

bool looksAnonymous(std::string_view id) {
  return id.size() == 36 && id.starts_with("anon") && id.find_first_not_of("0123456789abcdefABCDEF", 4) == id.npos;
}

Routed signIn(const http::Request& request, bridge::RequestId number, const Configuration::Auth& auth) {
  bridge::SignIn signIn{.request = number};
  if (request.method == "POST") {
    signIn.features = http::queryValue(request.query, "features").value_or("");
    signIn.resume = http::queryValue(request.query, "resume").value_or("");
    const auto colon = request.body.find(':');
    signIn.id = request.body.substr(0, colon);
    if (colon != std::string::npos) signIn.password = request.body.substr(colon + 1);
    if (signIn.password == "undefined") signIn.password.reset();  // what a page sends that has none
  } else {
    auto id = http::percentDecode(std::string_view(request.query).substr(0, request.query.find('&')));
    if (!id) return refusal(400, "the id's percent escapes are broken");
    signIn.id = std::move(*id);
  }
  if (looksAnonymous(signIn.id)) {
    if (!auth.anonymous) return refusal(403, "signing in without a DN is not allowed here");
  } else if (auth.policy == AuthPolicy::Password && signIn.password.value_or("").empty()) {
    return refusal(403, "a DN signs in with a password here");
  }
  return signIn;
}

// False: it is there and no number.
bool takeNumber(const http::Request& request, std::string_view name, std::optional<std::uint64_t>& into) {
  const auto text = http::queryValue(request.query, name);
  if (text) into = toNumber<std::uint64_t>(*text);
  return !text || into;
}

// A poll or a WebSocket: whose messages it fetches, which of them have arrived, and what the client understands.
template <typename Fetch>
Routed fetch(const http::Request& request, Fetch fetch) {
  auto ssid = http::queryValue(request.query, "id");
  if (!ssid) return refusal(400, "id=<SSID> is missing");
  fetch.ssid = std::move(*ssid);
  if (!takeNumber(request, "ack", fetch.acknowledged)) return refusal(400, "ack is not a number");
  fetch.features = http::queryValue(request.query, "features").value_or("");
  return fetch;
}

Routed message(const http::Request& request, bridge::RequestId number) {
  auto from = http::queryValue(request.query, "from");
  auto to = http::queryValue(request.query, "to");
  if (!from || !to) return refusal(400, "from=<SSID> and to=<peer> are needed");
  bridge::PageMessage message{.request = number, .ssid = std::move(*from), .to = std::move(*to), .body = request.body};
  if (!takeNumber(request, "n", message.number)) return refusal(400, "n is not a number");
  return message;
}

Routed socket(const http::Request& request, bridge::RequestId number) {
  if (!request.webSocket) {
    auto response = refusal(426, "this endpoint is a WebSocket");
    response.headers.push_back({"Upgrade", "websocket"});
    response.headers.push_back({"Sec-WebSocket-Version", "13"});
    return response;
  }
  return fetch(request, bridge::SocketOpen{.socket = number});
}

Routed signOut(const http::Request& request, bridge::RequestId number) {
  auto ssid = http::queryValue(request.query, "id");
  if (!ssid) return refusal(400, "id=<SSID> is missing");
  return bridge::SignOut{.request = number, .ssid = std::move(*ssid)};
}

}  // namespace

Routed routePage(const http::Request& request, bridge::RequestId id, const Configuration::Auth& auth) {
  const bool get = request.method == "GET", post = request.method == "POST";
  const auto wrongMethod = [](std::string allowed) {
    auto response = refusal(405, "this endpoint takes " + allowed);
    response.headers.push_back({"Allow", std::move(allowed)});
    return response;
  };
  if (request.path == "/sign_in") return get || post ? signIn(request, id, auth) : wrongMethod("GET, POST");
  if (request.path == "/wait") return get ? fetch(request, bridge::Wait{.request = id}) : wrongMethod("GET");
  if (request.path == "/message") return post ? message(request, id) : wrongMethod("POST");
  if (request.path == "/sign_out") return get || post ? signOut(request, id) : wrongMethod("GET, POST");
  if (request.path == "/signalling") return get ? socket(request, id) : wrongMethod("GET");
  return std::monostate{};
}

unsigned workerOf(const bridge::PageRequest& request, unsigned workers) {
  if (const auto* signIn = std::get_if<bridge::SignIn>(&request)) return bridge::workerOfUser(signIn->id, workers);
  const auto worker = std::visit(
      [](const auto& other) -> std::optional<unsigned> {
        if constexpr (requires { other.ssid; }) {
          return bridge::workerOfSsid(other.ssid);
        } else {
          return std::nullopt;
        }
      },
      request);
  return worker && *worker < workers ? *worker : 0;
}

unsigned workerOfSipRequest(std::string_view toTag, std::string_view user, unsigned workers) {
  // Tags of ours are "w<worker>x…" (bridge.cc).
  if (toTag.starts_with('w')) {
    unsigned worker = 0;
    const auto parsed = std::from_chars(toTag.data() + 1, toTag.data() + toTag.size(), worker);
    if (parsed.ec == std::errc{} && parsed.ptr != toTag.data() + toTag.size() && *parsed.ptr == 'x' &&
        worker < workers) {
      return worker;
    }
  }
  return bridge::workerOfUser(user, workers);
}

unsigned workerOfSipRequest(const sip::Request& request, unsigned workers) {
  const bool replaces = request.to.tag.empty() && request.replaces;
  return workerOfSipRequest(replaces ? request.replaces->toTag : request.to.tag, sip::unescape(request.uri.user),
                            workers);
}

http::Response toHttp(bridge::PageReply&& reply) {
  http::Response response{.status = reply.status, .body = std::move(reply.body)};
  if (!reply.peer.empty()) response.headers.push_back({"Pragma", std::move(reply.peer)});
  if (reply.sequence) response.headers.push_back({"X-Crosspoint-Sequence", std::to_string(*reply.sequence)});
  return response;
}

http::Response overloaded(const http::Request& request) {
  if (request.path == "/wait") return {};
  return refusal(503, "the gateway is busy");
}

}  // namespace crosspoint::gateway
