// RTCP of one leg: counts what passes, sends reports at intervals and feedback at once, and says what the far end asks
// for.
//
//     rtp::RtcpSession rtcp({.cname = "x", .ssrc = ours, .clock = anchor}, random, now);
//     rtcp.addSender(ours, 8000);
//     rtcp.handlePacketSent(now, packet);                 // each RTP packet, before encryption
//     rtcp.handlePacketReceived(now, packet, 8000);       // each RTP packet, after decryption
//     while (auto output = rtcp.pollOutput()) ...         // after handleRtcp, handleTimeout and each request
//
// Sans-IO. Intervals are RFC 3550 §6.3 for two members: the configured interval, spread evenly over half to one and a
// half times that, the first one halved. Feedback (PLI, FIR, NACK) is sent in immediate mode (RFC 4585 §3.4): two
// members, so nobody to wait for.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/rtp/packet.h"
#include "core/rtp/rtcp.h"
#include "core/rtp/statistics.h"

namespace crosspoint::rtp {

class RtcpSession {
 public:
  struct Config {
    std::string cname;         // RFC 7022: random, the same for all streams of the leg; at most kCnameBytesMax
    std::uint32_t ssrc = 0;    // who reports and asks while nothing is sent
    bool reducedSize = false;  // RFC 5506 was agreed: feedback goes out without a report before it
    Duration interval = std::chrono::seconds(5);  // RFC 3550 §6.2; 1 s is usual with video
    WallClockAnchor clock;
  };
  // With all of these at their limits a compound still fits kRtcpBytesMax.
  static constexpr std::size_t kSendersMax = 8;
  static constexpr std::size_t kCnameBytesMax = 64;  // and of the reason in BYE
  static constexpr std::size_t kSourcesMax =
      kReportBlocksMax;                           // a new one beyond takes the place of the one silent longest
  static constexpr std::size_t kOutputsMax = 64;  // what comes beyond until they are polled is dropped
  static constexpr Duration kKeyFrameRequestGap = std::chrono::milliseconds(250);  // requests closer together are one

  struct SendRtcp {  // to be encrypted and sent
    ByteVector bytes;
  };
  struct KeyFrameRequested {  // PLI or FIR; FIR repeats are told apart by their sequence
    std::uint32_t ssrc;
  };
  struct PacketsRequested {  // NACK, numbers as they were sent
    std::uint32_t ssrc;
    std::vector<std::uint16_t> sequenceNumbers;
  };
  struct SourceLeft {  // BYE
    std::uint32_t ssrc;
  };
  using Output = std::variant<SendRtcp, KeyFrameRequested, PacketsRequested, SourceLeft>;

  RtcpSession(Config config, Random& random, TimePoint now);  // `random` must outlive this object

  // False if there are kSendersMax already. Adding one that is there sets its clock rate.
  bool addSender(std::uint32_t ssrc, std::uint32_t clockRate);
  void removeSender(std::uint32_t ssrc);

  // Packet path. A sent packet of no known sender is not counted. A received one with a clock rate other than before
  // restarts the jitter.
  void handlePacketSent(TimePoint now, const PacketView& packet);
  void handlePacketReceived(TimePoint now, const PacketView& packet, std::uint32_t clockRate);

  // One decrypted compound. False if it is malformed.
  bool handleRtcp(TimePoint now, Bytes compound);
  void requestKeyFrame(TimePoint now, std::uint32_t source);
  void requestPackets(TimePoint now, std::uint32_t source, std::span<const std::uint16_t> sequenceNumbers);
  // Says BYE for all senders; nothing is sent afterwards.
  void close(TimePoint now, std::string_view reason = {});

  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();

  const SendStatistics* sender(std::uint32_t ssrc) const;
  const ReceiveStatistics* source(std::uint32_t ssrc) const;
  const std::vector<SendStatistics>& senders() const { return senders_; }
  const std::vector<ReceiveStatistics>& sources() const { return sources_; }
  std::uint64_t malformed() const { return malformed_; }

 private:
  struct KeyFrameRequest {
    std::uint32_t source;
    TimePoint at;
  };
  struct FullIntraSeen {
    std::uint32_t ssrc;
    std::uint8_t sequence;
  };
  SendStatistics* findSender(std::uint32_t ssrc);
  ReceiveStatistics* findSource(std::uint32_t ssrc);
  ReceiveStatistics& makeSource(std::uint32_t ssrc, std::uint32_t clockRate);
  std::uint32_t reporter() const;
  void writeReports(TimePoint now, CompoundWriter& writer);
  void handleReports(TimePoint now, const ReportBlocksView& blocks);
  void handleKeyFrameRequest(std::uint32_t ssrc);
  void handleFullIntraRequest(const FullIntraRequestView::Entry& entry);
  void handleNack(NackView nack);
  template <typename Write>
  void sendFeedback(TimePoint now, Write write);
  void push(Output output);
  void schedule(TimePoint now, Duration interval);

  Config config_;
  Random& random_;
  bool closed_ = false;
  std::vector<SendStatistics> senders_;
  std::vector<ReceiveStatistics> sources_;
  std::size_t lastSender_ = 0;  // most packets are of the stream of the packet before
  std::size_t lastSource_ = 0;
  std::vector<KeyFrameRequest> keyFrameRequests_;  // at most kSourcesMax
  std::vector<FullIntraSeen> fullIntraSeen_;       // at most kSendersMax
  std::deque<Output> outputs_;
  TimePoint nextReport_;
  std::uint64_t malformed_ = 0;
};

}  // namespace crosspoint::rtp
