#include "io/sip/server/media_call.h"

#include <algorithm>

#include "core/sdp/sdp.h"
#include "io/loop/clock.h"
#include "io/sip/server/reflection.h"

namespace crosspoint::sip {
namespace {

constexpr Duration kFrame = std::chrono::milliseconds(20);
constexpr int kLateFramesMax = 10;  // after a longer stall the tune goes on from now
constexpr std::size_t kRtpHeaderBytes = 12;
constexpr std::uint8_t kPcmu = 0, kPcma = 8;  // RFC 3551 §6

bool nameIsOneOf(const Codec& codec, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](auto name) { return namesEqual(codec.name, name); });
}

bool isTelephoneEvent(const Codec& codec) { return namesEqual(codec.name, "telephone-event"); }

MediaSection refused(const MediaSection& offered) {
  MediaSection section;
  section.kind = offered.kind;
  section.media = offered.media;
  section.protocol = offered.protocol;
  section.formats = offered.formats;
  section.codecs = offered.codecs;
  section.mid = offered.mid;
  section.port = 0;
  section.direction = Direction::Inactive;
  return section;
}

}  // namespace

MediaCall::MediaCall(Kind kind, su_root_t* root, TimerQueue& timers, Random& random, const IpAddress& address,
                     std::uint64_t& packets)
    : kind_(kind),
      root_(root),
      timers_(timers),
      random_(random),
      address_(address),
      packets_(packets),
      sessionId_(random.next<std::uint32_t>()),
      ssrc_(random.next<std::uint32_t>()),
      timestamp_(random.next<std::uint32_t>()),
      sequence_(random.next<std::uint16_t>()) {}

MediaCall::~MediaCall() { timers_.cancel(playTimer_); }

std::vector<Codec> MediaCall::usable(const MediaSection& offered) const {
  std::vector<Codec> codecs;
  bool useful = false;
  for (const Codec& codec : offered.codecs) {
    const bool media = kind_ == Kind::Music               ? nameIsOneOf(codec, {"PCMU", "PCMA"})
                       : offered.kind == MediaKind::Audio ? nameIsOneOf(codec, {"PCMU", "PCMA", "G722", "opus"})
                                                          : nameIsOneOf(codec, {"VP8", "H264"});
    if (!media && !(kind_ == Kind::Echo && isTelephoneEvent(codec))) continue;
    useful = useful || media;
    codecs.push_back(codec);
  }
  if (!useful) codecs.clear();
  return codecs;
}

MediaCall::Stream* MediaCall::streamFor(MediaKind kind) {
  auto& stream = streams_[kind == MediaKind::Video ? 1 : 0];
  if (stream) return stream.get();
  auto port =
      MediaPort::open(root_, address_, [this, kind](MediaSocket socket, MutableBytes datagram, const auto& source) {
        receive(kind, socket, datagram, source);
      });
  if (!port) return nullptr;
  stream = std::make_unique<Stream>();
  stream->port = std::move(port);
  return stream.get();
}

void MediaCall::follow(Stream& stream, const MediaSection& remote, bool sends) {
  const IpAddress ip = remote.connection.value_or(IpAddress());
  stream.rtp = {ip, remote.port};
  stream.rtcpMux = remote.rtcpMux;
  stream.rtcp = remote.rtcpMux ? stream.rtp : SocketAddress{ip, static_cast<std::uint16_t>(remote.port + 1)};
  if (remote.rtcp && !remote.rtcpMux) stream.rtcp = *remote.rtcp;
  stream.sends = sends && !ip.isUnspecified();  // c=0.0.0.0 is the old way to hold (RFC 3264 §8.4)
  for (const Codec& codec : remote.codecs) {
    if (!nameIsOneOf(codec, {"PCMU", "PCMA"})) continue;
    stream.law = namesEqual(codec.name, "PCMU") ? Melody::Law::Mu : Melody::Law::A;
    stream.payloadType = codec.payloadType;
    break;
  }
}

