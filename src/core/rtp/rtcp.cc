// Reading RTCP compounds: everything is checked in CompoundView::parse(), so that the views cannot fail.
#include "core/rtp/rtcp.h"

#include <bit>

#include "base/check.h"

namespace crosspoint::rtp {
namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kSenderInfoBytes = 20;
constexpr std::size_t kFeedbackBytes = 8;            // SSRC of sender and of media
constexpr std::uint8_t kFormatNack = 1;              // RFC 4585 §6.2.1
constexpr std::uint8_t kFormatPictureLoss = 1;       // RFC 4585 §6.3.1
constexpr std::uint8_t kFormatFullIntraRequest = 4;  // RFC 5104 §4.3.1
constexpr std::uint8_t kItemEnd = 0;
constexpr std::uint8_t kItemCname = 1;

std::uint32_t load32(Bytes bytes, std::size_t at) { return loadBigEndian<std::uint32_t>(bytes.data() + at); }

// One packet of a compound, whose length is known to fit.
struct Raw {
  std::uint8_t type;
  std::uint8_t count;
  Bytes whole;
  Bytes body;  // without header and padding
};

// RFC 3550 A.2: version, length, and padding only in the last packet.
std::optional<Raw> first(Bytes rest) {
  if (rest.size() < kHeaderBytes || rest[0] >> 6 != 2) return std::nullopt;
  const std::size_t size = kHeaderBytes + 4u * loadBigEndian<std::uint16_t>(rest.data() + 2);
  if (size > rest.size()) return std::nullopt;
  std::size_t padding = 0;
  if (rest[0] & 0x20) {
    padding = rest[size - 1];
    if (size != rest.size() || padding == 0 || padding % 4 != 0 || kHeaderBytes + padding > size) return std::nullopt;
  }
  const Bytes whole = rest.first(size);
  return Raw{rest[1], static_cast<std::uint8_t>(rest[0] & 0x1f), whole,
             whole.subspan(kHeaderBytes, size - kHeaderBytes - padding)};
}

// The items of one SDES chunk; gives the bytes they take with the padding, or nothing if they run over the end. `cname`
// is set.
std::optional<std::size_t> walkItems(Bytes items, std::optional<std::string_view>& cname) {
  std::size_t at = 0;
  while (at < items.size() && items[at] != kItemEnd) {
    if (at + 2 > items.size() || at + 2 + items[at + 1] > items.size()) return std::nullopt;
    const Bytes text = items.subspan(at + 2, items[at + 1]);
    if (items[at] == kItemCname && !cname) cname = asText(text);
    at += 2 + text.size();
  }
  // RFC 3550 §6.5: at least one zero byte, up to the next 32-bit boundary.
  const std::size_t end = (at / 4 + 1) * 4;
  if (end > items.size()) return std::nullopt;
  return end;
}

bool isValidDescription(Bytes chunks, std::size_t count) {
  for (; count > 0; --count) {
    if (chunks.size() < 4) return false;
    std::optional<std::string_view> ignored;
    const auto items = walkItems(chunks.subspan(4), ignored);
    if (!items) return false;
    chunks = chunks.subspan(4 + *items);
  }
  return true;
}

bool isValidBye(Bytes body, std::size_t count) {
  if (body.size() < 4 * count) return false;
  const Bytes reason = body.subspan(4 * count);
  return reason.empty() || 1u + reason[0] <= reason.size();
}

bool isValid(const Raw& raw) {
  switch (static_cast<RtcpType>(raw.type)) {
    case RtcpType::SenderReport:
      return raw.body.size() >= 4 + kSenderInfoBytes + raw.count * ReportBlocksView::kBlockBytes;
    case RtcpType::ReceiverReport:
      return raw.body.size() >= 4 + raw.count * ReportBlocksView::kBlockBytes;
    case RtcpType::SourceDescription:
      return isValidDescription(raw.body, raw.count);
    case RtcpType::Bye:
      return isValidBye(raw.body, raw.count);
    case RtcpType::TransportFeedback:
      return raw.body.size() >= kFeedbackBytes;
    case RtcpType::PayloadFeedback:
      return raw.body.size() >= kFeedbackBytes && (raw.count != kFormatFullIntraRequest || raw.body.size() % 8 == 0);
    default:
      return true;
  }
}

ByeView toBye(const Raw& raw) {
  const std::size_t ssrcs = 4u * raw.count;
  const Bytes reason = raw.body.subspan(ssrcs);
  return {SsrcListView(raw.body.first(ssrcs)),
          reason.empty() ? std::string_view() : asText(reason.subspan(1, reason[0]))};
}

RtcpPacket toPacket(const Raw& raw) {
  const Bytes body = raw.body;
  switch (static_cast<RtcpType>(raw.type)) {
    case RtcpType::SenderReport: {
      const SenderInfo info{loadBigEndian<std::uint64_t>(body.data() + 4), load32(body, 12), load32(body, 16),
                            load32(body, 20)};
      const Bytes blocks = body.subspan(4 + kSenderInfoBytes, raw.count * ReportBlocksView::kBlockBytes);
      return SenderReportView{load32(body, 0), info, ReportBlocksView(blocks)};
    }
    case RtcpType::ReceiverReport: {
      const Bytes blocks = body.subspan(4, raw.count * ReportBlocksView::kBlockBytes);
      return ReceiverReportView{load32(body, 0), ReportBlocksView(blocks)};
    }
    case RtcpType::SourceDescription:
      return SourceDescriptionView(body, raw.count);
    case RtcpType::Bye:
      return toBye(raw);
    case RtcpType::TransportFeedback:
      if (raw.count == kFormatNack) return NackView(load32(body, 0), load32(body, 4), body.subspan(kFeedbackBytes));
      break;
    case RtcpType::PayloadFeedback:
      if (raw.count == kFormatPictureLoss) return PictureLossIndication{load32(body, 0), load32(body, 4)};
      if (raw.count == kFormatFullIntraRequest)
        return FullIntraRequestView(load32(body, 0), body.subspan(kFeedbackBytes));
      break;
    default:
      break;
  }
  return UnknownView{raw.type, raw.count, raw.whole};
}

}  // namespace

