// a=candidate (RFC 8839 §5.1):
//
//   candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type> [raddr <address>] [rport
//   <port>] ...
#include "core/params/media.h"
#include "core/sdp/scan.h"
#include "core/sdp/sdp.h"

namespace crosspoint::sdp {
namespace {

constexpr struct {
  CandidateType type;
  std::string_view name;
} kTypes[] = {{CandidateType::Host, "host"},
              {CandidateType::ServerReflexive, "srflx"},
              {CandidateType::PeerReflexive, "prflx"},
              {CandidateType::Relayed, "relay"}};

std::unexpected<ParseError> wrong(std::string_view what) { return std::unexpected(ParseError{1, std::string(what)}); }

bool isHostName(std::string_view text) {
  if (text.empty() || text.size() > kTokenBytesMax) return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_' && c != ':' && c != '%') return false;
  }
  return true;
}

// The pairs of words after the type: what we know of them is raddr and rport.
std::optional<SocketAddress> parseRelated(std::string_view rest) {
  std::optional<IpAddress> ip;
  std::optional<std::uint16_t> port;
  for (;;) {
    const auto name = takeWord(rest);
    const auto value = takeWord(rest);
    if (value.empty()) break;
    if (name == "raddr") ip = IpAddress::parse(value);
    if (name == "rport") port = toNumber<std::uint16_t>(value);
  }
  if (!ip || !port) return std::nullopt;
  return SocketAddress{*ip, *port};
}

std::optional<CandidateType> parseType(std::string_view word) {
  for (const auto& known : kTypes) {
    if (namesEqual(known.name, word)) return known.type;
  }
  return std::nullopt;
}

}  // namespace

std::expected<Candidate, ParseError> parseCandidate(std::string_view text) {
  if (text.size() > kLineBytesMax) return wrong("the candidate is too long");
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  text = trimmed(text);
  if (text.starts_with("a=")) text.remove_prefix(2);
  if (!text.starts_with("candidate:")) return wrong("a candidate starts with candidate:");
  text.remove_prefix(10);

  Candidate candidate;
  const auto foundation = takeWord(text);
  if (foundation.empty() || foundation.size() > 32) return wrong("the candidate's foundation has 1 to 32 characters");
  candidate.foundation = foundation;
  const auto component = toNumber<std::uint16_t>(takeWord(text));
  if (!component || *component == 0 || *component > 256)
    return wrong("the candidate's component is no number from 1 to 256");
  candidate.component = *component;
  const auto transport = takeWord(text);
  if (namesEqual(transport, "tcp")) {
    candidate.transport = CandidateTransport::Tcp;
  } else if (!namesEqual(transport, "udp")) {
    return wrong("the candidate's transport is neither UDP nor TCP");
  }
  const auto priority = toNumber<std::uint32_t>(takeWord(text));
  if (!priority) return wrong("the candidate's priority is no 32-bit number");
  candidate.priority = *priority;
  const auto host = takeWord(text);
  if (const auto ip = IpAddress::parse(host)) {
    candidate.address.ip = *ip;
  } else if (isHostName(host)) {
    candidate.hostName = host;
  } else {
    return wrong("the candidate's address is neither an IP address nor a name");
  }
  const auto port = toNumber<std::uint16_t>(takeWord(text));
  if (!port) return wrong("the candidate's port is no 16-bit number");
  candidate.address.port = *port;
  if (takeWord(text) != "typ") return wrong("the candidate has no typ");
  const auto type = parseType(takeWord(text));
  if (!type) return wrong("the candidate's type is unknown");
  candidate.type = *type;
  candidate.related = parseRelated(text);
  return candidate;
}

std::string writeCandidate(const Candidate& candidate) {
  std::string text = "candidate:" + (candidate.foundation.empty() ? "0" : candidate.foundation);
  text += ' ' + std::to_string(candidate.component);
  text += candidate.transport == CandidateTransport::Udp ? " udp " : " tcp ";
  text += std::to_string(candidate.priority) + ' ';
  text += candidate.hostName.empty() ? candidate.address.ip.toString() : candidate.hostName;
  text += ' ' + std::to_string(candidate.address.port) + " typ ";
  for (const auto& known : kTypes) {
    if (known.type == candidate.type) text += known.name;
  }
  // RFC 8839 §5.1: both must be there for all but host candidates.
  if (candidate.related || candidate.type != CandidateType::Host) {
    const auto related = candidate.related.value_or(SocketAddress{});
    text += " raddr " + related.ip.toString() + " rport " + std::to_string(related.port);
  }
  return text;
}

}  // namespace crosspoint::sdp
