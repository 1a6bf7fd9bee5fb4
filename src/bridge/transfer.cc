#include "bridge/transfer.h"

#include <algorithm>
#include <boost/json.hpp>

namespace crosspoint::bridge {
namespace {

// RFC 3261 §25.1: a Call-ID is of words and one "@", a tag is a token.
bool isWord(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && c != ';' && c != ',' && c != '=' && c != '"' && c != '<' && c != '>';
  });
}

}  // namespace

std::string dialogText(const sip::Replaces& dialog) {
  return dialog.callId + ";to-tag=" + dialog.toTag + ";from-tag=" + dialog.fromTag;
}

std::optional<sip::Replaces> parseDialog(std::string_view text) {
  sip::Replaces dialog;
  const auto end = std::min(text.find(';'), text.size());
  dialog.callId = text.substr(0, end);
  text.remove_prefix(end);
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view parameter = text.substr(0, text.find(';'));
    text.remove_prefix(parameter.size());
    if (parameter.starts_with("to-tag="))
      dialog.toTag = parameter.substr(7);
    else if (parameter.starts_with("from-tag="))
      dialog.fromTag = parameter.substr(9);
    else if (parameter == "early-only")
      dialog.earlyOnly = true;
    else
      return std::nullopt;
  }
  if (!isWord(dialog.callId) || !isWord(dialog.toTag) || !isWord(dialog.fromTag)) return std::nullopt;
  return dialog;
}

std::string progressMessage(std::string_view state, int sipStatus, std::string_view reason, std::string_view dialog) {
  namespace json = boost::json;
  json::object message;
  message["state"] = json::string(state.data(), state.size());
  if (sipStatus != 0) message["sipStatus"] = sipStatus;
  if (!reason.empty()) message["reason"] = json::string(reason.data(), reason.size());
  if (!dialog.empty()) message["dialog"] = json::string(dialog.data(), dialog.size());
  return "PROGRESS " + json::serialize(message);
}

}  // namespace crosspoint::bridge
