// RTCP compound packets (RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1): parsed into views, built into a bounded buffer.
//
//     if (auto compound = rtp::CompoundView::parse(bytes)) {
//       while (auto packet = compound->next()) std::visit(handler, *packet);
//     }
//
// Reduced-size compounds (RFC 5506) are read too: the first packet may be any. What we do not know is kept as
// UnknownView, so that it can be counted or passed on.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "base/bytes.h"

namespace crosspoint::rtp {

enum class RtcpType : std::uint8_t {
  SenderReport = 200,
  ReceiverReport = 201,
  SourceDescription = 202,
  Bye = 203,
  Application = 204,
  TransportFeedback = 205,  // RFC 4585 §6.2
  PayloadFeedback = 206,    // RFC 4585 §6.3
  ExtendedReport = 207,     // RFC 3611
};

inline constexpr std::size_t kReportBlocksMax = 31;  // the count has five bits
inline constexpr std::size_t kRtcpBytesMax = 1200;   // of one compound that we build

struct ReportBlock {
  std::uint32_t ssrc = 0;
  std::uint8_t fractionLost = 0;    // of 256, since the last report
  std::int32_t cumulativeLost = 0;  // 24 bits, signed
  std::uint32_t extendedHighestSequence = 0;
  std::uint32_t jitter = 0;                // timestamp units
  std::uint32_t lastSenderReport = 0;      // compact NTP; 0: none yet
  std::uint32_t delaySinceLastReport = 0;  // 1/65536 s
  bool operator==(const ReportBlock&) const = default;
};

struct SenderInfo {
  std::uint64_t ntp = 0;
  std::uint32_t rtpTimestamp = 0;
  std::uint32_t packetCount = 0;
  std::uint32_t octetCount = 0;
  bool operator==(const SenderInfo&) const = default;
};

// All views own nothing: valid while the parsed bytes are.

class ReportBlocksView {
 public:
  ReportBlocksView() = default;
  explicit ReportBlocksView(Bytes bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size() / kBlockBytes; }
  ReportBlock operator[](std::size_t index) const;  // index < size()
  static constexpr std::size_t kBlockBytes = 24;

 private:
  Bytes bytes_;
};

struct SenderReportView {
  std::uint32_t ssrc;
  SenderInfo info;
  ReportBlocksView blocks;
};
struct ReceiverReportView {
  std::uint32_t ssrc;
  ReportBlocksView blocks;
};

// One (SSRC, CNAME) after the other; chunks without a CNAME and other items are skipped.
class SourceDescriptionView {
 public:
  struct Cname {
    std::uint32_t ssrc;
    std::string_view text;
  };
  SourceDescriptionView(Bytes chunks, std::size_t count) : rest_(chunks), chunksLeft_(count) {}
  std::optional<Cname> next();

 private:
  Bytes rest_;
  std::size_t chunksLeft_;
};

class SsrcListView {
 public:
  explicit SsrcListView(Bytes bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size() / 4; }
  std::uint32_t operator[](std::size_t index) const { return loadBigEndian<std::uint32_t>(bytes_.data() + index * 4); }

 private:
  Bytes bytes_;
};

struct ByeView {
  SsrcListView ssrcs;
  std::string_view reason;  // may be empty; any bytes
};

struct PictureLossIndication {
  std::uint32_t sender;
  std::uint32_t media;
};

class FullIntraRequestView {
 public:
  struct Entry {
    std::uint32_t ssrc;
    std::uint8_t sequence;
  };
  FullIntraRequestView(std::uint32_t senderSsrc, Bytes entries) : sender(senderSsrc), entries_(entries) {}
  std::size_t size() const { return entries_.size() / 8; }
  Entry operator[](std::size_t index) const {
    return {loadBigEndian<std::uint32_t>(entries_.data() + index * 8), entries_[index * 8 + 4]};
  }
  std::uint32_t sender;

 private:
  Bytes entries_;
};

// Generic NACK: single sequence numbers, at most 17 per entry of four bytes.
class NackView {
 public:
  NackView(std::uint32_t senderSsrc, std::uint32_t mediaSsrc, Bytes entries)
      : sender(senderSsrc), media(mediaSsrc), rest_(entries) {}
  std::optional<std::uint16_t> next();
  std::uint32_t sender;
  std::uint32_t media;

 private:
  Bytes rest_;
  std::uint16_t packetId_ = 0;
  std::uint32_t pending_ = 0;  // bit n: packetId_ + n is still to be given
};

struct UnknownView {
  std::uint8_t type;
  std::uint8_t count;  // the five bits after version and padding
  Bytes bytes;         // the whole packet, header included
};

using RtcpPacket = std::variant<SenderReportView, ReceiverReportView, SourceDescriptionView, ByeView,
                                PictureLossIndication, FullIntraRequestView, NackView, UnknownView>;

class CompoundView {
 public:
  // Checks everything once (RFC 3550 A.2 and the inside of each packet we know); nothing if any of it is wrong.
  static std::optional<CompoundView> parse(Bytes bytes);
  std::optional<RtcpPacket> next();
  // The sender of the first packet: every known type starts with an SSRC. Nothing for an empty SDES or BYE.
  std::optional<std::uint32_t> firstSsrc() const;

 private:
  explicit CompoundView(Bytes bytes) : bytes_(bytes), rest_(bytes) {}
  Bytes bytes_;
  Bytes rest_;
};

// Builds a compound packet, in the order of the calls. What does not fit is left out whole, and failed() tells.
class CompoundWriter {
 public:
  explicit CompoundWriter(MutableBytes buffer) : buffer_(buffer) {}

  void senderReport(std::uint32_t ssrc, const SenderInfo& info, std::span<const ReportBlock> blocks);
  void receiverReport(std::uint32_t ssrc, std::span<const ReportBlock> blocks);
  void cname(std::uint32_t ssrc, std::string_view cname);  // one SDES packet with one chunk; at most 255 bytes of text
  void bye(std::span<const std::uint32_t> ssrcs, std::string_view reason = {});
  void pictureLoss(std::uint32_t sender, std::uint32_t media);
  void fullIntraRequest(std::uint32_t sender, std::uint32_t media, std::uint8_t sequence);
  // Numbers in ascending order (with wrap) share entries; at most kNackEntriesMax entries are written.
  void nack(std::uint32_t sender, std::uint32_t media, std::span<const std::uint16_t> sequenceNumbers);
  void copy(Bytes wholePacket);

  static constexpr std::size_t kNackEntriesMax = 32;
  std::size_t size() const { return size_; }
  Bytes written() const { return buffer_.first(size_); }
  bool failed() const { return failed_; }

 private:
  template <typename Body>
  void packet(RtcpType type, std::size_t count, Body body);
  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool failed_ = false;
};

}  // namespace crosspoint::rtp
