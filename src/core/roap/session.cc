#include "core/roap/session.h"

#include <algorithm>
#include <utility>

namespace crosspoint::roap {
namespace {

constexpr std::uint32_t kTiebreakerMin = 1;
constexpr std::uint32_t kTiebreakerMax = 429'496'723;  // as pages choose them

// The ids, sequence number and type of a message that goes with `about`.
Message related(const Message& about, MessageType type) {
  Message message;
  message.type = type;
  message.offererSessionId = about.offererSessionId;
  message.answererSessionId = about.answererSessionId;
  message.seq = about.seq;
  return message;
}

Content contentOf(const Message& message) { return {message.sdp, message.candidates, message.attachedData}; }

void setContent(Message& message, Content&& content) {
  message.sdp = std::move(content.sdp);
  message.candidates = std::move(content.candidates);
  message.attachedData = std::move(content.attachedData);
}

}  // namespace

Session::Session(const Config& config, Random& random)
    : config_(config), random_(random), ownSessionId_(config.firstSessionId) {}

Session::Handling Session::handleMessage(TimePoint now, const Message& message) {
  // What answers something of ours is new while that is open: a sequence that starts again makes its key look old.
  const bool closesSomething =
      (state_ == State::AwaitingAnswer || state_ == State::AwaitingOk) && concernsOpen(message);
  const bool opensSomething = message.type == MessageType::Offer || message.type == MessageType::Shutdown;
  if ((opensSomething || !closesSomething) && seenBefore(message)) return count(Handling::Duplicate);
  switch (message.type) {
    case MessageType::Offer:
      return count(handleOffer(now, message));
    case MessageType::Answer:
      return count(handleAnswer(now, message));
    case MessageType::Ok:
      return count(handleOk(now, message));
    case MessageType::Error:
      return count(handleError(now, message));
    case MessageType::Shutdown:
      return count(handleShutdown(now, message));
  }
  return Handling::Stale;
}

Session::Handling Session::count(Handling handling) {
  if (handling == Handling::Duplicate) ++counters_.duplicates;
  if (handling == Handling::Stale) ++counters_.stale;
  if (handling == Handling::Incomplete) ++counters_.incomplete;
  return handling;
}

Session::Handling Session::handleOffer(TimePoint now, const Message& message) {
  remember(message);
  if (message.sdp.empty()) {
    sendError(message, ErrorType::Failed, 0, "the OFFER has no sdp");
    return Handling::Incomplete;
  }
  OfferReceived received{.content = contentOf(message)};
  if (state_ == State::AwaitingAnswer) {
    if (!yieldTo(now, message)) return Handling::Taken;
    received.droppedOurs = true;
    offerWanted_ = true;
  }
  received.replacesUnanswered = state_ == State::MustAnswer;
  if (state_ == State::AwaitingOk) outputs_.push_back(Settled{});  // the OK was lost or overtaken
  lastSeq_ = message.seq.value_or(lastSeq_ + 1);
  received.seq = lastSeq_;
  pageId_ = message.offererSessionId;
  open_ = related(message, MessageType::Offer);
  enter(now, State::MustAnswer);
  outputs_.push_back(std::move(received));
  return Handling::Taken;
}

bool Session::yieldTo(TimePoint now, const Message& theirs) {
  ++counters_.glares;
  if (config_.glare == Glare::PageWins || !theirs.tiebreaker) return true;
  const auto ours = open_->tiebreaker.value_or(kTiebreakerMin);
  if (*theirs.tiebreaker > ours) return true;
  ++counters_.conflicts;
  const bool equal = *theirs.tiebreaker == ours;
  sendError(theirs, equal ? ErrorType::DoubleConflict : ErrorType::Conflict, 0, {});
  if (equal) {
    outputs_.push_back(OfferFailed{ErrorType::DoubleConflict});
    offerWanted_ = true;
    enter(now, State::Stable);
  }
  return false;
}

// Ids are compared only where they were copied from ours or from the page's own OFFER, and only if they are there.
bool Session::concernsOpen(const Message& message) const {
  if (!open_) return false;
  if (message.seq && open_->seq && message.seq != open_->seq) return false;
  return message.offererSessionId.isNull() || open_->offererSessionId.isNull() ||
         message.offererSessionId.matches(open_->offererSessionId);
}

Session::Handling Session::handleAnswer(TimePoint now, const Message& message) {
  if (state_ != State::AwaitingAnswer || !concernsOpen(message)) return Handling::Stale;
  if (message.sdp.empty()) {
    remember(message);
    sendError(message, ErrorType::Failed, 0, "the ANSWER has no sdp");
    outputs_.push_back(OfferFailed{ErrorType::Failed});
    enter(now, State::Stable);
    return Handling::Incomplete;
  }
  if (!message.moreComing) {
    remember(message);
    outputs_.push_back(Send{related(message, MessageType::Ok)});
  }
  if (!message.answererSessionId.isNull()) pageId_ = message.answererSessionId;
  outputs_.push_back(AnswerReceived{contentOf(message), message.moreComing});
  if (!message.moreComing) enter(now, State::Stable);
  return Handling::Taken;
}

Session::Handling Session::handleOk(TimePoint now, const Message& message) {
  remember(message);
  if (state_ != State::AwaitingOk || !concernsOpen(message)) return Handling::Stale;
  outputs_.push_back(Settled{});
  enter(now, State::Stable);
  return Handling::Taken;
}

Session::Handling Session::handleError(TimePoint now, const Message& message) {
  remember(message);
  const auto error = message.errorType.value_or(ErrorType::Failed);
  if (state_ != State::AwaitingAnswer || !concernsOpen(message)) {
    outputs_.push_back(ErrorReceived{error});
    return Handling::Taken;
  }
  outputs_.push_back(OfferFailed{error});
  if (error == ErrorType::DoubleConflict) offerWanted_ = true;
  enter(now, State::Stable);
  // The page's own OFFER is on its way: ours goes after it.
  if (error == ErrorType::Conflict) offerWanted_ = true;
  return Handling::Taken;
}

Session::Handling Session::handleShutdown(TimePoint now, const Message& message) {
  remember(message);
  outputs_.push_back(Send{related(message, MessageType::Ok)});
  outputs_.push_back(ShutdownReceived{});
  offerWanted_ = false;
  enter(now, State::Stable);
  return Handling::Taken;
}

bool Session::wantOffer(TimePoint) {
  offerWanted_ = state_ != State::Stable;
  if (!offerWanted_) outputs_.push_back(OfferPossible{});
  return !offerWanted_;
}

bool Session::offer(TimePoint now, Content content, std::optional<Duration> answerWithin) {
  if (state_ != State::Stable) return false;
  Message message;
  message.type = MessageType::Offer;
  message.offererSessionId = SessionId::number(ownSessionId_);
  message.seq = ++lastSeq_;
  message.tiebreaker = config_.glare == Glare::PageWins
                           ? kTiebreakerMin
                           : kTiebreakerMin + static_cast<std::uint32_t>(random_.below(kTiebreakerMax));
  open_ = message;
  offerWanted_ = false;
  enter(now, State::AwaitingAnswer);
  if (answerWithin) deadline_ = now + *answerWithin;
  setContent(message, std::move(content));
  outputs_.push_back(Send{std::move(message)});
  return true;
}

bool Session::answer(TimePoint now, Content content, bool moreComing) {
  if (state_ != State::MustAnswer || (moreComing && !config_.provisionalAnswers)) return false;
  auto message = related(*open_, MessageType::Answer);
  message.answererSessionId = SessionId::number(ownSessionId_);
  message.moreComing = moreComing;
  setContent(message, std::move(content));
  outputs_.push_back(Send{std::move(message)});
  if (!moreComing) enter(now, State::AwaitingOk);
  return true;
}

bool Session::refuse(TimePoint now, ErrorType error, std::uint16_t sipStatus, std::string reason) {
  if (state_ != State::MustAnswer) return false;
  sendError(*open_, error, sipStatus, std::move(reason));
  enter(now, State::Stable);
  return true;
}

void Session::endCall(TimePoint now) {
  offerWanted_ = false;
  enter(now, State::Stable);
  std::erase_if(outputs_, [](const Output& output) { return !std::holds_alternative<Send>(output); });
  ++ownSessionId_;
  if (!pageId_.isNull()) endedPageId_ = std::exchange(pageId_, {});
  lastSeq_ = 0;
}

bool Session::hasSeen(const Message& message) const {
  const auto end = seen_.begin() + static_cast<std::ptrdiff_t>(seenCount_);
  return std::find(seen_.begin(), end, keyOf(message)) != end;
}

void Session::handleTimeout(TimePoint now) {
  if (!deadline_ || now < *deadline_) return;
  if (state_ == State::AwaitingOk) outputs_.push_back(Settled{});
  if (state_ == State::AwaitingAnswer) outputs_.push_back(OfferFailed{ErrorType::Timeout});
  enter(now, State::Stable);
}

std::optional<TimePoint> Session::nextTimeout() const { return deadline_; }

std::optional<Session::Output> Session::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  auto output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

std::optional<Message> Session::pollSend() {
  const auto found = std::ranges::find_if(outputs_, [](const Output& o) { return std::holds_alternative<Send>(o); });
  if (found == outputs_.end()) return std::nullopt;
  Message message = std::move(std::get<Send>(*found).message);
  outputs_.erase(found);
  return message;
}

void Session::enter(TimePoint now, State state) {
  state_ = state;
  deadline_.reset();
  if (state == State::AwaitingOk) deadline_ = now + config_.okWithin;
  if (state != State::Stable) return;
  open_.reset();
  if (std::exchange(offerWanted_, false)) outputs_.push_back(OfferPossible{});
}

void Session::sendError(const Message& about, ErrorType error, std::uint16_t sipStatus, std::string reason) {
  auto message = related(about, MessageType::Error);
  message.errorType = error;
  if (sipStatus != 0) message.sipStatus = sipStatus;
  message.reason = std::move(reason);
  outputs_.push_back(Send{std::move(message)});
}

Session::Seen Session::keyOf(const Message& message) {
  return {message.type, message.offererSessionId, message.seq.value_or(0), message.tiebreaker.value_or(0)};
}

// What is still being posted again stays in mind, however long that goes on and whatever else comes in between.
bool Session::seenBefore(const Message& message) {
  const auto end = seen_.begin() + static_cast<std::ptrdiff_t>(seenCount_);
  const auto found = std::find(seen_.begin(), end, keyOf(message));
  if (found == end) return false;
  std::rotate(found, found + 1, end);
  return true;
}

void Session::remember(const Message& message) {
  if (seenCount_ == kSeenMax)
    std::ranges::rotate(seen_, seen_.begin() + 1);
  else
    ++seenCount_;
  seen_[seenCount_ - 1] = keyOf(message);
}

}  // namespace crosspoint::roap