MediaSection MediaCall::answerSection(const MediaSection& offered, std::array<bool, 2>& used) {
  const bool plain = offered.protocol == "RTP/AVP" || offered.protocol == "RTP/AVPF";
  const bool wanted = offered.kind == MediaKind::Audio || (offered.kind == MediaKind::Video && kind_ == Kind::Echo);
  if (!plain || !wanted || offered.refused()) return refused(offered);
  bool& taken = used[offered.kind == MediaKind::Video ? 1 : 0];
  auto codecs = usable(offered);
  Stream* stream = taken || codecs.empty() ? nullptr : streamFor(offered.kind);
  if (!stream) return refused(offered);
  taken = true;

  MediaSection section;
  section.kind = offered.kind;
  section.media = offered.media;
  section.protocol = offered.protocol;
  section.port = stream->port->rtpPort();
  section.codecs = std::move(codecs);
  section.direction = reversed(offered.direction);
  section.mid = offered.mid;
  section.rtcpMux = offered.rtcpMux;
  section.packetTimeMs = offered.packetTimeMs;
  if (kind_ == Kind::Music) section.direction = intersection(section.direction, Direction::SendOnly);
  MediaSection remote = offered;
  remote.codecs = section.codecs;
  follow(*stream, remote, crosspoint::sends(section.direction));
  return section;
}

std::string MediaCall::write(std::vector<MediaSection> sections) {
  SessionDescription description;
  description.sessionId = sessionId_;
  description.sessionVersion = ++sessionVersion_;
  description.originAddress = address_;
  description.connection = address_;
  description.sections = std::move(sections);
  return sdp::write(description);
}

std::optional<std::string> MediaCall::answer(const std::string& offer) {
  const auto description = sdp::parse(offer);
  if (!description) return std::nullopt;
  std::array<bool, 2> used{};
  std::vector<MediaSection> sections;
  for (const auto& offered : description->sections) sections.push_back(answerSection(offered, used));
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) streams_[i].reset();
  }
  if (!used[0] && !used[1]) return std::nullopt;
  schedulePlay();
  return write(std::move(sections));
}

std::optional<std::string> MediaCall::offer() {
  Stream* stream = streamFor(MediaKind::Audio);
  if (!stream) return std::nullopt;
  MediaSection section;
  section.port = stream->port->rtpPort();
  section.codecs = {*sdp::staticCodec(kPcmu), *sdp::staticCodec(kPcma)};
  if (kind_ == Kind::Music) section.direction = Direction::SendOnly;
  return write({std::move(section)});
}

void MediaCall::setAnswer(const std::string& answer) {
  const auto description = sdp::parse(answer);
  if (!description || description->sections.empty() || !streams_[0]) return;
  const MediaSection& section = description->sections.front();
  follow(*streams_[0], section, !section.refused() && crosspoint::receives(section.direction));
  schedulePlay();
}

void MediaCall::receive(MediaKind kind, MediaSocket socket, MutableBytes datagram, const SocketAddress& source) {
  const auto& stream = streams_[kind == MediaKind::Video ? 1 : 0];
  if (!stream || source.ip != stream->rtp.ip) return;
  const bool rtcp = socket == MediaSocket::Rtcp || (stream->rtcpMux && looksLikeRtcp(datagram));
  if (rtcp ? !reflectRtcp(datagram) : !reflectRtp(datagram)) return;
  // RFC 4961: who sends from another port of its address than it announced also receives there.
  SocketAddress& to = rtcp && !stream->rtcpMux ? stream->rtcp : stream->rtp;
  to = source;
  if (kind_ != Kind::Echo || !stream->sends) return;
  stream->port->send(socket, to, datagram);
  ++packets_;
}

void MediaCall::schedulePlay() {
  timers_.cancel(playTimer_);
  if (kind_ != Kind::Music || !streams_[0] || !streams_[0]->sends) return;
  const TimePoint now = loop::monotonicNow();
  if (nextPlay_ < now - kLateFramesMax * kFrame) nextPlay_ = now;
  playTimer_ = timers_.after(std::max(nextPlay_ - now, Duration::zero()), [this] { play(); });
}

void MediaCall::play() {
  Stream& stream = *streams_[0];
  std::array<std::uint8_t, kRtpHeaderBytes + Melody::kFrameSamples> packet{};
  packet[0] = 0x80;  // version 2
  packet[1] = stream.payloadType;
  storeBigEndian(packet.data() + 2, sequence_++);
  storeBigEndian(packet.data() + 4, timestamp_);
  storeBigEndian(packet.data() + 8, ssrc_);
  timestamp_ += Melody::kFrameSamples;
  melody_.next(stream.law, MutableBytes(packet).subspan(kRtpHeaderBytes));
  stream.port->send(MediaSocket::Rtp, stream.rtp, packet);
  ++packets_;
  nextPlay_ += kFrame;
  playTimer_ = TimerQueue::Id::None;
  schedulePlay();
}

}  // namespace crosspoint::sip
