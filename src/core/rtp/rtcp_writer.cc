// Building RTCP compounds: each packet is written whole or not at all.
#include <algorithm>

#include "base/check.h"
#include "core/rtp/rtcp.h"

namespace crosspoint::rtp {
namespace {

constexpr std::size_t kTextBytesMax = 255;

void writeBlock(ByteWriter& writer, const ReportBlock& block) {
  constexpr std::int32_t kLostMax = 0x7fffff;
  const std::int32_t lost = std::clamp(block.cumulativeLost, -kLostMax - 1, kLostMax);
  writer.write(block.ssrc);
  writer.write(std::uint32_t{block.fractionLost} << 24 | (static_cast<std::uint32_t>(lost) & 0xffffff));
  writer.write(block.extendedHighestSequence);
  writer.write(block.jitter);
  writer.write(block.lastSenderReport);
  writer.write(block.delaySinceLastReport);
}

void writeBlocks(ByteWriter& writer, std::span<const ReportBlock> blocks) {
  for (const ReportBlock& block : blocks) writeBlock(writer, block);
}

void padToWord(ByteWriter& writer) { writer.fill((4 - writer.size() % 4) % 4, 0); }

}  // namespace

template <typename Body>
void CompoundWriter::packet(RtcpType type, std::size_t count, Body body) {
  ByteWriter writer(buffer_.subspan(size_));
  writer.write(static_cast<std::uint8_t>(0x80 | count));
  writer.write(static_cast<std::uint8_t>(type));
  writer.write<std::uint16_t>(0);  // the length, known at the end
  body(writer);
  padToWord(writer);
  if (writer.failed()) {
    failed_ = true;
    return;
  }
  storeBigEndian(buffer_.data() + size_ + 2, static_cast<std::uint16_t>(writer.size() / 4 - 1));
  size_ += writer.size();
}

void CompoundWriter::senderReport(std::uint32_t ssrc, const SenderInfo& info, std::span<const ReportBlock> blocks) {
  CROSSPOINT_CHECK(blocks.size() <= kReportBlocksMax);
  packet(RtcpType::SenderReport, blocks.size(), [&](ByteWriter& writer) {
    writer.write(ssrc);
    writer.write(info.ntp);
    writer.write(info.rtpTimestamp);
    writer.write(info.packetCount);
    writer.write(info.octetCount);
    writeBlocks(writer, blocks);
  });
}

void CompoundWriter::receiverReport(std::uint32_t ssrc, std::span<const ReportBlock> blocks) {
  CROSSPOINT_CHECK(blocks.size() <= kReportBlocksMax);
  packet(RtcpType::ReceiverReport, blocks.size(), [&](ByteWriter& writer) {
    writer.write(ssrc);
    writeBlocks(writer, blocks);
  });
}

void CompoundWriter::cname(std::uint32_t ssrc, std::string_view cname) {
  CROSSPOINT_CHECK(cname.size() <= kTextBytesMax);
  packet(RtcpType::SourceDescription, 1, [&](ByteWriter& writer) {
    writer.write(ssrc);
    writer.write<std::uint8_t>(1);
    writer.write(static_cast<std::uint8_t>(cname.size()));
    writer.write(asBytes(cname));
    writer.write<std::uint8_t>(0);  // the end of the items; padding follows
  });
}

void CompoundWriter::bye(std::span<const std::uint32_t> ssrcs, std::string_view reason) {
  CROSSPOINT_CHECK(ssrcs.size() <= kReportBlocksMax && reason.size() <= kTextBytesMax);
  packet(RtcpType::Bye, ssrcs.size(), [&](ByteWriter& writer) {
    for (std::uint32_t ssrc : ssrcs) writer.write(ssrc);
    if (reason.empty()) return;
    writer.write(static_cast<std::uint8_t>(reason.size()));
    writer.write(asBytes(reason));
  });
}

void CompoundWriter::pictureLoss(std::uint32_t sender, std::uint32_t media) {
  packet(RtcpType::PayloadFeedback, 1, [&](ByteWriter& writer) {
    writer.write(sender);
    writer.write(media);
  });
}

void CompoundWriter::fullIntraRequest(std::uint32_t sender, std::uint32_t media, std::uint8_t sequence) {
  packet(RtcpType::PayloadFeedback, 4, [&](ByteWriter& writer) {
    writer.write(sender);
    writer.write<std::uint32_t>(0);  // RFC 5104 §4.3.1.2: the media source is in the entry
    writer.write(media);
    writer.write(std::uint32_t{sequence} << 24);
  });
}

void CompoundWriter::nack(std::uint32_t sender, std::uint32_t media, std::span<const std::uint16_t> sequenceNumbers) {
  packet(RtcpType::TransportFeedback, 1, [&](ByteWriter& writer) {
    writer.write(sender);
    writer.write(media);
    std::size_t entries = 0;
    for (std::size_t i = 0; i < sequenceNumbers.size() && entries < kNackEntriesMax; ++entries) {
      const std::uint16_t first = sequenceNumbers[i++];
      std::uint16_t following = 0;
      for (; i < sequenceNumbers.size(); ++i) {
        const auto distance = static_cast<std::uint16_t>(sequenceNumbers[i] - first);
        if (distance > 16) break;
        if (distance > 0) following = static_cast<std::uint16_t>(following | 1u << (distance - 1));
      }
      writer.write(first);
      writer.write(following);
    }
  });
}

void CompoundWriter::copy(Bytes wholePacket) {
  if (wholePacket.size() > buffer_.size() - size_) {
    failed_ = true;
    return;
  }
  std::copy(wholePacket.begin(), wholePacket.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += wholePacket.size();
}

}  // namespace crosspoint::rtp
