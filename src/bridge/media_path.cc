#include "bridge/media_path.h"

#include <algorithm>
#include <cstring>
#include <utility>

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

// What a codec of one side is on the other: the same encoding; of telephone-event the one that was agreed, perhaps with
// another clock.
const Codec* counterpart(const Codec& codec, const std::vector<Codec>& targets, const std::vector<Codec>& agreed) {
  const bool digits = call::isTelephoneEvent(codec);
  const auto& choices = digits ? agreed : targets;
  const auto found = std::ranges::find_if(choices, [&](const Codec& target) {
    return digits ? call::isTelephoneEvent(target) : sameEncoding(codec, target);
  });
  return found == choices.end() ? nullptr : &*found;
}

}  // namespace

MediaPath::MediaPath(Shape shape, peer::Peer& peer, DatagramSink& sink, Random& random, const WallClockAnchor& clock,
                     Counters& counters, TimePoint now)
    : shape_(shape),
      peer_(peer),
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
      const auto agreed = call::common(targets, machine.described(from)[i].codecs);
      for (const auto* sources : {&machine.described(from)[i].codecs, &machine.told(from)[i].codecs}) {
        for (const auto& codec : *sources) {
          const Codec* target = counterpart(codec, targets, agreed);
          if (target == nullptr) continue;
          formats[codec.payloadType & 0x7f] = {.outgoing = target->payloadType,
                                               .stream = static_cast<std::uint8_t>(i),
                                               .forwarded = machine.forwards(from, i),
                                               .media = call::isMediaCodec(codec),
                                               .clockRate = codec.clockRate,
                                               .outgoingClockRate = target->clockRate};
        }
      }
    };
    map(fromPage_, browser);
    map(stream.fromSip, sip);
    // What was dropped during a hold is no gap.
    const bool toPage = machine.forwards(sip, i), toSip = machine.forwards(browser, i);
    if (!std::exchange(stream.flowsToPage, toPage) && toPage) stream.toPage.expectSwitch();
    if (!std::exchange(stream.flowsToSip, toSip) && toSip) stream.toSip.expectSwitch();
    const auto codecs = call::common(machine.described(browser)[i].codecs, machine.described(sip)[i].codecs);
    if (codecs.empty()) continue;
    // The most likely ones, until the first packet says which codec it is.
    if (stream.toPageRate == 0) setRateToPage(stream, codecs.front().clockRate);
    if (!stream.end) continue;
    if (!stream.sipRtcp) {
      stream.sipRtcp = std::make_unique<rtp::RtcpSession>(rtcpConfig(stream.toSip.ssrc()), random_, now);
    }
    if (stream.toSipRate == 0) setRateToSip(stream, codecs.front().clockRate);
  }
}

void MediaPath::setRateToPage(Stream& stream, std::uint32_t clockRate) {
  stream.toPageRate = clockRate;
  stream.toPage.setClockRate(clockRate);
  browserRtcp_.addSender(stream.toPage.ssrc(), clockRate);
}

