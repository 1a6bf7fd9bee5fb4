#include "bridge/media_path.h"

#include <algorithm>
#include <cstring>

#include "core/rtp/classify.h"

namespace crosspoint::bridge {
namespace {

// RFC 3551 §4.1: in video the marker ends a frame and must stay where it is.
rtp::Rewriter makeRewriter(Random& random, bool audio) {
  return rtp::Rewriter({.ssrc = random.next<std::uint32_t>() | 1u,
                        .firstSequenceNumber = static_cast<std::uint16_t>(random.next<std::uint16_t>() & 0x7fff),
                        .firstTimestamp = random.next<std::uint32_t>(),
                        .clockRate = audio ? 8000u : 90000u,
                        .markSwitches = audio});
}

// What a codec of one side is on the other: the same encoding, or telephone-event with another clock.
const Codec* counterpart(const Codec& codec, const std::vector<Codec>& targets) {
  const Codec* found = nullptr;
  for (const auto& target : targets) {
    if (sameEncoding(codec, target)) return &target;
    if (found == nullptr && call::isTelephoneEvent(codec) && call::isTelephoneEvent(target)) found = &target;
  }
  return found;
}

std::uint32_t mediaClockRate(const std::vector<Codec>& codecs) {
  for (const auto& codec : codecs) {
    if (call::isMediaCodec(codec)) return codec.clockRate;
  }
  return 8000;
}

}  // namespace

MediaPath::MediaPath(peer::Peer& peer, DatagramSink& sink, Random& random, const WallClockAnchor& clock, Counters& counters,
                     TimePoint now)
    : peer_(peer),
      sink_(sink),
      random_(random),
      clock_(clock),
      counters_(counters),
      cname_(random.alphanumeric(16)),
      streams_{{{.toSip = makeRewriter(random, true), .toPage = makeRewriter(random, true)},
                {.toSip = makeRewriter(random, false), .toPage = makeRewriter(random, false)}}},
      browserRtcp_(rtcpConfig(streams_[0].toPage.ssrc()), random, now),
      lastMediaAt_(now) {}

rtp::RtcpSession::Config MediaPath::rtcpConfig(std::uint32_t ssrc) const {
  return {.cname = cname_, .ssrc = ssrc, .clock = clock_};
}

void MediaPath::configure(TimePoint now, const call::Machine& machine, call::Side browser) {
  const call::Side sip = call::other(browser);
  fromPage_.fill({});
  for (std::size_t i = 0; i < call::kStreams; ++i) {
    Stream& stream = streams_[i];
    stream.fromSip.fill({});
    // Packets come in under the payload types that this side was told; some far ends use their own all the same.
    auto map = [&](Formats& formats, call::Side from) {
      const auto& targets = machine.described(call::other(from))[i].codecs;
      for (const auto* sources : {&machine.described(from)[i].codecs, &machine.told(from)[i].codecs}) {
        for (const auto& codec : *sources) {
          const Codec* target = counterpart(codec, targets);
          if (target == nullptr) continue;
          formats[codec.payloadType & 0x7f] = {.outgoing = target->payloadType,
                                               .stream = static_cast<std::uint8_t>(i),
                                               .forwarded = machine.forwards(from, i),
                                               .clockRate = codec.clockRate,
                                               .outgoingClockRate = target->clockRate};
        }
      }
    };
    map(fromPage_, browser);
    map(stream.fromSip, sip);
    if (!machine.described(browser)[i].present()) continue;
    const std::uint32_t toPageRate = mediaClockRate(machine.described(browser)[i].codecs);
    stream.toPage.setClockRate(toPageRate);
    browserRtcp_.addSender(stream.toPage.ssrc(), toPageRate);
    if (stream.end) {
      const std::uint32_t toSipRate = mediaClockRate(machine.described(sip)[i].codecs);
      stream.toSip.setClockRate(toSipRate);
      if (!stream.sipRtcp) {
        stream.sipRtcp = std::make_unique<rtp::RtcpSession>(rtcpConfig(stream.toSip.ssrc()), random_, now);
      }
      stream.sipRtcp->addSender(stream.toSip.ssrc(), toSipRate);
    }
  }
}

void MediaPath::setSipEnd(std::size_t index, const std::optional<SipEnd>& end) {
  Stream& stream = streams_[index];
  const bool moved = !stream.end || !end || stream.end->rtp != end->rtp;
  stream.end = end;
  if (!end || !moved) return;
  stream.target = end->rtp;
  stream.rtcpTarget = end->rtcp;
  stream.sipSsrc.reset();
}

void MediaPath::handleBrowserRtp(TimePoint now, Datagram& datagram) {
  ++counters_.packetsFromBrowser;
  const auto view = rtp::PacketView::parse(datagram.bytes());
  const Format format = view ? fromPage_[view->payloadType()] : Format{};
  if (format.outgoing == kNotNegotiated) {
    ++counters_.packetsDropped;
    return;
  }
  browserRtcp_.handlePacketReceived(now, *view, format.clockRate);
  lastMediaAt_ = now;
  if (!format.forwarded) {
    ++counters_.packetsDropped;
    return;
  }
  Stream& stream = streams_[format.stream];
  MutableBytes packet = datagram.bytes();
  if (view->hasExtension()) packet = rtp::withoutExtension(packet);
  convertDigit(format, packet);
  if (stream.end) {
    sendToSip(now, stream, datagram, packet, format.outgoing);
  } else {
    sendToPage(now, stream, datagram, packet, format.outgoing);
  }
}

void MediaPath::sendToSip(TimePoint now, Stream& stream, Datagram& datagram, MutableBytes packet, std::uint8_t payloadType) {
  if (!stream.toSip.rewrite(now, packet, payloadType)) {
    ++counters_.packetsDropped;
    return;
  }
  if (const auto sent = rtp::PacketView::parse(packet)) stream.sipRtcp->handlePacketSent(now, *sent);
  datagram.capacity -= static_cast<std::uint32_t>(packet.data() - datagram.data);
  datagram.data = packet.data();
  datagram.size = static_cast<std::uint32_t>(packet.size());
  datagram.socket = stream.end->ports.rtp;
  datagram.remote = stream.target;
  sink_.forward(datagram);
  ++counters_.packetsToSip;
}

void MediaPath::sendToPage(TimePoint now, Stream& stream, Datagram& datagram, MutableBytes packet, std::uint8_t payloadType) {
  if (!stream.toPage.rewrite(now, packet, payloadType)) {
    ++counters_.packetsDropped;
    return;
  }
  if (const auto sent = rtp::PacketView::parse(packet)) browserRtcp_.handlePacketSent(now, *sent);
  datagram.capacity -= static_cast<std::uint32_t>(packet.data() - datagram.data);
  datagram.data = packet.data();
  datagram.size = static_cast<std::uint32_t>(packet.size());
  if (!peer_.protectRtp(datagram)) {
    ++counters_.packetsDropped;
    return;
  }
  sink_.forward(datagram);
  ++counters_.packetsToBrowser;
}

// RFC 4733 §2.3.5: the duration is in units of the clock.
void MediaPath::convertDigit(const Format& format, MutableBytes packet) {
  if (format.clockRate == format.outgoingClockRate || packet.size() < rtp::kFixedHeaderBytes + 4) return;
  std::uint8_t* duration = packet.data() + *rtp::headerSize(packet) + 2;
  if (duration + 2 > packet.data() + packet.size()) return;
  const std::uint64_t converted = std::uint64_t{loadBigEndian<std::uint16_t>(duration)} * format.outgoingClockRate / format.clockRate;
  storeBigEndian(duration, static_cast<std::uint16_t>(std::min<std::uint64_t>(converted, 0xffff)));
}

// The announced address first; another source only while nothing has come yet (symmetric RTP behind NAT) or with the SSRC of what
// was accepted last (the far end moved).
bool MediaPath::latch(Stream& stream, const Datagram& datagram, std::uint32_t ssrc) {
  if (datagram.remote == stream.target) {
    stream.sipSsrc = ssrc;
    return true;
  }
  if (stream.sipSsrc && *stream.sipSsrc != ssrc) return false;
  stream.sipSsrc = ssrc;
  stream.target = datagram.remote;
  stream.rtcpTarget = {datagram.remote.ip, static_cast<std::uint16_t>(datagram.remote.port + 1)};
  return true;
}

void MediaPath::handleSip(TimePoint now, std::size_t index, Datagram& datagram) {
  Stream& stream = streams_[index];
  if (!stream.end || !stream.sipRtcp) {
    ++counters_.packetsDropped;
    return;
  }
  if (rtp::classify(datagram.bytes()) == rtp::PacketClass::Rtcp) {
    if (stream.sipRtcp->handleRtcp(now, datagram.bytes())) drainSipRtcp(now, stream);
    return;
  }
  ++counters_.packetsFromSip;
  const auto view = rtp::PacketView::parse(datagram.bytes());
  const Format format = view ? stream.fromSip[view->payloadType()] : Format{};
  if (format.outgoing == kNotNegotiated || !latch(stream, datagram, view->ssrc())) {
    ++counters_.packetsDropped;
    return;
  }
  stream.sipRtcp->handlePacketReceived(now, *view, format.clockRate);
  if (!format.forwarded) {
    ++counters_.packetsDropped;
    return;
  }
  MutableBytes packet = datagram.bytes();
  if (view->hasExtension()) packet = rtp::withoutExtension(packet);
  convertDigit(format, packet);
  sendToPage(now, stream, datagram, packet, format.outgoing);
}

void MediaPath::handleBrowserRtcp(TimePoint now, const Datagram& datagram) {
  if (browserRtcp_.handleRtcp(now, {datagram.data, datagram.size})) drainBrowserRtcp(now);
}

void MediaPath::drainBrowserRtcp(TimePoint now) {
  while (auto output = browserRtcp_.pollOutput()) {
    if (auto* send = std::get_if<rtp::RtcpSession::SendRtcp>(&*output)) {
      std::array<std::uint8_t, kDatagramCapacity> buffer;
      if (send->bytes.size() > kDatagramBytesMax) continue;
      std::memcpy(buffer.data(), send->bytes.data(), send->bytes.size());
      Datagram datagram{.data = buffer.data(), .size = static_cast<std::uint32_t>(send->bytes.size()), .capacity = buffer.size()};
      if (peer_.protectRtcp(datagram)) sink_.send(datagram.socket, datagram.remote, datagram.bytes());
    } else if (auto* request = std::get_if<rtp::RtcpSession::KeyFrameRequested>(&*output)) {
      for (Stream& stream : streams_) {
        const auto source = stream.toPage.sourceSsrc();
        if (stream.toPage.ssrc() != request->ssrc || !source) continue;
        if (stream.end) {
          stream.sipRtcp->requestKeyFrame(now, *source);
          drainSipRtcp(now, stream);
        } else {
          browserRtcp_.requestKeyFrame(now, *source);
        }
      }
    }
  }
}

void MediaPath::drainSipRtcp(TimePoint now, Stream& stream) {
  while (auto output = stream.sipRtcp->pollOutput()) {
    if (auto* send = std::get_if<rtp::RtcpSession::SendRtcp>(&*output)) {
      if (stream.end) sink_.send(stream.end->ports.rtcp, stream.rtcpTarget, send->bytes);
    } else if (std::holds_alternative<rtp::RtcpSession::KeyFrameRequested>(*output)) {
      if (const auto source = stream.toSip.sourceSsrc()) {
        browserRtcp_.requestKeyFrame(now, *source);
        drainBrowserRtcp(now);
      }
    }
  }
}

void MediaPath::handleTimeout(TimePoint now) {
  browserRtcp_.handleTimeout(now);
  drainBrowserRtcp(now);
  for (Stream& stream : streams_) {
    if (!stream.sipRtcp) continue;
    stream.sipRtcp->handleTimeout(now);
    drainSipRtcp(now, stream);
  }
}

std::optional<TimePoint> MediaPath::nextTimeout() const {
  auto next = browserRtcp_.nextTimeout();
  for (const Stream& stream : streams_) {
    if (stream.sipRtcp) next = earlier(next, stream.sipRtcp->nextTimeout());
  }
  return next;
}

void MediaPath::close(TimePoint now) {
  browserRtcp_.close(now);
  drainBrowserRtcp(now);
  for (Stream& stream : streams_) {
    if (!stream.sipRtcp) continue;
    stream.sipRtcp->close(now);
    drainSipRtcp(now, stream);
  }
}

}  // namespace crosspoint::bridge
