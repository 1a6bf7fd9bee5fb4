// Writing messages. A page looks for capitals in the raw body before it reads the JSON, so user data must not hold
// them.
#include <boost/json.hpp>

#include "core/roap/message.h"

namespace crosspoint::roap {
namespace {

namespace json = boost::json;

class Writer {
 public:
  std::string run(const Message& message) {
    text("messageType", toString(message.type));
    if (message.type == MessageType::Offer || message.type == MessageType::Answer) {
      text("sdp", message.sdp);
      candidates(message.candidates);
    }
    id("offererSessionId", message.offererSessionId);
    id("answererSessionId", message.answererSessionId);
    if (message.seq) number("seq", *message.seq);
    if (message.tiebreaker && message.type == MessageType::Offer) number("tiebreaker", *message.tiebreaker);
    if (message.moreComing) raw("moreComing", "true");
    if (message.errorType && message.type == MessageType::Error) text("errorType", toString(*message.errorType));
    if (message.sipStatus) number("sipStatus", *message.sipStatus);
    if (!message.reason.empty()) text("reason", message.reason);
    if (!message.attachedData.empty()) attachedData(message.attachedData);
    return out_ + '}';
  }

 private:
  static std::string quoted(std::string_view value) {
    return json::serialize(json::string(value.data(), value.size()));
  }

  void raw(std::string_view key, std::string_view value) {
    out_ += out_.empty() ? "{\"" : ",\"";
    out_ += key;
    out_ += "\":";
    out_ += value;
  }
  void text(std::string_view key, std::string_view value) { raw(key, quoted(value)); }
  void number(std::string_view key, std::uint64_t value) { raw(key, std::to_string(value)); }
  void id(std::string_view key, const SessionId& value) {
    raw(key, value.isNull() ? "null" : value.quoted() ? quoted(value.value()) : value.value());
  }

  void candidates(const std::vector<CandidateEntry>& entries) {
    std::string array;
    for (const auto& entry : entries) {
      Writer object;
      object.text("candidate", entry.candidate);
      // An entry with neither leaves a page stuck.
      if (!entry.mid.empty()) object.text("sdpMid", entry.mid);
      if (entry.lineIndex || entry.mid.empty()) object.number("sdpMLineIndex", entry.lineIndex.value_or(0));
      if (!entry.usernameFragment.empty()) object.text("usernameFragment", entry.usernameFragment);
      array += (array.empty() ? "" : ",") + object.out_ + '}';
    }
    raw("Candidates", '[' + array + ']');
  }

  void attachedData(const std::vector<AttachedItem>& items) {
    std::string array;
    for (const auto& item : items) {
      Writer object;
      object.text("key", item.key);
      object.text("value", item.value);
      array += (array.empty() ? "" : ",") + object.out_ + '}';
    }
    raw("attacheddata", '[' + array + ']');
  }

  std::string out_;
};

// The capitals can stand inside JSON strings only, where the escape means the same letter.
void hide(std::string& json, std::string_view word, std::string_view escaped) {
  for (auto at = json.find(word); at != std::string::npos; at = json.find(word, at + escaped.size())) {
    json.replace(at, word.size(), escaped);
  }
}

}  // namespace

std::string toJson(const Message& message) {
  auto json = Writer().run(message);
  if (message.type != MessageType::Offer) hide(json, "OFFER", "OFF\\u0045R");
  if (message.type != MessageType::Error) hide(json, "ERROR", "ERR\\u004fR");
  return json;
}

std::string toPage(const Message& message) { return "SDP " + toJson(message); }
std::string fromPage(const Message& message) { return "RSMP " + toJson(message); }

}  // namespace crosspoint::roap
