// The messages that wait for one page, and the hanging GET or the WebSocket that takes them
// (docs/protocols/signalling.md sections 2, 3.2 and 3.4).
//
// One reply to a poll carries one message. A client that keeps count (`ack=N`) gets a message again until it
// acknowledges it. For any other a message is gone when its reply was written, and back at the queue's head when
// writing failed. A socket keeps count always. Whatever comes last, a poll or a socket, takes over from what was there.
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
  // On their way to a socket and not acknowledged; one message is always allowed.
  static constexpr std::size_t kSocketMessagesMax = 32;
  static constexpr std::size_t kSocketBytesMax = 256 * 1024;

  enum class Kind : std::uint8_t {
    Signalling,  // a page that misses one is stuck
    Chatter,     // data of the far end, statistics, progress
  };

  // Replies go to the back of `replies`, which must outlive the queue.
  PageQueue(Duration hold, std::deque<PageReply>& replies) : hold_(hold), replies_(replies) {}

  // False: the page does not fetch its messages and the queue is full; the message is lost.
  bool push(std::string body, std::string peer, Kind kind = Kind::Signalling);
  void handleWait(TimePoint now, RequestId, std::optional<std::uint64_t> acknowledged);
  void handleSocket(RequestId, std::uint64_t acknowledged);
  // All up to this number have been read. A number that was never sent counts for nothing.
  void handleAcknowledged(std::uint64_t);
  void handleDelivered(RequestId);
  void handleClosed(RequestId);
  void handleTimeout(TimePoint now);
  // Completes the open poll with an empty reply, closes the socket.
  void finish(CloseCode, std::string reason);
  // Takes back what the page has not read, as far as that can be: it is of a call that the page has left.
  void forgetUnread();
  std::uint64_t lastSequence() const { return lastSequence_; }
  // Takes back every message behind that number, or says false and changes nothing: one of them may have been read.
  bool takeBackBehind(std::uint64_t sequence);
  // May the page have read one that is behind that number?
  bool mayHaveRead(std::uint64_t sequence) const { return sent_ > sequence; }
  // Has this very message been queued and not yet reached the page, as far as is known?
  bool awaits(std::string_view body) const;

  std::optional<TimePoint> nextTimeout() const { return poll_ ? std::optional(pollEnds_) : std::nullopt; }
  // The page acknowledges, as our own client does.
  bool counts() const { return counts_; }
  // The page is there: it polls or has a socket open.
  bool attached() const { return poll_ || socket_; }

 private:
  struct Message {
    std::uint64_t sequence = 0;
    std::string body, peer;
  };
  void answer();
  void answerPoll();
  void fillSocket();
  void acknowledge(std::uint64_t);
  void endPoll();
  void closeSocket(CloseCode, std::string reason);
  void reply(PageReply reply) { replies_.push_back(std::move(reply)); }
  struct Answered {  // the last poll that got a message
    RequestId request{};
    std::uint64_t sequence = 0;
  };

  Duration hold_;
  std::deque<Message> messages_;  // unacknowledged or not yet sent, in order
  std::uint64_t lastSequence_ = 0;
  std::optional<Answered> answered_;
  std::uint64_t sent_ = 0;         // up to this number all were given to a poll or a socket, once at least
  std::uint64_t delivered_ = 0;    // up to this number all were written to the page, or acknowledged
  bool counts_ = false;            // the client acknowledges
  std::optional<RequestId> poll_;  // open, without a reply
  TimePoint pollEnds_{};
  std::optional<RequestId> socket_;
  std::uint64_t socketSent_ = 0;       // up to this number all were sent on this socket, or acknowledged
  std::optional<RequestId> inFlight_;  // the reply that carries the head, of a client that does not count
  std::deque<PageReply>& replies_;
};

}  // namespace crosspoint::bridge
