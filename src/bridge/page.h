// What passes between the HTTP server and the bridge: requests of pages, messages on their WebSockets, and what goes
// back, as plain values (docs/protocols/signalling.md).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace crosspoint::bridge {

// One HTTP request that waits for its reply, or one WebSocket. Chosen by the HTTP side, unique within a process.
enum class RequestId : std::uint64_t {};

// What a sign-in reply offers to a client that knows our extensions.
inline constexpr std::string_view kFeatures = "ack,progress,provisional,websocket,resume,transfer";

// What a page has said that it understands: a comma-separated list, at sign-in, in a poll or where it opens a socket.
struct Features {
  bool progress = false;     // PROGRESS messages
  bool provisional = false;  // a provisional ANSWER before the final one ("moreComing")

  // Unknown words mean nothing.
  static Features parse(std::string_view list);
};

struct SignIn {  // GET /sign_in?<id>, POST /sign_in[?features=a,b][&resume=<SSID>]
  RequestId request{};
  std::string id;                       // DN, or "anon" and 32 hex digits
  std::optional<std::string> password;  // nothing for GET and for "undefined"
  std::string features = {};            // comma-separated, as it came
  std::string resume = {};              // of a session that may still live: it goes on
};
struct Wait {  // GET /wait?id=<SSID>[&ack=N][&features=a,b]
  RequestId request{};
  std::string ssid;
  std::optional<std::uint64_t> acknowledged;  // present: the client keeps count, unacknowledged messages are sent again
  std::string features;                       // comma-separated, as it came
};
struct PageMessage {  // POST /message?from=<SSID>&to=<peer>[&n=N]
  RequestId request{};
  std::string ssid;
  std::string to;
  std::string body;
  std::optional<std::uint64_t> number = {};  // the page's own count: one that was taken before is dropped
};
struct SignOut {  // GET /sign_out?id=<SSID>
  RequestId request{};
  std::string ssid;
};

// A page has opened a WebSocket: GET /signalling?id=<SSID>[&ack=N][&features=a,b]. It is accepted already; one that
// names no session is closed with a reason.
struct SocketOpen {
  RequestId socket{};
  std::string ssid;
  std::optional<std::uint64_t> acknowledged = {};
  std::string features = {};
};
// One frame of the page: an acknowledgement, a message, or both.
struct SocketMessage {
  RequestId socket{};
  std::optional<std::uint64_t> acknowledged = {};
  std::optional<std::uint64_t> number = {};  // present: it carries a message, and is told when that is taken
  std::string to = {};
  std::string body = {};
};
using PageRequest = std::variant<SignIn, Wait, PageMessage, SignOut, SocketOpen, SocketMessage>;

// That a socket has gone is told like a poll that was closed, by its id.

struct PageReply {
  enum class Form : std::uint8_t {
    Reply,  // to an HTTP request, which ends it
    Frame,  // on a WebSocket
    Close,  // ends a WebSocket: `closeCode`, and the reason in `body`
  };
  RequestId request{};
  int status = 200;
  std::string body;                       // text/plain
  std::string peer;                       // `Pragma`; empty: no such header
  std::optional<std::uint64_t> sequence;  // `X-Crosspoint-Sequence`
  Form form = Form::Reply;
  std::optional<std::uint64_t> taken = {};  // Frame: this number of the page's messages has been taken
  std::uint16_t closeCode = 0;
};

// Why a socket is closed (RFC 6455 section 7.4; 4000 and above are for applications).
enum CloseCode : std::uint16_t {
  kCloseSignedOut = 1000,
  kCloseStopping = 1001,   // the gateway stops
  kCloseBadFrame = 1008,   // a frame that has no form of ours
  kCloseTryAgain = 1013,   // no room: open it again, nothing is lost
  kCloseNoSession = 4404,  // there is no such session: sign in again
  kCloseTakenOver = 4409,  // a newer socket or poll of the same session has taken over
  kCloseElsewhere = 4410,  // the DN has signed in elsewhere: the page is signed out, and not to sign in by itself
};

}  // namespace crosspoint::bridge
