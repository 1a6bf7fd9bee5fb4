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
  if (poll_) reply({.request = *poll_});
  poll_ = request;
  pollEnds_ = now + hold_;
  if (acknowledged) {
    counts_ = true;
    inFlight_.reset();
    while (!messages_.empty() && messages_.front().sequence <= *acknowledged) messages_.pop_front();
  }
  answer();
}

void PageQueue::answer() {
  if (!poll_ || messages_.empty() || inFlight_) return;
  const Message& head = messages_.front();
  reply({.request = *poll_, .body = head.body, .peer = head.peer, .sequence = head.sequence});
  answered_ = Answered{*poll_, head.sequence};
  if (!counts_) inFlight_ = poll_;
  poll_.reset();
}

void PageQueue::forgetUnread() {
  const std::uint64_t sent = answered_ ? answered_->sequence : 0;
  while (!messages_.empty() && messages_.back().sequence > sent) {
    messages_.pop_back();
    --lastSequence_;
  }
  // What a counting client was sent may have been lost on the way. Its number must come again, what it said must not.
  for (Message& message : messages_) {
    if (counts_) message.body = kNothing;
  }
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
  if (inFlight_ == request) {
    inFlight_.reset();
    answered_.reset();
    answer();
  }
}

void PageQueue::handleTimeout(TimePoint now) {
  if (poll_ && now >= pollEnds_) finish();
}

void PageQueue::finish() {
  if (!poll_) return;
  reply({.request = *poll_});
  poll_.reset();
}

}  // namespace crosspoint::bridge
