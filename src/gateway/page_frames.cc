#include "gateway/page_frames.h"

#include <optional>

#include "base/scan.h"

namespace crosspoint::gateway {
namespace {

constexpr std::size_t kHeaderLinesMax = 16;
constexpr std::size_t kHeaderLineBytesMax = 1024;  // a peer, which may be remembered, stands in one

// A line without its end, which is LF or CR LF; nothing if there is no end.
std::optional<std::string_view> takeLine(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::expected<bridge::SocketMessage, std::string> parseFrame(bridge::RequestId socket, std::string_view text) {
  bridge::SocketMessage message{.socket = socket};
  bool addressed = false;
  for (std::size_t lines = 0;; ++lines) {
    const auto line = takeLine(text);
    if (!line) return std::unexpected("the header has no empty line behind it");
    if (line->empty()) break;
    if (lines == kHeaderLinesMax) return std::unexpected("too many header lines");
    if (line->size() > kHeaderLineBytesMax) return std::unexpected("a header line is too long");
    const auto colon = line->find(':');
    if (colon == std::string_view::npos) return std::unexpected("a header line is no \"name: value\"");
    const auto name = line->substr(0, colon), value = trimmed(line->substr(colon + 1));
    if (name == "to") {
      message.to = value;
      addressed = true;
    } else if (name == "n" || name == "ack") {
      const auto number = toNumber<std::uint64_t>(value);
      if (!number) return std::unexpected(std::string(name) + " is not a number");
      (name == "n" ? message.number : message.acknowledged) = number;
    }
  }
  if (!message.number && !message.acknowledged) return std::unexpected("neither n nor ack is there");
  if (message.number && !addressed) return std::unexpected("a message has no to");
  if (!message.number && !text.empty()) return std::unexpected("a message has no n");
  message.body = text;
  return message;
}

std::string frameText(const bridge::PageReply& reply) {
  std::string text;
  text.reserve(64 + reply.peer.size() + reply.body.size());
  if (reply.sequence) text += "sequence: " + std::to_string(*reply.sequence) + "\n";
  if (reply.taken) text += "taken: " + std::to_string(*reply.taken) + "\n";
  if (!reply.peer.empty()) {
    text += "peer: ";
    for (const char c : reply.peer) {
      if (c != '\r' && c != '\n') text += c;
    }
    text += "\n";
  }
  text += "\n";
  text += reply.body;
  return text;
}

}  // namespace crosspoint::gateway
