// What passes between the HTTP server and the bridge: requests of pages and the replies to them, as plain values
// (`spec/signalling.md` sections 1, 2 and 8).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace crosspoint::bridge {

// One HTTP request that waits for its reply. Chosen by the HTTP side, unique within a process.
enum class RequestId : std::uint64_t {};

struct SignIn {  // GET /sign_in?<id>, POST /sign_in
  RequestId request{};
  std::string id;                       // DN, or "anon" and 32 hex digits
  std::optional<std::string> password;  // nothing for GET and for "undefined"
};
struct Wait {  // GET /wait?id=<SSID>[&ack=N][&features=a,b]
  RequestId request{};
  std::string ssid;
  std::optional<std::uint64_t> acknowledged;  // present: the client keeps count, unacknowledged messages are sent again
  std::string features;                       // comma-separated, as it came
};
struct PageMessage {  // POST /message?from=<SSID>&to=<peer>
  RequestId request{};
  std::string ssid;
  std::string to;
  std::string body;
};
struct SignOut {  // GET /sign_out?id=<SSID>
  RequestId request{};
  std::string ssid;
};
using PageRequest = std::variant<SignIn, Wait, PageMessage, SignOut>;

struct PageReply {
  RequestId request{};
  int status = 200;
  std::string body;                       // text/plain
  std::string peer;                       // `Pragma`; empty: no such header
  std::optional<std::uint64_t> sequence;  // `X-Crosspoint-Sequence`
};

}  // namespace crosspoint::bridge
