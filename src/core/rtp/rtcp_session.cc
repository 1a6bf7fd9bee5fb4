// Reports at intervals, feedback at once, and what the far end's RTCP means.
#include "core/rtp/rtcp_session.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/check.h"
#include "core/rtp/ntp.h"

namespace crosspoint::rtp {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

template <typename Streams>
auto* findStream(Streams& streams, std::size_t& lastUsed, std::uint32_t ssrc) {
  using Stream = std::remove_reference_t<decltype(streams.front())>;
  if (lastUsed < streams.size() && streams[lastUsed].ssrc() == ssrc) [[likely]]
    return &streams[lastUsed];
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (streams[i].ssrc() != ssrc) continue;
    lastUsed = i;
    return &streams[i];
  }
  return static_cast<Stream*>(nullptr);
}

}  // namespace

RtcpSession::RtcpSession(Config config, Random& random, TimePoint now) : config_(std::move(config)), random_(random) {
  CROSSPOINT_CHECK(config_.cname.size() <= kCnameBytesMax);
  schedule(now, config_.interval / 2);  // RFC 3550 §6.2: the first after half the time
}

// RFC 3550 §6.3.1: spread evenly over 0.5 to 1.5 of the interval.
void RtcpSession::schedule(TimePoint now, Duration interval) {
  const auto spread = static_cast<std::uint64_t>(std::max<Duration::rep>(interval.count(), 1));
  nextReport_ = now + interval / 2 + Duration(static_cast<Duration::rep>(random_.below(spread)));
}

SendStatistics* RtcpSession::findSender(std::uint32_t ssrc) { return findStream(senders_, lastSender_, ssrc); }
ReceiveStatistics* RtcpSession::findSource(std::uint32_t ssrc) { return findStream(sources_, lastSource_, ssrc); }

bool RtcpSession::addSender(std::uint32_t ssrc, std::uint32_t clockRate) {
  if (SendStatistics* known = findSender(ssrc)) {
    known->setClockRate(clockRate);
    return true;
  }
  if (senders_.size() >= kSendersMax) return false;
  senders_.emplace_back(ssrc, clockRate);
  return true;
}

void RtcpSession::removeSender(std::uint32_t ssrc) {
  std::erase_if(senders_, [&](const SendStatistics& sender) { return sender.ssrc() == ssrc; });
}

ReceiveStatistics& RtcpSession::makeSource(std::uint32_t ssrc, std::uint32_t clockRate) {
  if (sources_.size() < kSourcesMax) {
    lastSource_ = sources_.size();
    return sources_.emplace_back(ssrc, clockRate);
  }
  const auto silent = std::min_element(sources_.begin(), sources_.end(), [](const auto& a, const auto& b) {
    return a.lastPacketAt() < b.lastPacketAt();
  });
  *silent = ReceiveStatistics(ssrc, clockRate);
  lastSource_ = static_cast<std::size_t>(silent - sources_.begin());
  return *silent;
}

void RtcpSession::handlePacketSent(TimePoint now, const PacketView& packet) {
  if (SendStatistics* stream = findSender(packet.ssrc()))
    stream->handlePacket(now, packet.timestamp(), packet.payload().size());
}

void RtcpSession::handlePacketReceived(TimePoint now, const PacketView& packet, std::uint32_t clockRate) {
  ReceiveStatistics* stream = findSource(packet.ssrc());
  if (!stream) [[unlikely]]
    stream = &makeSource(packet.ssrc(), clockRate);
  stream->setClockRate(clockRate);
  stream->handlePacket(now, packet.sequenceNumber(), packet.timestamp(), packet.payload().size());
}

std::uint32_t RtcpSession::reporter() const { return senders_.empty() ? config_.ssrc : senders_.front().ssrc(); }

// RFC 3550 §6.1: reports first, then SDES. An SR for each stream that sent since the report before the last (§6.3.8),
// an RR when there is none; the blocks go with the first.
void RtcpSession::writeReports(TimePoint now, CompoundWriter& writer) {
  std::vector<ReportBlock> blocks;
  const Duration twoIntervals = 2 * config_.interval;
  for (ReceiveStatistics& stream : sources_) {
    if (stream.started() && now - stream.lastPacketAt() <= twoIntervals) blocks.push_back(stream.makeReport(now));
  }
  const std::uint64_t ntp = toNtp(config_.clock.at(now));
  std::uint32_t named = reporter();
  bool reported = false;
  for (const SendStatistics& stream : senders_) {
    if (stream.packets() == 0 || now - stream.lastPacketAt() > twoIntervals) continue;
    if (!reported) named = stream.ssrc();
    writer.senderReport(stream.ssrc(), stream.makeSenderInfo(now, ntp),
                        reported ? std::span<const ReportBlock>() : blocks);
    reported = true;
  }
  if (!reported) writer.receiverReport(named, blocks);
  writer.cname(named, config_.cname);
}

void RtcpSession::push(Output output) {
  if (outputs_.size() < kOutputsMax) outputs_.push_back(std::move(output));
}

void RtcpSession::handleTimeout(TimePoint now) {
  if (closed_ || now < nextReport_) return;
  std::array<std::uint8_t, kRtcpBytesMax> buffer;
  CompoundWriter writer(buffer);
  writeReports(now, writer);
  push(SendRtcp{ByteVector(writer.written().begin(), writer.written().end())});
  schedule(now, config_.interval);
}

std::optional<TimePoint> RtcpSession::nextTimeout() const {
  if (closed_) return std::nullopt;
  return nextReport_;
}

