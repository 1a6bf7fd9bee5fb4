// Reading bodies. Everything is checked against its limit before it is kept.
#include "core/roap/message.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "base/scan.h"

namespace crosspoint::roap {
namespace {

namespace json = boost::json;

constexpr std::pair<MessageType, std::string_view> kTypes[] = {{MessageType::Offer, "OFFER"},
                                                               {MessageType::Answer, "ANSWER"},
                                                               {MessageType::Ok, "OK"},
                                                               {MessageType::Error, "ERROR"},
                                                               {MessageType::Shutdown, "SHUTDOWN"}};

constexpr std::pair<ErrorType, std::string_view> kErrors[] = {
    {ErrorType::NoMatch, "NOMATCH"},   {ErrorType::Timeout, "TIMEOUT"}, {ErrorType::Refused, "REFUSED"},
    {ErrorType::Conflict, "CONFLICT"}, {ErrorType::Failed, "FAILED"},   {ErrorType::DoubleConflict, "DOUBLECONFLICT"},
};

// Thrown and caught inside this file only: the first thing that is wrong ends the reading.
struct Wrong {
  std::string message;
};

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// Absent, null and an empty string are the same: applications fill unused settings with any of them.
const json::value* find(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (!value || value->is_null() || (value->is_string() && value->get_string().empty())) return nullptr;
  return value;
}

std::string text(const json::object& object, std::string_view key, std::size_t bytesMax) {
  const auto* value = find(object, key);
  if (!value) return {};
  if (!value->is_string()) throw Wrong{std::string(key) + " is no string"};
  if (value->get_string().size() > bytesMax) throw Wrong{std::string(key) + " is too long"};
  return std::string(view(value->get_string()));
}

// A number, or digits in a string.
std::optional<std::uint64_t> number(const json::object& object, std::string_view key, std::uint64_t max) {
  const auto* value = find(object, key);
  if (!value) return std::nullopt;
  std::optional<std::uint64_t> result;
  if (value->is_uint64()) result = value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0) result = static_cast<std::uint64_t>(value->get_int64());
  if (value->is_double()) {
    const double real = value->get_double();
    if (real >= 0 && real <= 9e15 && std::floor(real) == real) result = static_cast<std::uint64_t>(real);
  }
  if (value->is_string()) result = toNumber<std::uint64_t>(view(value->get_string()));
  if (!result || *result > max) throw Wrong{std::string(key) + " is no number from 0 to " + std::to_string(max)};
  return result;
}

CandidateEntry readCandidate(const json::value& value) {
  CandidateEntry entry;
  if (value.is_string()) {
    entry.candidate = view(value.get_string());
    if (entry.candidate.size() > kCandidateBytesMax) throw Wrong{"a candidate is too long"};
    return entry;
  }
  if (!value.is_object()) throw Wrong{"an entry of Candidates is no object"};
  const auto& object = value.get_object();
  entry.candidate = text(object, "candidate", kCandidateBytesMax);
  entry.mid = text(object, "sdpMid", kCandidateBytesMax);
  entry.usernameFragment = text(object, "usernameFragment", kCandidateBytesMax);
  if (const auto index = number(object, "sdpMLineIndex", 0xffff)) entry.lineIndex = static_cast<std::uint32_t>(*index);
  return entry;
}

std::vector<CandidateEntry> readCandidates(const json::object& object) {
  const auto* value = find(object, "Candidates");
  if (!value) value = find(object, "candidates");
  std::vector<CandidateEntry> entries;
  if (!value) return entries;
  if (!value->is_array()) throw Wrong{"Candidates is no array"};
  const auto& array = value->get_array();
  if (array.size() > kCandidatesMax)
    throw Wrong{"there are more than " + std::to_string(kCandidatesMax) + " candidates"};
  for (const auto& element : array) {
    auto entry = readCandidate(element);
    if (!entry.candidate.empty()) entries.push_back(std::move(entry));  // an empty one says that there are no more
  }
  return entries;
}

// A string, or what JSON says for anything else that is no structure.
std::string scalar(const json::object& object, std::string_view key, std::string_view what) {
  const auto* value = find(object, key);
  if (!value) return {};
  if (value->is_structured()) throw Wrong{std::string(what) + " has a " + std::string(key) + " that is no plain value"};
  return value->is_string() ? std::string(view(value->get_string())) : json::serialize(*value);
}

std::vector<AttachedItem> readAttachedData(const json::object& object) {
  const auto* value = find(object, "attacheddata");
  std::vector<AttachedItem> items;
  if (!value) return items;
  if (!value->is_array()) throw Wrong{"attacheddata is no array"};
  std::size_t bytes = 0;
  for (const auto& element : value->get_array()) {
    if (items.size() == kAttachedItemsMax)
      throw Wrong{"attacheddata has more than " + std::to_string(kAttachedItemsMax) + " entries"};
    if (!element.is_object()) throw Wrong{"an entry of attacheddata is no object"};
    const auto& entry = element.get_object();
    AttachedItem item{scalar(entry, "key", "attacheddata"), scalar(entry, "value", "attacheddata")};
    bytes += item.key.size() + item.value.size();
    if (bytes > kAttachedBytesMax)
      throw Wrong{"attacheddata has more than " + std::to_string(kAttachedBytesMax) + " bytes"};
    items.push_back(std::move(item));
  }
  return items;
}

template <typename Enum, std::size_t kCount>
std::optional<Enum> byName(const std::pair<Enum, std::string_view> (&table)[kCount], std::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

template <typename Enum, std::size_t kCount>
std::string_view nameOf(const std::pair<Enum, std::string_view> (&table)[kCount], Enum value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return {};
}

}  // namespace

struct SessionIdReader {
  static std::string numberText(const json::value& value) {
    if (!value.is_double()) return json::serialize(value);
    std::array<char, 32> text;  // the shortest form of a double has at most 24 characters
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value.get_double());
    return error == std::errc{} ? std::string(text.data(), end) : "0";
  }
  static SessionId read(const json::object& object, std::string_view key) {
    SessionId id;
    const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
    if (!value || value->is_null()) return id;
    if (!value->is_string() && !value->is_number()) throw Wrong{std::string(key) + " is neither a number nor a string"};
    id.quoted_ = value->is_string();
    id.value_ = id.quoted_ ? std::string(view(value->get_string())) : numberText(*value);
    if (id.value_.size() > kIdBytesMax) throw Wrong{std::string(key) + " is too long"};
    if (value->is_double() && !std::isfinite(value->get_double())) throw Wrong{std::string(key) + " is too large"};
    return id;
  }
};

