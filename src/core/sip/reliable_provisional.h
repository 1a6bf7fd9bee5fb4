// Reliable provisional responses (RFC 3262) of one INVITE, without its messages' other content: their numbers, their
// repetition until the PRACK, and which of the far end's is new.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/time.h"
#include "core/sip/message.h"

namespace crosspoint::sip {

inline constexpr std::string_view kReliable = "100rel";

// Where we are the callee (§3). One is on its way at a time; further ones wait for the PRACK of the first.
class ReliableSender {
 public:
  ReliableSender(std::uint32_t inviteCseq, std::uint32_t firstRseq, Duration t1, Duration prackWait)
      : inviteCseq_(inviteCseq), nextRseq_(firstRseq), t1_(t1), prackWait_(prackWait) {}

  // Numbers the response, which is about to leave. Not while another one waits.
  void send(TimePoint now, Response& response) {
    response.rseq = nextRseq_++;
    response.require.emplace_back(kReliable);
    interval_ = t1_;
    sent_ = Sent{response, now + interval_, now + prackWait_};
  }
  bool waiting() const { return sent_.has_value(); }
  // A 2xx may not overtake it (§3).
  bool bodyWaiting() const { return sent_ && !sent_->response.body.empty(); }
  // A final response is about to leave: nothing is repeated any more, but a PRACK may still come.
  void quiet() { repeats_ = false; }
  // What a PRACK with that RAck acknowledges: once for each response, and only the one that waits.
  std::optional<Response> acknowledge(const RAck& rack) {
    if (!sent_ || rack.method != Method::Invite || rack.cseq != inviteCseq_ || rack.rseq != *sent_->response.rseq)
      return std::nullopt;
    return std::exchange(sent_, {})->response;
  }
  // The response, if it is time to repeat it.
  const Response* repeatDue(TimePoint now) {
    if (!sent_ || !repeats_ || sent_->repeatAt > now) return nullptr;
    interval_ *= 2;
    sent_->repeatAt = now + interval_;
    return &sent_->response;
  }
  bool expired(TimePoint now) const { return sent_ && repeats_ && sent_->deadline <= now; }
  std::optional<TimePoint> nextTimeout() const {
    if (!sent_ || !repeats_) return std::nullopt;
    return std::min(sent_->repeatAt, sent_->deadline);
  }

 private:
  struct Sent {
    Response response;
    TimePoint repeatAt, deadline;
  };
  std::uint32_t inviteCseq_, nextRseq_;
  Duration t1_, prackWait_, interval_{};
  bool repeats_ = true;
  std::optional<Sent> sent_;
};

// Where we are the caller (§4), in one early dialog.
class ReliableReceiver {
 public:
  enum class Verdict : std::uint8_t {
    New,
    Repeated,   // of the last one: its PRACK may have been lost or refused
    OutOfOrder  // not to be looked at: what is missing, and this after it, will be sent again
  };
  Verdict receive(std::uint32_t inviteCseq, std::uint32_t rseq) {
    if (inviteCseq_ == inviteCseq) {
      if (rseq == last_) return Verdict::Repeated;
      if (rseq != last_ + 1) return Verdict::OutOfOrder;
    }
    inviteCseq_ = inviteCseq;
    last_ = rseq;
    return Verdict::New;
  }
  std::uint32_t last() const { return last_; }

 private:
  std::optional<std::uint32_t> inviteCseq_;
  std::uint32_t last_ = 0;
};

}  // namespace crosspoint::sip
