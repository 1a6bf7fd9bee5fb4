// The messages that wait for one page, and the hanging GET that takes them (`spec/signalling.md` sections 2 and 8).
//
// One reply carries one message. A client that keeps count (`ack=N`) gets a message again until it acknowledges it. For
// any other a message is gone when its reply was written, and back at the queue's head when writing failed.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/time.h"
#include "bridge/page.h"

namespace crosspoint::bridge {

class PageQueue {
 public:
  static constexpr std::size_t kMessagesMax = 256;
  static constexpr std::size_t kChatterMax = 128;  // beyond this, what a call can do without is not taken any more

  enum class Kind : std::uint8_t {
    Signalling,  // a page that misses one is stuck
    Chatter,     // data of the far end, statistics, progress
  };

  // Replies go to the back of `replies`, which must outlive the queue.
  PageQueue(Duration hold, std::deque<PageReply>& replies) : hold_(hold), replies_(replies) {}

  // False: the page does not fetch its messages and the queue is full; the message is lost.
  bool push(std::string body, std::string peer, Kind kind = Kind::Signalling);
  // A poll takes over from an older one, which is ended with an empty reply.
  void handleWait(TimePoint now, RequestId, std::optional<std::uint64_t> acknowledged);
  void handleDelivered(RequestId);
  void handleClosed(RequestId);
  void handleTimeout(TimePoint now);
  // Completes the open poll with an empty reply.
  void finish();
  // Takes back what the page has not read, as far as that can be: it is of a call that the page has left.
  void forgetUnread();
  // Has this very message been queued and not yet reached the page, as far as is known?
  bool awaits(std::string_view body) const;

  std::optional<TimePoint> nextTimeout() const { return poll_ ? std::optional(pollEnds_) : std::nullopt; }
  bool polling() const { return poll_.has_value(); }
  bool inFlight() const { return inFlight_.has_value(); }

 private:
  struct Message {
    std::uint64_t sequence = 0;
    std::string body, peer;
  };
  void answer();
  void reply(PageReply reply) { replies_.push_back(std::move(reply)); }
  struct Answered {  // the last poll that got a message
    RequestId request{};
    std::uint64_t sequence = 0;
  };

  Duration hold_;
  std::deque<Message> messages_;  // unacknowledged or not yet sent, in order
  std::uint64_t lastSequence_ = 0;
  std::optional<Answered> answered_;
  std::uint64_t delivered_ = 0;    // up to this number all were written to the page
  bool counts_ = false;            // the client acknowledges
  std::optional<RequestId> poll_;  // open, without a reply
  TimePoint pollEnds_{};
  std::optional<RequestId> inFlight_;  // the reply that carries the head, of a client that does not count
  std::deque<PageReply>& replies_;
};

}  // namespace crosspoint::bridge
