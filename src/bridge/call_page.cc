// The page's leg of a call: what the page says, and what it is told.
#include "bridge/call.h"
#include "bridge/reason.h"
#include "bridge/sessions.h"
#include "bridge/statistics.h"

namespace crosspoint::bridge {
namespace {

constexpr Duration kPageAnswersWithin = std::chrono::seconds(40);  // a later offer; the first one rings

std::vector<std::string> candidateLines(const roap::Content& content) {
  std::vector<std::string> lines;
  lines.reserve(content.candidates.size());
  for (const auto& entry : content.candidates) lines.push_back(entry.candidate);
  return lines;
}

std::string_view refusalText(int sipStatus) {
  return sipStatus == 488 ? "The offer has no codec that the other side speaks; the call goes on as it was"
                          : "Another offer is open";
}

}  // namespace

// ---- what the page says ----

bool Call::takesOfferTo(std::string_view to) const {
  const bool unanswered = machine_.state() == call::State::New || machine_.state() == call::State::Offered;
  if (kind_ == Kind::SipToPage && unanswered) return false;  // it would have to be an ANSWER
  return to.empty() || to == "null" || isWith(to);
}

bool Call::mayRing() const { return !answered() && session_ != nullptr && session_->queue.mayHaveRead(queuedBefore_); }

std::expected<call::Media, std::string> Call::readPage(TimePoint now, bool offer, const roap::Content& content) {
  auto media = browserLeg_.read(now, offer, content.sdp, candidateLines(content));
  if (browserLeg_.renewedInVain()) {
    log(LogLevel::Warning,
        "the page has renewed its peer connection, which [rsmp] new-pc-support = 0 rules out: it will have no media");
  }
  return media;
}

void Call::handlePageOffer(TimePoint now, const roap::Content& content) {
  prompts_.handleOffer();
  takeAttached(content);
  const auto media = readPage(now, true, content);
  drainPeer(now);
  if (!media) {
    ++shared_.counters.badMessages;
    log(LogLevel::Warning, "the page's offer cannot be used: " + media.error());
    if (machine_.state() == call::State::Active) {
      session_->roap.refuse(now, roap::ErrorType::Failed, 400, media.error());
    } else {
      end(now, {call::Cause::Failed, 400, "The offer cannot be used: " + media.error()});
    }
    return;
  }
  machine_.handleOffer(now, browser_, *media);
  run(now);
}

void Call::handlePageAnswer(TimePoint now, const roap::Content& content) {
  takeAttached(content);
  const auto media = readPage(now, false, content);
  drainPeer(now);
  if (!media) {
    ++shared_.counters.badMessages;
    log(LogLevel::Warning, "the page's answer cannot be used: " + media.error());
    if (machine_.state() == call::State::Active) {
      machine_.handleOfferFailed(now, browser_);
      run(now);
    } else {
      end(now, {call::Cause::Failed, 500, "The page's answer cannot be used: " + media.error()});
    }
    return;
  }
  machine_.handleAnswer(now, browser_, *media);
  run(now);
}

void Call::handlePageProvisionalAnswer(TimePoint now, const roap::Content& content) {
  const auto media = readPage(now, false, content);
  drainPeer(now);
  if (media) return;
  ++shared_.counters.badMessages;
  log(LogLevel::Warning, "the page's provisional answer cannot be used: " + media.error());
}

void Call::handlePageOfferFailed(TimePoint now, roap::ErrorType error) {
  if (machine_.state() == call::State::Active) {
    machine_.handleOfferFailed(now, browser_);
    run(now);
  } else {
    end(now, reasonFromPage(error));
  }
}

// The page can take an offer now; it is written with what holds now, not with what held when it was wanted.
void Call::handleOfferPossible(TimePoint now) {
  if (!machine_.offerPending(browser_)) return;
  const bool first = machine_.state() != call::State::Active;
  if (session_->roap.offer(now, contentToPage(now, true, machine_.told(browser_)),
                           first ? std::nullopt : std::optional(kPageAnswersWithin))) {
    pageKnows_ = true;
  }
}

void Call::hangUpByPage(TimePoint now) {
  const bool established = machine_.state() == call::State::Active;
  // A client in the field takes our OFFER, if that comes after its own BYE, for another call.
  const bool mayRing = established && session_->roap.state() == roap::Session::State::AwaitingAnswer;
  session_->roap.endCall(now);
  if (mayRing && !session_->queue.counts()) tellPage("BYE");
  machine_.handleEnd(browser_, established ? call::Reason{call::Cause::HungUp, 0, "The page hung up"}
                               : kind_ == Kind::PageToSip || kind_ == Kind::PageToSelf
                                   ? call::Reason{call::Cause::Cancelled, 487, "The page cancelled"}
                                   : call::Reason{call::Cause::Refused, 603, "Declined by the page"});
  run(now);
}

void Call::handleReplaced(TimePoint now) {
  const bool established = machine_.state() == call::State::Active;
  session_->call = nullptr;
  session_ = nullptr;
  machine_.handleEnd(browser_, established ? call::Reason{call::Cause::HungUp, 0, "The page makes another call"}
                                           : call::Reason{call::Cause::Refused, 486, "The page is in another call"});
  run(now);
}

void Call::handleSessionGone(TimePoint now) {
  machine_.handleEnd(browser_, {call::Cause::SessionGone, 480, "The page signed out or vanished"});
  run(now);
  session_ = nullptr;
}

// ---- what the page is told ----

// The first description to the page carries what the far end attached to the call.
roap::Content Call::contentToPage(TimePoint now, bool offer, const call::Media& media) {
  roap::Content content{.sdp = writeToPage(now, offer, media)};
  if (!answered_) content.attachedData = attachedFromSip_;
  return content;
}

std::string Call::writeToPage(TimePoint now, bool offer, const call::Media& media) {
  std::array<SentStream, call::kStreams> sent;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = {media_.ssrcToPage(i), media_.cname()};
  return browserLeg_.write(now, offer, media, sent);
}

void Call::prompt(std::string body) {
  const bool rings =
      machine_.state() == call::State::New || (kind_ == Kind::SipToPage && machine_.state() == call::State::Offered);
  if (rings)
    tellPage(std::move(body), PageQueue::Kind::Chatter);
  else
    prompts_.ask(std::move(body));
}

void Call::promptPage(TimePoint now) {
  if (session_ == nullptr || ended_) return;
  if (auto body = prompts_.take(now, session_->roap.state() == roap::Session::State::Stable)) {
    tellPage(std::move(*body));
  }
}

void Call::tellPage(std::string body, PageQueue::Kind kind) {
  if (session_ != nullptr) session_->tell(std::move(body), peerName_, kind);
}

void Call::tellError(const call::Reason& reason) { tellPage(roap::toPage(errorMessage(reason))); }

void Call::tellStatistics(TimePoint now) {
  if (!answered_) return;
  tellPage("PUT-STATS " + statisticsJson(now, shared_.config.wallClock, *this), PageQueue::Kind::Chatter);
}

void Call::refuseToPage(TimePoint now, int sipStatus) {
  browserLeg_.undoOffer();
  if (session_ == nullptr) return;
  session_->roap.refuse(now, sipStatus == 491 ? roap::ErrorType::Conflict : roap::ErrorType::Failed,
                        static_cast<std::uint16_t>(sipStatus), std::string(refusalText(sipStatus)));
}

void Call::endPage(const call::Reason& reason) {
  if (session_ == nullptr || !pageKnows_) return;
  if (!isPlainEnd(reason)) tellError(reason);
  tellPage("BYE");
}

}  // namespace crosspoint::bridge