ReportBlock ReportBlocksView::operator[](std::size_t index) const {
  CROSSPOINT_CHECK(index < size());
  const Bytes block = bytes_.subspan(index * kBlockBytes, kBlockBytes);
  const std::uint32_t lost = load32(block, 4) & 0xffffff;
  return {.ssrc = load32(block, 0),
          .fractionLost = block[4],
          .cumulativeLost = static_cast<std::int32_t>(lost << 8) >> 8,
          .extendedHighestSequence = load32(block, 8),
          .jitter = load32(block, 12),
          .lastSenderReport = load32(block, 16),
          .delaySinceLastReport = load32(block, 20)};
}

std::optional<SourceDescriptionView::Cname> SourceDescriptionView::next() {
  while (chunksLeft_ > 0) {
    --chunksLeft_;
    const std::uint32_t ssrc = load32(rest_, 0);
    std::optional<std::string_view> cname;
    rest_ = rest_.subspan(4);
    rest_ = rest_.subspan(walkItems(rest_, cname).value_or(rest_.size()));
    if (cname) return Cname{ssrc, *cname};
  }
  return std::nullopt;
}

std::optional<std::uint16_t> NackView::next() {
  if (pending_ == 0) {
    if (rest_.size() < 4) return std::nullopt;
    packetId_ = loadBigEndian<std::uint16_t>(rest_.data());
    pending_ = 1u | std::uint32_t{loadBigEndian<std::uint16_t>(rest_.data() + 2)} << 1;
    rest_ = rest_.subspan(4);
  }
  const int bit = std::countr_zero(pending_);
  pending_ &= pending_ - 1;
  return static_cast<std::uint16_t>(packetId_ + bit);
}

std::optional<CompoundView> CompoundView::parse(Bytes bytes) {
  if (bytes.empty()) return std::nullopt;
  for (Bytes rest = bytes; !rest.empty();) {
    const auto raw = first(rest);
    if (!raw || !isValid(*raw)) return std::nullopt;
    rest = rest.subspan(raw->whole.size());
  }
  return CompoundView(bytes);
}

std::optional<RtcpPacket> CompoundView::next() {
  if (rest_.empty()) return std::nullopt;
  const auto raw = first(rest_);
  CROSSPOINT_CHECK(raw.has_value());
  rest_ = rest_.subspan(raw->whole.size());
  return toPacket(*raw);
}

std::optional<std::uint32_t> CompoundView::firstSsrc() const {
  const auto raw = first(bytes_);
  if (!raw || raw->body.size() < 4) return std::nullopt;
  return load32(raw->body, 0);
}

}  // namespace crosspoint::rtp