void MediaPath::setRateToSip(Stream& stream, std::uint32_t clockRate) {
  stream.toSipRate = clockRate;
  stream.toSip.setClockRate(clockRate);
  stream.sipRtcp->addSender(stream.toSip.ssrc(), clockRate);
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

void MediaPath::followBranch(TimePoint now, std::uint32_t branch) {
  const auto left = std::exchange(branch_, branch);
  if (!left || left == branch) return;
  stragglersUntil_ = now + kStragglersMax;
  for (Stream& stream : streams_) {
    std::erase_if(stream.left, [&](const LeftSource& source) { return source.branch == branch; });
    stream.toPage.expectSwitch();
    if (!stream.end || !stream.sipSsrc) continue;
    if (stream.left.size() == kLeftSourcesMax) stream.left.erase(stream.left.begin());
    stream.left.push_back({*left, *stream.sipSsrc});
    stream.target = stream.end->rtp;
    stream.rtcpTarget = stream.end->rtcp;
    stream.sipSsrc.reset();
  }
}

void MediaPath::handleBrowserRtp(TimePoint now, Datagram& datagram) {
  ++counters_.packetsFromBrowser;
  const auto view = rtp::PacketView::parse(datagram.bytes());
  const Format format = view ? fromPage_[view->payloadType()] : Format{};
  if (format.outgoing == kNotNegotiated) {
    ++counters_.packetsDropped;
    return;
  }
  Stream& stream = streams_[format.stream];
  browserRtcp_.handlePacketReceived(now, *view, format.clockRate);
  lastMediaAt_ = now;
  stream.received.count(datagram.size, view->payloadType());
  if (stream.received.ssrc != view->ssrc()) [[unlikely]] {
    stream.received.ssrc = view->ssrc();
    stream.sources.add(view->ssrc());
  }
  if (!format.forwarded) {
    ++counters_.packetsDropped;
    return;
  }
  MutableBytes packet = datagram.bytes();
  if (view->hasExtension()) packet = rtp::withoutExtension(packet);
  if (!format.media) rtp::convertEventDuration(packet, format.clockRate, format.outgoingClockRate);
  if (shape_ == Shape::Mirror) {
    sendToPage(now, stream, datagram, packet, format);
  } else {
    sendToSip(now, stream, datagram, packet, format);
  }
}

void MediaPath::sendToSip(TimePoint now, Stream& stream, Datagram& datagram, MutableBytes packet,
                          const Format& format) {
  const bool ready = stream.end && stream.sipRtcp && stream.target.port != 0;
  if (ready && format.media && format.outgoingClockRate != stream.toSipRate)
    setRateToSip(stream, format.outgoingClockRate);
  if (ready && !format.media && stream.events.handle(packet)) sendEventStart(now, stream, packet, format);
  if (!ready || !stream.toSip.rewrite(now, packet, format.outgoing)) {
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

// Firefox sends the ends of a digit alone where its clock runs faster than the event's.
void MediaPath::sendEventStart(TimePoint now, Stream& stream, Bytes end, const Format& format) {
  rtp::EventStart start(end, format.outgoingClockRate);
  if (!stream.toSip.insert(now, start.bytes(), format.outgoing)) return;
  if (const auto sent = rtp::PacketView::parse(start.bytes())) stream.sipRtcp->handlePacketSent(now, *sent);
  sink_.send(stream.end->ports.rtp, stream.target, start.bytes());
  ++counters_.packetsToSip;
}

void MediaPath::sendToPage(TimePoint now, Stream& stream, Datagram& datagram, MutableBytes packet,
                           const Format& format) {
  const bool ready = peer_.canSend();
  if (ready && format.media && format.outgoingClockRate != stream.toPageRate)
    setRateToPage(stream, format.outgoingClockRate);
  if (!ready || !stream.toPage.rewrite(now, packet, format.outgoing)) {
    ++counters_.packetsDropped;
    return;
  }
  if (const auto sent = rtp::PacketView::parse(packet)) browserRtcp_.handlePacketSent(now, *sent);
  datagram.capacity -= static_cast<std::uint32_t>(packet.data() - datagram.data);
  datagram.data = packet.data();
  datagram.size = static_cast<std::uint32_t>(packet.size());
  stream.sent.count(datagram.size, format.outgoing);
  if (!peer_.protectRtp(datagram)) {
    ++stream.sent.errors;
    ++counters_.packetsDropped;
    return;
  }
  sink_.forward(datagram);
  ++counters_.packetsToBrowser;
}

bool MediaPath::straggles(TimePoint now, const Stream& stream, std::uint32_t ssrc) const {
  return now < stragglersUntil_ && std::ranges::find(stream.left, ssrc, &LeftSource::ssrc) != stream.left.end();
}

// The announced address always; another source only while nothing has come yet (symmetric RTP behind NAT) or with the
// SSRC of what was accepted last (the far end moved). So a stranger who was quicker than the far end loses the stream
// to it.
bool MediaPath::latch(TimePoint now, Stream& stream, const Datagram& datagram, std::uint32_t ssrc) {
  if (datagram.remote != stream.target) [[unlikely]] {
    const bool announced = datagram.remote == stream.end->rtp;
    if (!announced && stream.sipSsrc.value_or(ssrc) != ssrc) return false;
    if (!announced && !stream.sipSsrc && straggles(now, stream, ssrc)) return false;
    stream.target = datagram.remote;
    stream.rtcpTarget = stream.end->rtcp;
    if (!announced) stream.rtcpTarget = {datagram.remote.ip, static_cast<std::uint16_t>(datagram.remote.port + 1)};
  }
  stream.sipSsrc = ssrc;
  return true;
}

// Reports and requests are taken from where the media goes or was announced, from any port there, and ours go back to
// it.
bool MediaPath::latchRtcp(Stream& stream, const Datagram& datagram) {
  const IpAddress& source = datagram.remote.ip;
  if (source != stream.target.ip && source != stream.end->rtp.ip && source != stream.end->rtcp.ip) return false;
  if (source == stream.target.ip) stream.rtcpTarget = datagram.remote;
  return true;
}

void MediaPath::handleSip(TimePoint now, std::size_t index, Datagram& datagram) {
  Stream& stream = streams_[index];
  if (!stream.end || !stream.sipRtcp) {
    ++counters_.packetsDropped;
    return;
  }
  if (rtp::classify(datagram.bytes()) == rtp::PacketClass::Rtcp) {
    if (!latchRtcp(stream, datagram)) {
      ++counters_.packetsDropped;
    } else if (stream.sipRtcp->handleRtcp(now, datagram.bytes())) {
      drainSipRtcp(now, stream);
    }
    return;
  }
  ++counters_.packetsFromSip;
  const auto view = rtp::PacketView::parse(datagram.bytes());
  const Format format = view ? stream.fromSip[view->payloadType()] : Format{};
  if (format.outgoing == kNotNegotiated || !latch(now, stream, datagram, view->ssrc())) {
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
  if (!format.media) rtp::convertEventDuration(packet, format.clockRate, format.outgoingClockRate);
  sendToPage(now, stream, datagram, packet, format);
}

void MediaPath::handleBrowserRtcp(TimePoint now, const Datagram& datagram) {
  lastMediaAt_ = now;
  const Bytes compound(datagram.data, datagram.size);
  if (!browserRtcp_.handleRtcp(now, compound)) return;
  countRtcpFromPage(compound);
  drainBrowserRtcp(now);
}

// A compound counts for each stream that it says something of; one that names none (feedback alone) for the first.
void MediaPath::countRtcpFromPage(Bytes bytes) {
  std::array<bool, call::kStreams> named{};
  auto name = [&](std::uint32_t ssrc) {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (ssrc == streams_[i].received.ssrc || ssrc == streams_[i].toPage.ssrc()) named[i] = true;
    }
  };
  auto compound = rtp::CompoundView::parse(bytes);
  while (const auto packet = compound ? compound->next() : std::nullopt) {
    const auto* sender = std::get_if<rtp::SenderReportView>(&*packet);
    const auto* receiver = std::get_if<rtp::ReceiverReportView>(&*packet);
    if (sender != nullptr) name(sender->ssrc);
    const auto blocks = sender != nullptr     ? sender->blocks
                        : receiver != nullptr ? receiver->blocks
                                              : rtp::ReportBlocksView();
    for (std::size_t i = 0; i < blocks.size(); ++i) name(blocks[i].ssrc);
  }
  if (std::ranges::find(named, true) == named.end()) named[0] = true;
  for (std::size_t i = 0; i < streams_.size(); ++i) streams_[i].received.rtcp += named[i] ? 1 : 0;
}

void MediaPath::drainBrowserRtcp(TimePoint now) {
  while (auto output = browserRtcp_.pollOutput()) {
    if (auto* send = std::get_if<rtp::RtcpSession::SendRtcp>(&*output)) {
      std::array<std::uint8_t, kDatagramCapacity> buffer;
      if (send->bytes.size() > kDatagramBytesMax) continue;
      std::memcpy(buffer.data(), send->bytes.data(), send->bytes.size());
      Datagram datagram{
          .data = buffer.data(), .size = static_cast<std::uint32_t>(send->bytes.size()), .capacity = buffer.size()};
      if (!peer_.protectRtcp(datagram)) continue;
      sink_.send(datagram.socket, datagram.remote, datagram.bytes());
      for (Stream& stream : streams_) stream.sent.rtcp += stream.toPageRate > 0 ? 1 : 0;
    } else if (auto* request = std::get_if<rtp::RtcpSession::KeyFrameRequested>(&*output)) {
      for (Stream& stream : streams_) {
        const auto source = stream.toPage.sourceSsrc();
        if (stream.toPage.ssrc() != request->ssrc || !source) continue;
        if (shape_ == Shape::Mirror) {
          browserRtcp_.requestKeyFrame(now, *source);
        } else if (stream.sipRtcp) {
          stream.sipRtcp->requestKeyFrame(now, *source);
          drainSipRtcp(now, stream);
        }
      }
    }
  }
}

void MediaPath::drainSipRtcp(TimePoint now, Stream& stream) {
  while (auto output = stream.sipRtcp->pollOutput()) {
    if (auto* send = std::get_if<rtp::RtcpSession::SendRtcp>(&*output)) {
      if (stream.end && stream.rtcpTarget.port != 0) sink_.send(stream.end->ports.rtcp, stream.rtcpTarget, send->bytes);
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