SessionId SessionId::number(std::uint64_t value) {
  SessionId id;
  id.value_ = std::to_string(value);
  return id;
}

SessionId SessionId::text(std::string_view value) {
  SessionId id;
  id.value_ = value;
  id.quoted_ = true;
  return id;
}

std::string_view toString(MessageType type) { return nameOf(kTypes, type); }
std::string_view toString(ErrorType type) { return nameOf(kErrors, type); }

namespace {

Message readMessage(const json::object& object) {
  Message message;
  const auto type = byName(kTypes, text(object, "messageType", kIdBytesMax));
  if (!type) throw Wrong{"messageType is none of OFFER, ANSWER, OK, ERROR and SHUTDOWN"};
  message.type = *type;
  message.offererSessionId = SessionIdReader::read(object, "offererSessionId");
  message.answererSessionId = SessionIdReader::read(object, "answererSessionId");
  if (const auto seq = number(object, "seq", 0xffffffff)) message.seq = static_cast<std::uint32_t>(*seq);
  message.attachedData = readAttachedData(object);
  if (*type == MessageType::Offer || *type == MessageType::Answer) {
    message.sdp = text(object, "sdp", kSdpBytesMax);
    message.candidates = readCandidates(object);
    const auto* more = find(object, "moreComing");
    message.moreComing = more && more->is_bool() && more->get_bool();
  }
  if (*type == MessageType::Offer) {
    auto tiebreaker = number(object, "tiebreaker", 0xffffffff);
    if (!tiebreaker) tiebreaker = number(object, "tieBreaker", 0xffffffff);
    if (tiebreaker) message.tiebreaker = static_cast<std::uint32_t>(*tiebreaker);
  }
  if (*type == MessageType::Error) {
    message.errorType = byName(kErrors, text(object, "errorType", kIdBytesMax)).value_or(ErrorType::Failed);
  }
  if (const auto status = number(object, "sipStatus", 999)) message.sipStatus = static_cast<std::uint16_t>(*status);
  message.reason = text(object, "reason", kReasonBytesMax);
  return message;
}

std::unexpected<ParseError> error(std::string message) { return std::unexpected(ParseError{std::move(message)}); }

Transfer readTransfer(const json::object& object) {
  Transfer transfer{.to = scalar(object, "to", "the transfer"), .replaces = text(object, "replaces", kDialogBytesMax)};
  if (transfer.to.empty()) throw Wrong{"a transfer needs a target"};
  if (transfer.to.size() > kIdBytesMax) throw Wrong{"the target of the transfer is too long"};
  return transfer;
}

// Parses one JSON object and gives it to `reader`.
template <typename Result>
std::expected<Result, ParseError> read(std::string_view text, Result (*reader)(const json::object&)) {
  if (text.size() > kBodyBytesMax)
    return error("the message has more than " + std::to_string(kBodyBytesMax) + " bytes");
  std::array<unsigned char, 16 * 1024> room;  // most messages fit; a larger one takes what it needs from the heap
  json::monotonic_resource memory(room.data(), room.size());
  json::error_code wrong;
  json::parse_options options;
  options.max_depth = kDepthMax;
  const auto value = json::parse(json::string_view(text.data(), text.size()), wrong, &memory, options);
  if (wrong == json::error::too_deep) return error("the JSON is nested too deeply");
  if (wrong) return error("the message is not well-formed JSON");
  if (!value.is_object()) return error("the message is no JSON object");
  try {
    return reader(value.get_object());
  } catch (Wrong& reason) {
    return error(std::move(reason.message));
  }
}

template <typename Info>
std::expected<PageBody, ParseError> readInfo(std::string_view content) {
  if (content.size() > kInfoBytesMax)
    return error("the data has more than " + std::to_string(kInfoBytesMax) + " bytes");
  return Info{std::string(content)};
}

std::string_view withoutBlanksBehind(std::string_view body) {
  while (!body.empty() && static_cast<unsigned char>(body.back()) <= ' ') body.remove_suffix(1);
  return body;
}

}  // namespace

std::expected<Message, ParseError> parseMessage(std::string_view text) { return read<Message>(text, readMessage); }

std::expected<PageBody, ParseError> parsePageBody(std::string_view body) {
  if (body.size() > kBodyBytesMax)
    return error("the message has more than " + std::to_string(kBodyBytesMax) + " bytes");
  if (body.starts_with("RSMP ")) return parseMessage(body.substr(5));
  if (body.starts_with("INFO-MAP ")) return readInfo<InfoMap>(body.substr(9));
  if (body.starts_with("INFO-PEER ")) return readInfo<InfoPeer>(body.substr(10));
  if (body.starts_with("TRANSFER ")) return read<Transfer>(body.substr(9), readTransfer);
  const auto word = withoutBlanksBehind(body);
  if (word == "BYE") return Bye{};
  if (word == "GET-STATS") return GetStats{};
  return error("the body is none of RSMP, BYE, INFO-MAP, INFO-PEER, GET-STATS and TRANSFER");
}

}  // namespace crosspoint::roap
