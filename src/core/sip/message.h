// SIP messages as plain values: what passes between this folder (dialogs, registrations) and io/sip (text,
// transactions, sockets).
//
// Who does what:
//   core/sip  chooses Request-URI, destination, From, To, tags, Call-ID, CSeq, Contact, Route; ACK for a 2xx; retries
//   after a
//             challenge; everything that depends on a dialog.
//   io/sip    adds Via, Max-Forwards, Content-Length; runs the transactions (retransmission, 100, timers A to K, the
//   ACK for 300-699,
//             repeating a 2xx until its ACK); makes the CANCEL of an INVITE; answers a received CANCEL with 200 or 481.
//
// Reliable provisional responses (RFC 3262) are core/sip's in both directions: it numbers them (`rseq`, "100rel" in
// `require`), repeats them until the PRACK (each repetition is one more SendResponse, to be sent as it is), makes the
// PRACK (`rack`, an ordinary request) and recognises repeated ones. io/sip hands every provisional response up,
// repeated ones too, sends what it is given, and repeats nothing. Likewise session timers (RFC 4028): `sessionExpires`
// and `minSe` of every INVITE and UPDATE and of every response to one, "timer" in `supported` and `require`.
//
// Fields that a message does not have are empty. Whoever fills a value from the network keeps the bounds below.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "core/sip/uri.h"

namespace crosspoint::sip {

inline constexpr std::size_t kBodyBytesMax = 64 * 1024;
inline constexpr std::size_t kHeaderValueBytesMax = 8 * 1024;
inline constexpr std::size_t kExtraHeadersMax = 64;
inline constexpr std::size_t kRoutesMax = 32;
inline constexpr std::size_t kContactsMax = 32;
inline constexpr std::size_t kChallengesMax = 8;
inline constexpr std::size_t kOptionTagsMax = 32;

enum class Method : std::uint8_t {
  Invite,
  Ack,
  Cancel,
  Bye,
  Register,
  Options,
  Info,
  Notify,
  Prack,
  Update,
  Refer,
  Subscribe,
  Message,
  Publish,
  Other
};
std::string_view toString(Method method);      // "INVITE"; "" for Other
Method methodFromText(std::string_view name);  // case-sensitive, as RFC 3261 §7.1 wants; Other for the rest
std::string_view standardReason(int status);   // RFC 3261 §21; "" where there is none

// One WWW-Authenticate or Proxy-Authenticate. Values may come with or without their quotes.
struct Challenge {
  bool proxy = false;  // Proxy-Authenticate (407)
  std::string scheme;  // "Digest"
  Parameters parameters;
  bool operator==(const Challenge&) const = default;
};

// One Authorization or Proxy-Authorization. Values stand as they go on the wire, quotes included where the grammar has
// them.
struct Authorization {
  bool proxy = false;
  std::string scheme = "Digest";
  Parameters parameters;
  bool operator==(const Authorization&) const = default;
};

struct RAck {  // RFC 3262 §7.2
  std::uint32_t rseq = 0;
  std::uint32_t cseq = 0;
  Method method = Method::Invite;
  bool operator==(const RAck&) const = default;
};

struct SessionExpires {  // RFC 4028 §4
  std::uint32_t seconds = 0;
  enum class Refresher : std::uint8_t { None, Uac, Uas } refresher = Refresher::None;
  bool operator==(const SessionExpires&) const = default;
};

struct Replaces {  // RFC 3891 §6.1
  std::string callId, toTag, fromTag;
  bool earlyOnly = false;
  bool operator==(const Replaces&) const = default;
};

struct Reason {  // RFC 3326 §2: Reason: SIP;cause=200;text="Call completed elsewhere"
  std::string protocol;
  std::uint32_t cause = 0;
  std::string text;
  bool operator==(const Reason&) const = default;
};

struct Header {
  std::string name, value;
  bool operator==(const Header&) const = default;
};

// What requests and responses have in common.
struct Message {
  NameAddr from, to;
  std::string callId;
  std::uint32_t cseq = 0;
  Method method = Method::Other;  // of the request, or of the CSeq of a response
  std::string methodName;         // only where `method` is Other

  std::vector<NameAddr> contacts;        // ";expires" stays in the parameters
  bool contactStar = false;              // "Contact: *"
  std::vector<NameAddr> recordRoutes;    // top first
  std::optional<std::uint32_t> expires;  // Expires header
  std::optional<std::uint32_t> retryAfter;
  std::vector<std::string> supported, require, allow, allowEvents, accept;
  std::string userAgent;  // User-Agent of a request, Server of a response

