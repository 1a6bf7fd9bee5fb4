#include "core/sdp/section_reader.h"

#include <algorithm>

#include "core/sdp/scan.h"

namespace crosspoint::sdp {
namespace {

bool isToken(std::string_view text) { return !text.empty() && text.size() <= kTokenBytesMax; }

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "sha-256 4A:AD:…" (RFC 8122 §5).
std::optional<Fingerprint> parseFingerprint(std::string_view value) {
  Fingerprint print;
  const auto algorithm = takeWord(value);
  if (!isToken(algorithm)) return std::nullopt;
  for (const char c : algorithm) print.algorithm += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  auto digits = takeWord(value);
  while (!digits.empty()) {
    const auto pair = takeUntil(digits, ':');
    if (pair.size() != 2 || hexDigit(pair[0]) < 0 || hexDigit(pair[1]) < 0) return std::nullopt;
    if (print.digest.size() == kFingerprintBytesMax) return std::nullopt;
    print.digest.push_back(static_cast<std::uint8_t>(hexDigit(pair[0]) * 16 + hexDigit(pair[1])));
  }
  if (print.digest.empty()) return std::nullopt;
  return print;
}

std::optional<DtlsSetup> parseSetup(std::string_view value) {
  if (value == "actpass") return DtlsSetup::ActPass;
  if (value == "active") return DtlsSetup::Active;
  if (value == "passive") return DtlsSetup::Passive;
  return std::nullopt;
}

std::optional<Direction> parseDirection(std::string_view name) {
  if (name == "sendrecv") return Direction::SendRecv;
  if (name == "sendonly") return Direction::SendOnly;
  if (name == "recvonly") return Direction::RecvOnly;
  if (name == "inactive") return Direction::Inactive;
  return std::nullopt;
}

// "-" stands for no stream (RFC 8830 §2).
std::string streamName(std::string_view word) {
  return isToken(word) && word != "-" ? std::string(word) : std::string();
}

}  // namespace

bool readSharedAttribute(std::string_view name, std::string_view value, SessionDefaults& into) {
  if (const auto direction = parseDirection(name)) {
    into.direction = direction;
  } else if (name == "setup") {
    if (const auto setup = parseSetup(value)) into.setup = setup;
  } else if (name == "ice-ufrag") {
    if (isToken(value)) into.ufrag = value;
  } else if (name == "ice-pwd") {
    if (isToken(value)) into.password = value;
  } else if (name == "fingerprint") {
    auto print = parseFingerprint(value);
    if (print && into.fingerprints.size() < kFingerprintsMax) into.fingerprints.push_back(std::move(*print));
  } else {
    return false;
  }
  return true;
}

std::optional<IpAddress> parseConnection(std::string_view value) {
  if (!namesEqual(takeWord(value), "IN")) return std::nullopt;
  takeWord(value);
  auto address = takeWord(value);
  return IpAddress::parse(takeUntil(address, '/'));
}

// <media> <port>["/"<count>] <protocol> <format> …
std::expected<SectionReader, std::string> SectionReader::start(std::string_view value) {
  SectionReader reader;
  const auto media = takeWord(value);
  auto portWord = takeWord(value);
  const auto protocol = takeWord(value);
  const auto port = toNumber<std::uint16_t>(takeUntil(portWord, '/'));
  if (!isToken(media)) return std::unexpected("the m-line names no medium");
  if (!port) return std::unexpected("the m-line's port is no 16-bit number");
  if (!isToken(protocol)) return std::unexpected("the m-line names no protocol");
  auto& section = reader.section_;
  section.media = media;
  section.port = *port;
  section.protocol = protocol;
  const bool rtp = protocol.find("RTP/") != std::string_view::npos;
  section.kind = rtp && media == "audio"   ? MediaKind::Audio
                 : rtp && media == "video" ? MediaKind::Video
                                           : MediaKind::Other;
  if (auto wrong = reader.formats(value)) return std::unexpected(std::move(*wrong));
  return reader;
}

std::optional<std::string> SectionReader::formats(std::string_view words) {
  std::size_t count = 0;
  for (auto word = takeWord(words); !word.empty(); word = takeWord(words)) {
    if (++count > kFormatsMax) return "the m-line lists more than " + std::to_string(kFormatsMax) + " formats";
    if (section_.kind == MediaKind::Other) {
      if (isToken(word)) section_.formats.emplace_back(word);
      continue;
    }
    const auto payloadType = toNumber<std::uint8_t>(word);
    if (!payloadType || *payloadType > 127) return "the m-line lists a format that is no number from 0 to 127";
    if (!formats_.try_emplace(*payloadType, Format{.codec = staticCodec(*payloadType)}).second) continue;
    order_.push_back(*payloadType);
  }
  return std::nullopt;
}

void SectionReader::connection(std::string_view value) {
  if (const auto address = parseConnection(value)) own_.connection = address;
}

void SectionReader::bandwidth(std::string_view value) {
  if (takeUntil(value, ':') == "AS") section_.bandwidthKbps = toNumber<std::uint32_t>(trimmed(value));
}

void SectionReader::attribute(std::string_view name, std::string_view value) {
  if (readSharedAttribute(name, value, own_) || codecAttribute(name, value) || streamAttribute(name, value) ||
      transportAttribute(name, value)) {
    return;
  }
  otherAttribute(name, value);
}

// Only payload numbers that the m-line lists are kept, which bounds the map.
SectionReader::Format* SectionReader::format(std::string_view payloadType) {
  const auto number = toNumber<std::uint8_t>(payloadType);
  const auto found = number ? formats_.find(*number) : formats_.end();
  return found == formats_.end() ? nullptr : &found->second;
}

bool SectionReader::codecAttribute(std::string_view name, std::string_view value) {
  if (name == "rtpmap") {
    rtpmap(value);
  } else if (name == "fmtp") {
    if (auto* known = format(takeWord(value)); known && known->parameters.empty()) known->parameters = trimmed(value);
  } else if (name == "rtcp-fb") {
    feedback(value);
  } else {
    return false;
  }
  return true;
}

// <payload number> <name>/<clock rate>[/<channels>]
void SectionReader::rtpmap(std::string_view value) {
  auto* known = format(takeWord(value));
  auto encoding = takeWord(value);
  const auto name = takeUntil(encoding, '/');
  const auto clockRate = toNumber<std::uint32_t>(takeUntil(encoding, '/'));
  if (!known || !isToken(name) || !clockRate || *clockRate == 0) return;
  Codec codec;
  codec.name = name;
  codec.clockRate = *clockRate;
  codec.channels = std::max<std::uint8_t>(toNumber<std::uint8_t>(encoding).value_or(1), 1);
  known->codec = std::move(codec);
}

void SectionReader::feedback(std::string_view value) {
  const auto payloadType = takeWord(value);
  value = trimmed(value);
  if (!isToken(value)) return;
  auto* known = payloadType == "*" ? nullptr : format(payloadType);
  auto* list = payloadType == "*" ? &feedbackForAll_ : known ? &known->feedback : nullptr;
  if (list && list->size() < kFeedbacksMax) list->emplace_back(value);
}

bool SectionReader::streamAttribute(std::string_view name, std::string_view value) {
  if (name == "msid") {
    msid(value);
  } else if (name == "ssrc") {
    ssrc(value);
  } else if (name == "ssrc-group") {
    ssrcGroup(value);
  } else if (name == "extmap") {
    extension(value);
  } else {
    return false;
  }
  return true;
}

void SectionReader::msid(std::string_view value) {
  if (!section_.streamId.empty() || !section_.trackId.empty()) return;
  section_.streamId = streamName(takeWord(value));
  section_.trackId = streamName(takeWord(value));
}

// <ssrc> <attribute>[:<value>] (RFC 5576 §4.1)
void SectionReader::ssrc(std::string_view value) {
  const auto number = toNumber<std::uint32_t>(takeWord(value));
  if (!number) return;
  auto found = std::ranges::find(section_.ssrcs, *number, &SsrcDescription::ssrc);
  if (found == section_.ssrcs.end()) {
    if (section_.ssrcs.size() == kSsrcsMax) return;
    found = section_.ssrcs.insert(found, SsrcDescription{.ssrc = *number});
  }
  value = trimmed(value);
  const auto name = takeUntil(value, ':');
  if (name == "cname" && isToken(value)) found->cname = value;
  if (name == "msid") {
    found->streamId = streamName(takeWord(value));
    found->trackId = streamName(takeWord(value));
  }
}

void SectionReader::ssrcGroup(std::string_view value) {
  const auto semantics = takeWord(value);
  if (!isToken(semantics) || section_.ssrcGroups.size() == kSsrcGroupsMax) return;
  SsrcGroup group{std::string(semantics), {}};
  for (auto word = takeWord(value); !word.empty() && group.ssrcs.size() < kSsrcsMax; word = takeWord(value)) {
    if (const auto number = toNumber<std::uint32_t>(word)) group.ssrcs.push_back(*number);
  }
  section_.ssrcGroups.push_back(std::move(group));
}

// <id>["/"<direction>] <uri> … (RFC 8285 §5). Ids above 255 are offers to choose one, which nobody makes.
void SectionReader::extension(std::string_view value) {
  auto idWord = takeWord(value);
  const auto uri = takeWord(value);
  const auto id = toNumber<std::uint8_t>(takeUntil(idWord, '/'));
  if (!id || *id == 0 || !isToken(uri) || section_.extensions.size() == kExtensionsMax) return;
  section_.extensions.push_back({*id, std::string(uri)});
}

bool SectionReader::transportAttribute(std::string_view name, std::string_view value) {
  if (name == "candidate") {
    if (section_.candidates.size() == kCandidatesMax) return true;
    if (auto candidate = parseCandidate("candidate:" + std::string(value))) {
      section_.candidates.push_back(std::move(*candidate));
    }
  } else if (name == "end-of-candidates") {
    section_.endOfCandidates = true;
  } else if (name == "rtcp") {
    rtcp(value);
  } else if (name == "rtcp-mux") {
    section_.rtcpMux = true;
  } else if (name == "rtcp-rsize") {
    section_.rtcpReducedSize = true;
  } else if (name == "crypto") {
    crypto(value);
  } else {
    return false;
  }
  return true;
}

// <port> [IN IP4 <address>] (RFC 3605 §2.1)
void SectionReader::rtcp(std::string_view value) {
  const auto port = toNumber<std::uint16_t>(takeWord(value));
  if (!port) return;
  section_.rtcp.reset();
  rtcpPort_ = port;
  if (const auto address = parseConnection(value)) section_.rtcp = SocketAddress{*address, *port};
}

// <tag> <suite> <key parameters> [<session parameters>] (RFC 4568 §9.1)
void SectionReader::crypto(std::string_view value) {
  SdesCrypto crypto;
  const auto tag = toNumber<std::uint32_t>(takeWord(value));
  const auto suite = takeWord(value);
  const auto keys = takeWord(value);
  if (!tag || !isToken(suite) || !isToken(keys) || section_.crypto.size() == kCryptosMax) return;
  crypto.tag = *tag;
  crypto.suite = suite;
  crypto.keyParameters = keys;
  crypto.sessionParameters = trimmed(value);
  section_.crypto.push_back(std::move(crypto));
}

void SectionReader::otherAttribute(std::string_view name, std::string_view value) {
  if (name == "mid") {
    if (isToken(value)) section_.mid = value;
  } else if (name == "bundle-only") {
    section_.bundleOnly = true;
  } else if (name == "ptime") {
    section_.packetTimeMs = toNumber<std::uint32_t>(value);
  } else if (name == "maxptime") {
    section_.maxPacketTimeMs = toNumber<std::uint32_t>(value);
  }
}

MediaSection SectionReader::finish(const SessionDefaults& session) && {
  section_.connection = own_.connection ? own_.connection : session.connection;
  section_.direction = own_.direction.value_or(session.direction.value_or(Direction::SendRecv));
  section_.setup = own_.setup ? own_.setup : session.setup;
  section_.fingerprints = std::move(own_.fingerprints);
  if (section_.fingerprints.empty()) section_.fingerprints = session.fingerprints;
  const auto& ufrag = own_.ufrag.empty() ? session.ufrag : own_.ufrag;
  const auto& password = own_.password.empty() ? session.password : own_.password;
  if (!ufrag.empty() && !password.empty()) section_.ice = IceCredentials{ufrag, password};
  if (rtcpPort_ && !section_.rtcp) {
    section_.rtcp = SocketAddress{section_.connection.value_or(IpAddress{}), *rtcpPort_};
  }
  for (const auto payloadType : order_) {
    auto& format = formats_[payloadType];
    if (!format.codec) continue;
    auto& codec = section_.codecs.emplace_back(std::move(*format.codec));
    codec.payloadType = payloadType;
    codec.parameters = std::move(format.parameters);
    codec.feedback = feedbackForAll_;
    for (auto& entry : format.feedback) {
      if (codec.feedback.size() < kFeedbacksMax) codec.feedback.push_back(std::move(entry));
    }
  }
  if (section_.codecs.empty()) {  // so that an m-line without a known codec, often a refused one, can be written again
    for (const auto payloadType : order_) section_.formats.push_back(std::to_string(payloadType));
  }
  return std::move(section_);
}

}  // namespace crosspoint::sdp
