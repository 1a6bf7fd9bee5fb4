// The bodies that a page and the gateway exchange: ROAP as JSON in the dialect that pages in the field speak, and the
// few plain words around it. SDP is opaque text here.
//
//     auto body = roap::parsePageBody(text);                        // what a page posted
//     if (!body) return complain(body.error().message);
//     if (auto* message = std::get_if<roap::Message>(&*body)) session.handleMessage(now, *message);
//     std::string text = roap::toPage(message);                     // what a page polls
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace crosspoint::roap {

// What a stranger can make us store. A message above one of them is refused whole.
inline constexpr std::size_t kBodyBytesMax = 128 * 1024;
inline constexpr std::size_t kDepthMax = 8;  // of JSON
inline constexpr std::size_t kSdpBytesMax = 64 * 1024;
inline constexpr std::size_t kCandidatesMax = 128;
inline constexpr std::size_t kCandidateBytesMax = 1'024;  // of any one string of a candidate
inline constexpr std::size_t kAttachedItemsMax = 128;
inline constexpr std::size_t kAttachedBytesMax = 32 * 1024;  // keys and values together
inline constexpr std::size_t kIdBytesMax = 256;
inline constexpr std::size_t kReasonBytesMax = 1'024;
inline constexpr std::size_t kInfoBytesMax = 16 * 1024;  // INFO-MAP, INFO-PEER
inline constexpr std::size_t kDialogBytesMax = 1'024;    // of the dialog that a TRANSFER names

enum class MessageType : std::uint8_t { Offer, Answer, Ok, Error, Shutdown };
std::string_view toString(MessageType);

enum class ErrorType : std::uint8_t { NoMatch, Timeout, Refused, Conflict, DoubleConflict, Failed };
std::string_view toString(ErrorType);  // "NOMATCH", ...

// A session id as a page wrote it: a JSON number or string, echoed as it came. 7 and "7" match.
class SessionId {
 public:
  SessionId() = default;  // null or absent
  static SessionId number(std::uint64_t value);
  static SessionId text(std::string_view value);

  bool isNull() const { return value_.empty() && !quoted_; }
  bool matches(const SessionId& other) const { return isNull() == other.isNull() && value_ == other.value_; }
  const std::string& value() const { return value_; }  // without quotation marks
  bool quoted() const { return quoted_; }
  bool operator==(const SessionId&) const = default;

 private:
  friend struct SessionIdReader;
  std::string value_;
  bool quoted_ = false;
};

// One entry of `Candidates`. `candidate` may start with "candidate:" or "a=candidate:". Where both are there, trust the
// index.
struct CandidateEntry {
  std::string candidate;
  std::optional<std::uint32_t> lineIndex;  // sdpMLineIndex
  std::string mid;                         // sdpMid
  std::string usernameFragment;
  bool operator==(const CandidateEntry&) const = default;
};

struct AttachedItem {
  std::string key, value;  // a value that was a number or a truth value is its JSON text
  bool operator==(const AttachedItem&) const = default;
};

struct Message {
  MessageType type = MessageType::Offer;
  std::string sdp;                         // OFFER, ANSWER
  std::vector<CandidateEntry> candidates;  // OFFER, ANSWER: always written, if only as []
  SessionId offererSessionId, answererSessionId;
  std::optional<std::uint32_t> seq;
  std::optional<std::uint32_t> tiebreaker;  // OFFER
  bool moreComing = false;                  // ANSWER: a provisional one
  std::vector<AttachedItem> attachedData;   // of a page, in every message if it set any
  std::optional<ErrorType> errorType;       // ERROR; one that we do not know is Failed
  // Extensions for our own client: why a call failed.
  std::optional<std::uint16_t> sipStatus;
  std::string reason;
  bool operator==(const Message&) const = default;
};

struct Bye {
  bool operator==(const Bye&) const = default;
};
struct InfoMap {  // to be sent as SIP INFO, application/x-www-form-urlencoded
  std::string content;
  bool operator==(const InfoMap&) const = default;
};
struct InfoPeer {  // to be sent as SIP INFO, application/octet-stream
  std::string content;
  bool operator==(const InfoPeer&) const = default;
};
struct GetStats {
  bool operator==(const GetStats&) const = default;
};
// Extension: the far end of the call is to call somebody else instead (blind), or to take over a call of another page
// or phone (attended), which is named as PROGRESS "answered" told it: "call-id;to-tag=…;from-tag=…".
struct Transfer {
  std::string to;
  std::string replaces;  // empty: blind
  bool operator==(const Transfer&) const = default;
};
using PageBody = std::variant<Message, Bye, InfoMap, InfoPeer, GetStats, Transfer>;

struct ParseError {
  std::string message;  // one sentence, safe to show
  bool operator==(const ParseError&) const = default;
};

// One body that a page posted: `RSMP {json}`, `BYE`, `INFO-MAP a=1&b=2`, `INFO-PEER a=1&b=2`, `GET-STATS`,
// `TRANSFER {json}`.
std::expected<PageBody, ParseError> parsePageBody(std::string_view body);
// The JSON alone.
std::expected<Message, ParseError> parseMessage(std::string_view json);

// The JSON alone. Text is escaped so that a page, which searches the raw body for capitals, takes the message for what
// it is: no OFFER in anything but an OFFER, no ERROR in anything but an ERROR.
std::string toJson(const Message& message);
std::string toPage(const Message& message);    // `SDP {json}`
std::string fromPage(const Message& message);  // `RSMP {json}`, for tests and far ends of ours

}  // namespace crosspoint::roap