  std::optional<SessionExpires> sessionExpires;
  std::optional<std::uint32_t> minSe;
  std::vector<Reason> reasons;
  std::optional<bool> referSub;  // Refer-Sub (RFC 4488)

  std::string contentType;  // "application/sdp", parameters included
  std::string body;
  std::vector<Header> extraHeaders;  // both ways: every header that has no field here
};

struct Request : Message {
  Uri uri;                       // Request-URI
  std::vector<NameAddr> routes;  // top first
  std::vector<Authorization> authorizations;
  std::optional<RAck> rack;
  // `referTo` keeps the URI's headers ("?Replaces=…"), escapes as written. A Refer-To whose URI is none of those that
  // Uri can hold: `referTo` is empty and `referToUnknown` is set.
  std::optional<NameAddr> referTo, referredBy;
  bool referToUnknown = false;
  // Replaces (RFC 3891). `replacesBad`: there are several, one that cannot be read, or one beside a Join (RFC 3911).
  std::optional<Replaces> replaces;
  bool replacesBad = false;
  std::string event;  // Event of NOTIFY and SUBSCRIBE, parameters included ("talk", "refer;id=2")
  std::string subscriptionState;
};

struct Response : Message {
  int status = 0;      // 100 to 699
  std::string reason;  // reason phrase
  std::vector<Challenge> challenges;
  std::vector<std::string> unsupported;
  std::optional<std::uint32_t> minExpires;
  std::optional<std::uint32_t> rseq;    // RFC 3262 §7.1
  std::vector<NameAddr> serviceRoutes;  // Service-Route of a 2xx to REGISTER (RFC 3608), top first
};

// Numbers of client transactions are chosen by core/sip and never used twice by one UserAgent. Numbers of server
// transactions are chosen by io/sip and not used again while the owner can still hold one: 64 bits counting up.
enum class ClientTransactionId : std::uint64_t {};
enum class ServerTransactionId : std::uint64_t {};

// ---- from core/sip to io/sip ----

// `destination` says where to send it, whatever Request-URI and Route say: host, port and ";transport=" of this URI, to
// be resolved as in RFC 3263. Without a transport it is UDP ("sips:": TLS).
struct SendRequest {
  ClientTransactionId id{};
  Request request;
  Uri destination;
};
// The ACK for a 2xx (RFC 3261 §13.2.2.4): sent once, outside any transaction.
struct SendAck {
  Request request;
  Uri destination;
};
// CANCEL for the INVITE of that transaction. Always after a provisional response was handed up. `reasons` go into the
// CANCEL.
struct CancelRequest {
  ClientTransactionId id{};
  std::vector<Reason> reasons;
};
// 1xx or the final response. A 2xx to INVITE is repeated by io/sip until the ACK comes or 64*T1 have passed.
struct SendResponse {
  ServerTransactionId id{};
  Response response;
};
using Outgoing = std::variant<SendRequest, SendAck, CancelRequest, SendResponse>;

// ---- from io/sip to core/sip ----

// Any request but ACK and CANCEL, each once (retransmissions are absorbed).
struct RequestReceived {
  ServerTransactionId id{};
  Request request;
  SocketAddress source;
};
// ACK for a 2xx. An ACK for 300-699 belongs to its transaction and is not handed up.
struct AckReceived {
  Request request;
};
// The INVITE of that server transaction was cancelled; io/sip has answered the CANCEL itself.
struct CancelReceived {
  ServerTransactionId id{};
  std::vector<Reason> reasons;
};
// Every provisional response, 100 included (a CANCEL waits for the first of them), and the final ones. After a 2xx to
// INVITE every further 2xx is handed up under the same id, whether repeated or from another branch, for 64*T1.
struct ResponseReceived {
  ClientTransactionId id{};
  Response response;
};
// No final response will come.
struct TransactionFailed {
  enum class Cause : std::uint8_t { Timeout, Transport };
  ClientTransactionId id{};
  Cause cause = Cause::Timeout;
  std::string reason;  // a phrase for people, where io/sip knows more than the cause; may be empty
};
using Incoming = std::variant<RequestReceived, AckReceived, CancelReceived, ResponseReceived, TransactionFailed>;

}  // namespace crosspoint::sip