std::optional<RtcpSession::Output> RtcpSession::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

void RtcpSession::handleReports(TimePoint now, const ReportBlocksView& blocks) {
  const std::uint64_t ntp = toNtp(config_.clock.at(now));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const ReportBlock block = blocks[i];
    if (SendStatistics* stream = findSender(block.ssrc)) stream->handleReport(block, ntp);
  }
}

void RtcpSession::handleKeyFrameRequest(std::uint32_t ssrc) {
  if (findSender(ssrc)) push(KeyFrameRequested{ssrc});
}

// RFC 5104 §4.3.1.2: the same sequence number again is a repetition of the same request.
void RtcpSession::handleFullIntraRequest(const FullIntraRequestView::Entry& entry) {
  if (!findSender(entry.ssrc)) return;
  const auto seen = std::ranges::find(fullIntraSeen_, entry.ssrc, &FullIntraSeen::ssrc);
  if (seen == fullIntraSeen_.end()) {
    if (fullIntraSeen_.size() >= kSendersMax) fullIntraSeen_.erase(fullIntraSeen_.begin());
    fullIntraSeen_.push_back({entry.ssrc, entry.sequence});
  } else if (seen->sequence == entry.sequence) {
    return;
  } else {
    seen->sequence = entry.sequence;
  }
  push(KeyFrameRequested{entry.ssrc});
}

void RtcpSession::handleNack(NackView nack) {
  if (!findSender(nack.media)) return;
  PacketsRequested request{nack.media, {}};
  while (auto number = nack.next()) request.sequenceNumbers.push_back(*number);
  if (!request.sequenceNumbers.empty()) push(std::move(request));
}

bool RtcpSession::handleRtcp(TimePoint now, Bytes bytes) {
  auto compound = CompoundView::parse(bytes);
  if (!compound) {
    ++malformed_;
    return false;
  }
  const Overloaded handle{
      [&](const SenderReportView& report) {
        if (ReceiveStatistics* stream = findSource(report.ssrc)) stream->handleSenderReport(now, report.info);
        handleReports(now, report.blocks);
      },
      [&](const ReceiverReportView& report) { handleReports(now, report.blocks); },
      [&](const ByeView& bye) {
        for (std::size_t i = 0; i < bye.ssrcs.size(); ++i) {
          if (findSource(bye.ssrcs[i])) push(SourceLeft{bye.ssrcs[i]});
        }
      },
      [&](const PictureLossIndication& request) { handleKeyFrameRequest(request.media); },
      [&](const FullIntraRequestView& request) {
        for (std::size_t i = 0; i < request.size(); ++i) handleFullIntraRequest(request[i]);
      },
      [&](const NackView& nack) { handleNack(nack); },
      [](const SourceDescriptionView&) {},
      [](const UnknownView&) {},
  };
  while (auto packet = compound->next()) std::visit(handle, *packet);
  return true;
}

template <typename Write>
void RtcpSession::sendFeedback(TimePoint now, Write write) {
  if (closed_) return;
  std::array<std::uint8_t, kRtcpBytesMax> buffer;
  CompoundWriter writer(buffer);
  // RFC 4585 §3.1: feedback rides in a compound that starts with a report, unless reduced size was agreed. This report
  // is extra: the regular one stays due.
  if (!config_.reducedSize) writeReports(now, writer);
  write(writer);
  push(SendRtcp{ByteVector(writer.written().begin(), writer.written().end())});
}

void RtcpSession::requestKeyFrame(TimePoint now, std::uint32_t source) {
  std::erase_if(keyFrameRequests_,
                [&](const KeyFrameRequest& request) { return now - request.at >= kKeyFrameRequestGap; });
  const bool asked = std::ranges::find(keyFrameRequests_, source, &KeyFrameRequest::source) != keyFrameRequests_.end();
  if (asked || keyFrameRequests_.size() >= kSourcesMax) return;
  keyFrameRequests_.push_back({source, now});
  sendFeedback(now, [&](CompoundWriter& writer) { writer.pictureLoss(reporter(), source); });
}

void RtcpSession::requestPackets(TimePoint now, std::uint32_t source, std::span<const std::uint16_t> sequenceNumbers) {
  if (sequenceNumbers.empty()) return;
  sendFeedback(now, [&](CompoundWriter& writer) { writer.nack(reporter(), source, sequenceNumbers); });
}

void RtcpSession::close(TimePoint now, std::string_view reason) {
  sendFeedback(now, [&](CompoundWriter& writer) {
    if (config_.reducedSize) writeReports(now, writer);  // RFC 3550 §6.1 holds for BYE in any case
    std::vector<std::uint32_t> leaving;
    for (const SendStatistics& stream : senders_) leaving.push_back(stream.ssrc());
    if (leaving.empty()) leaving.push_back(config_.ssrc);
    writer.bye(leaving, reason.substr(0, kCnameBytesMax));
  });
  closed_ = true;
}

const SendStatistics* RtcpSession::sender(std::uint32_t ssrc) const {
  const auto found = std::ranges::find(senders_, ssrc, &SendStatistics::ssrc);
  return found == senders_.end() ? nullptr : &*found;
}

const ReceiveStatistics* RtcpSession::source(std::uint32_t ssrc) const {
  const auto found = std::ranges::find(sources_, ssrc, &ReceiveStatistics::ssrc);
  return found == sources_.end() ? nullptr : &*found;
}

}  // namespace crosspoint::rtp
