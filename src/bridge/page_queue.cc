#include "bridge/page_queue.h"

#include <algorithm>

namespace crosspoint::bridge {
namespace {

constexpr const char* kNothing = R"(SDP {"messageType":"OK"})";  // a message that has no effect at a page

}  // namespace

bool PageQueue::push(std::string body, std::string peer, Kind kind) {
  if (messages_.size() >= (kind == Kind::Chatter ? kChatterMax : kMessagesMax)) return false;
  messages_.push_back({++lastSequence_, std::move(body), std::move(peer)});
  answer();
  return true;
}

void PageQueue::handleWait(TimePoint now, RequestId request, std::optional<std::uint64_t> acknowledged) {
  endPoll();
  closeSocket(kCloseTakenOver, "A poll has taken over");
  poll_ = request;
  pollEnds_ = now + hold_;
  if (acknowledged) acknowledge(*acknowledged);
  answer();
}

void PageQueue::handleSocket(RequestId request, std::uint64_t acknowledged) {
  endPoll();
  closeSocket(kCloseTakenOver, "A newer connection has taken over");
  socket_ = request;
  socketSent_ = 0;
  acknowledge(acknowledged);
  answer();
}

void PageQueue::handleAcknowledged(std::uint64_t acknowledged) {
  acknowledge(acknowledged);
  answer();
}

void PageQueue::acknowledge(std::uint64_t acknowledged) {
  counts_ = true;
  inFlight_.reset();
  if (acknowledged > sent_) return;  // of another session: a client that went on at a new one
  delivered_ = std::max(delivered_, acknowledged);
  while (!messages_.empty() && messages_.front().sequence <= acknowledged) messages_.pop_front();
}

void PageQueue::answer() {
  if (poll_) answerPoll();
  if (socket_) fillSocket();
}

void PageQueue::answerPoll() {
  if (messages_.empty() || inFlight_) return;
  const Message& head = messages_.front();
  reply({.request = *poll_, .body = head.body, .peer = head.peer, .sequence = head.sequence});
  answered_ = Answered{*poll_, head.sequence};
  sent_ = std::max(sent_, head.sequence);
  if (!counts_) inFlight_ = poll_;
  poll_.reset();
}

void PageQueue::fillSocket() {
  std::size_t count = 0, bytes = 0;
  for (const Message& message : messages_) {
    bytes += message.body.size();
    ++count;
    if (count > 1 && (count > kSocketMessagesMax || bytes > kSocketBytesMax)) return;
    if (message.sequence <= socketSent_) continue;
    reply({.request = *socket_,
           .body = message.body,
           .peer = message.peer,
           .sequence = message.sequence,
           .form = PageReply::Form::Frame});
    socketSent_ = message.sequence;
    sent_ = std::max(sent_, message.sequence);
  }
}

void PageQueue::forgetUnread() {
  while (!messages_.empty() && messages_.back().sequence > sent_) {
    messages_.pop_back();
    --lastSequence_;
  }
  // What a counting client was sent may have been lost on the way. Its number must come again, what it said must not.
  for (Message& message : messages_) {
    if (counts_) message.body = kNothing;
  }
}

bool PageQueue::takeBackBehind(std::uint64_t sequence) {
  if (mayHaveRead(sequence)) return false;
  while (!messages_.empty() && messages_.back().sequence > sequence) {
    messages_.pop_back();
    --lastSequence_;
  }
  return true;
}

bool PageQueue::awaits(std::string_view body) const {
  return std::ranges::any_of(
      messages_, [&](const Message& message) { return message.sequence > delivered_ && message.body == body; });
}

void PageQueue::handleDelivered(RequestId request) {
  if (answered_ && answered_->request == request) delivered_ = std::max(delivered_, answered_->sequence);
  if (inFlight_ != request) return;
  inFlight_.reset();
  messages_.pop_front();
  answer();
}

void PageQueue::handleClosed(RequestId request) {
  if (poll_ == request) poll_.reset();
  if (socket_ == request) socket_.reset();
  if (inFlight_ == request) {
    inFlight_.reset();
    answered_.reset();
    sent_ = messages_.front().sequence - 1;
    answer();
  }
}

void PageQueue::handleTimeout(TimePoint now) {
  if (poll_ && now >= pollEnds_) endPoll();
}

void PageQueue::finish(CloseCode code, std::string reason) {
  endPoll();
  closeSocket(code, std::move(reason));
}

void PageQueue::endPoll() {
  if (!poll_) return;
  reply({.request = *poll_});
  poll_.reset();
}

void PageQueue::closeSocket(CloseCode code, std::string reason) {
  if (!socket_) return;
  reply({.request = *socket_, .body = std::move(reason), .form = PageReply::Form::Close, .closeCode = code});
  socket_.reset();
}

}  // namespace crosspoint::bridge
