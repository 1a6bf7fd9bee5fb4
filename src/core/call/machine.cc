#include "core/call/machine.h"

#include <algorithm>

#include "base/check.h"

namespace crosspoint::call {
namespace {

constexpr std::string_view kNoCodecOfOurs =
    "No codec in the offer is one that this gateway passes on (Opus, PCMU, PCMA, VP8)";

bool contains(const std::vector<Codec>& codecs, const Codec& codec) {
  return std::ranges::any_of(codecs, [&](const Codec& other) { return sameEncoding(other, codec); });
}

bool payloadTypeTaken(const std::array<std::vector<Codec>, kStreams>& known, std::uint8_t payloadType) {
  return std::ranges::any_of(known, [&](const auto& codecs) {
    return std::ranges::any_of(codecs, [&](const Codec& codec) { return codec.payloadType == payloadType; });
  });
}

// A browser that sends Opus wants telephone-event with the same clock: see common().
void addWideDigits(std::vector<Codec>& codecs) {
  const bool wide = !codecs.empty() && codecs.front().clockRate == 48000;
  const auto digits = std::ranges::find_if(codecs, isTelephoneEvent);
  if (!wide || digits == codecs.end()) return;
  if (std::ranges::any_of(codecs, [](const Codec& c) { return isTelephoneEvent(c) && c.clockRate == 48000; })) return;
  Codec added = *digits;
  added.clockRate = 48000;
  codecs.insert(digits, added);
}

// RFC 3264 §8.3.2: within a session a payload type keeps its meaning. In a BUNDLE it is also unique across streams (RFC
// 8843 §9.1).
void number(std::array<std::vector<Codec>, kStreams>& known, std::size_t stream, Codec& codec) {
  for (const auto& bound : known[stream]) {
    if (sameEncoding(bound, codec)) {
      codec.payloadType = bound.payloadType;
      return;
    }
  }
  for (int candidate = 96; payloadTypeTaken(known, codec.payloadType) && candidate < 128; ++candidate) {
    codec.payloadType = static_cast<std::uint8_t>(candidate);
  }
  known[stream].push_back(codec);
}

// Between `truth` and what a side, which says `own` of itself, was told.
bool differs(const Stream& truth, const Stream& told, const Stream& own) {
  if (common(told.codecs, truth.codecs).empty()) return true;
  // What this side may be sending now must still be understood.
  for (const auto& codec : common(told.codecs, own.codecs)) {
    if (isMediaCodec(codec) && !contains(truth.codecs, codec)) return true;
  }
  // What was told in an answer was limited by the offer: compare only what this side lets the other do.
  const Direction allowed = own.present() ? reversed(own.direction) : Direction::Inactive;
  return intersection(truth.direction, allowed) != intersection(told.direction, allowed);
}

}  // namespace

Machine::Machine(const Config& config) : config_(config) {
  config_.provisionalAnswer &= config.caller == LegKind::Browser && config.callee == LegKind::Sip;
  config_.earlyAnswer &= !config_.provisionalAnswer;
}

void Machine::remember(Side side, const Media& media) {
  for (std::size_t i = 0; i < kStreams; ++i) {
    for (const auto& codec : media[i].codecs) {
      auto& known = leg(side).known[i];
      const auto bound = std::ranges::find_if(known, [&](const Codec& k) { return sameEncoding(k, codec); });
      if (bound != known.end()) {
        bound->payloadType = codec.payloadType;
      } else if (known.size() < kCodecsMax) {
        known.push_back(codec);
      }
    }
  }
}

// `answering`: what the side was offered. It could then only say less than it wants: a bit that the offer did not allow
// keeps its old value, so that a page which answered a hold with "recvonly" still wants to send when the hold is over.
void Machine::describe(Side side, const Media& media, const Media* answering) {
  const Media kept = reduced(media);
  remember(side, kept);
  for (std::size_t i = 0; i < kStreams; ++i) {
    auto& described = leg(side).described[i];
    Direction direction = kept[i].direction;
    if (answering != nullptr && described.present() && kept[i].present()) {
      const Direction allowed = reversed((*answering)[i].direction);
      const auto mixed = (static_cast<unsigned>(direction) & static_cast<unsigned>(allowed)) |
                         (static_cast<unsigned>(described.direction) & ~static_cast<unsigned>(allowed) & 3u);
      direction = static_cast<Direction>(mixed);
    } else if (answering != nullptr && kept[i].present()) {
      const Direction allowed = reversed((*answering)[i].direction);
      direction = static_cast<Direction>(static_cast<unsigned>(direction) | (~static_cast<unsigned>(allowed) & 3u));
    }
    described = kept[i];
    described.direction = direction;
  }
}

Media Machine::offerTo(Side side) const {
  Media offer = leg(other(side)).described;
  if (kind(side) == LegKind::Browser) addWideDigits(offer[0].codecs);
  auto known = leg(side).known;
  for (std::size_t i = 0; i < kStreams; ++i) {
    for (auto& codec : offer[i].codecs) number(known, i, codec);
  }
  return offer;
}

Media Machine::answerTo(Side side) const {
  const Media& offered = leg(side).described;
  const Media& answering = leg(other(side)).described;
  Media answer;
  for (std::size_t i = 0; i < kStreams; ++i) {
    answer[i].codecs = common(offered[i].codecs, answering[i].codecs);
    if (!answer[i].present()) continue;
    answer[i].direction = intersection(reversed(offered[i].direction), answering[i].direction);
  }
  return answer;
}

// Does the other side's present description differ from what this side was told, in a way that this side has to know?
bool Machine::outOfStep(Side side) const {
  const Media& truth = leg(other(side)).described;
  const Media& told = leg(side).told;
  for (std::size_t i = 0; i < kStreams; ++i) {
    if (truth[i].present() != told[i].present()) return true;
    if (told[i].present() && differs(truth[i], told[i], leg(side).described[i])) return true;
  }
  return false;
}

// Is there a stream that this SIP side has, but knows only as it was before the offer that it has refused? It would
// stay silent for somebody, as where the end of a hold was refused.
bool Machine::refusedToKnow(Side side) const {
  const Media& truth = leg(other(side)).described;
  const Leg& leg = this->leg(side);
  if (kind(side) != LegKind::Sip || leg.refusals == 0) return false;
  for (std::size_t i = 0; i < kStreams; ++i) {
    const bool everywhere = truth[i].present() && leg.agreed[i].present() && leg.described[i].present();
    if (everywhere && differs(truth[i], leg.agreed[i], leg.described[i])) return true;
  }
  return false;
}

// Can this side's offer be answered from what the other side has said, without asking it?
bool Machine::canAnswerAlone(Side side) const {
  if (!usable(answerTo(side))) return false;
  const Leg& asked = leg(other(side));
  for (std::size_t i = 0; i < kStreams; ++i) {
    if (described(side)[i].present() && !asked.described[i].present() && !asked.told[i].present()) return false;
  }
  return true;
}

void Machine::sendOffer(TimePoint now, Side to) {
  Leg& leg = this->leg(to);
  leg.told = offerTo(to);
  remember(to, leg.told);
  leg.offerPending = true;
  leg.wantsOffer = false;
  leg.againAt.reset();
  const bool sipWaits = kind(to) == LegKind::Browser && this->leg(other(to)).owesAnswer;
  if (state_ == State::Active) leg.deadline = now + (sipWaits ? config_.askedMax : config_.updateMax);
  output(SendOffer{to, leg.told});
}

void Machine::sendAnswer(Side to) {
  Leg& leg = this->leg(to);
  leg.told = answerTo(to);
  leg.owesAnswer = false;
  agree(leg);
  output(SendAnswer{to, leg.told});
}

void Machine::agree(Leg& leg) {
  leg.agreed = leg.told;
  leg.refusals = 0;
  leg.againAt.reset();
}

// All that may come of the caller's offer; of a stream that the callee has said something about only what they share. A
// stream is never refused before the answer is final: a browser would stop it for good.
Media Machine::provisionalAnswer() const {
  const Media& offered = described(Side::Caller);
  Media answer;
  for (std::size_t i = 0; i < kStreams; ++i) {
    if (!offered[i].present()) continue;
    answer[i].codecs = common(offered[i].codecs, described(Side::Callee)[i].codecs);
    if (!answer[i].present()) answer[i].codecs = common(offered[i].codecs, offered[i].codecs);
    answer[i].direction = reversed(offered[i].direction);
  }
  return answer;
}

void Machine::sendProvisionalAnswer() {
  Media answer = provisionalAnswer();
  if (provisionalAnswers_ == kProvisionalAnswersMax || answer == leg(Side::Caller).told) return;
  ++provisionalAnswers_;
  leg(Side::Caller).told = answer;
  output(SendAnswer{Side::Caller, std::move(answer), true});
}

// What was agreed before its offer stands.
void Machine::refuse(Side to, int sipStatus) {
  leg(to).owesAnswer = false;
  leg(to).described = leg(to).before;
  output(RefuseOffer{to, sipStatus});
}

// Sends what follows from the present state: offers to sides that are out of step, answers that wait for nothing any
// more.
void Machine::settle(TimePoint now) {
  if (state_ != State::Active) return;
  for (const Side side : {Side::Caller, Side::Callee}) {
    const Leg& to = leg(side);
    // A side that waits for our answer is told with the answer; nobody is offered a call without media.
    if (to.offerPending || to.owesAnswer || to.wantsOffer || !usable(described(other(side)))) continue;
    if (outOfStep(side)) sendOffer(now, side);
  }
  for (const Side side : {Side::Caller, Side::Callee}) {
    if (!leg(side).owesAnswer || leg(other(side)).offerPending) continue;
    if (usable(answerTo(side))) {
      sendAnswer(side);
    } else {
      refuse(side, 488);
      return settle(now);  // the other side may have been told of it
    }
  }
  output(RoutesChanged{});
}

// An UPDATE within an early dialog (RFC 3311 §5.2): answered from what the caller has said, as its answer will be.
void Machine::handleEarlyOfferOfCallee(const Media& media) {
  const Media before = described(Side::Callee);
  describe(Side::Callee, media, nullptr);
  Media answer = answerTo(Side::Callee);
  if (!usable(answer)) {
    leg(Side::Callee).described = before;
    output(RefuseOffer{Side::Callee, 488});
    return;
  }
  output(SendAnswer{Side::Callee, std::move(answer)});
  if (config_.provisionalAnswer) sendProvisionalAnswer();
  output(RoutesChanged{});
}

// Before the call is answered: the caller gives its offer up for another one. The callee hears of it after its answer.
void Machine::handleEarlierOffer(Side from, const Media& media) {
  const bool early = usable(described(Side::Callee));  // there is an early dialog with an answer in it
  if (from == Side::Callee && kind(from) == LegKind::Sip && early) return handleEarlyOfferOfCallee(media);
  if (from != Side::Caller || kind(from) != LegKind::Browser) {
    output(RefuseOffer{from, 491});
    return;
  }
  if (!leg(from).owesAnswer) leg(from).before = described(from);
  describe(from, media, nullptr);
  if (!usable(described(from))) return end({Cause::NoCommonCodec, 488, std::string(kNoCodecOfOurs)});
  leg(from).owesAnswer = true;
  if (config_.provisionalAnswer) {
    leg(from).told = {};  // it has not been told anything about this offer
    provisionalAnswers_ = 0;
    sendProvisionalAnswer();
  } else if (state_ == State::Early && usable(answerTo(from))) {
    sendAnswer(from);
  }
  output(RoutesChanged{});
}

void Machine::handleOffer(TimePoint now, Side from, const Media& media) {
  if (state_ == State::Ended) return;
  if (state_ == State::New) {
    CROSSPOINT_CHECK(from == Side::Caller);
    describe(from, media, nullptr);
    if (!usable(described(from))) return end({Cause::NoCommonCodec, 488, std::string(kNoCodecOfOurs)});
    leg(from).before = described(from);
    leg(from).owesAnswer = true;
    state_ = State::Offered;
    answerDeadline_ = now + config_.answerMax;
    sendOffer(now, Side::Callee);
    if (config_.provisionalAnswer) sendProvisionalAnswer();
    return;
  }
  if (state_ != State::Active) return handleEarlierOffer(from, media);
  Leg& leg = this->leg(from);
  if (!leg.owesAnswer) leg.before = leg.described;
  leg.offerPending = false;  // an offer of ours that crossed it is void; outOfStep() finds what it wanted to say
  leg.wantsOffer = false;
  leg.owesAnswer = true;
  describe(from, media, nullptr);
  Leg& asked = this->leg(other(from));
  if (!asked.offerPending && refusedToKnow(other(from))) {  // it is worth another try
    asked.told = asked.agreed;
    asked.refusals = 0;
  }
  if (!usable(described(from))) {
    refuse(from, 488);
  } else {
    if (kind(from) == LegKind::Sip && canAnswerAlone(from)) sendAnswer(from);
    if (asked.wantsOffer) sendOffer(now, other(from));
  }
  settle(now);
}

void Machine::handleOfferWithdrawn(TimePoint now, Side from) {
  Leg& leg = this->leg(from);
  leg.wantsOffer = false;
  if (state_ != State::Active || !leg.owesAnswer) return;
  leg.owesAnswer = false;
  leg.described = leg.before;
  settle(now);
}

void Machine::handleOfferRequest(TimePoint now, Side from) {
  if (state_ != State::Active || leg(from).offerPending || leg(from).owesAnswer) {
    output(RefuseOffer{from, 491});
    return;
  }
  if (kind(other(from)) != LegKind::Browser) return sendOffer(now, from);
  leg(from).wantsOffer = true;
  leg(from).deadline = now + config_.freshOfferMax;
  output(AskForOffer{other(from)});
}

void Machine::handleProgress(TimePoint, const std::optional<Media>& earlyAnswer) {
  if (state_ != State::Offered && state_ != State::Early) return;
  output(SendRinging{Side::Caller});
  if (!earlyAnswer) return;
  const Media told = leg(Side::Callee).told;
  describe(Side::Callee, *earlyAnswer, &told);
  if (!config_.earlyAnswer && !config_.provisionalAnswer) return;
  state_ = State::Early;
  if (config_.provisionalAnswer) {
    sendProvisionalAnswer();
  } else if (leg(Side::Caller).owesAnswer && usable(answerTo(Side::Caller))) {
    sendAnswer(Side::Caller);
  }
  output(RoutesChanged{});
}

void Machine::handleAnswer(TimePoint now, Side from, const Media& media) {
  Leg& leg = this->leg(from);
  // A page's answer that comes late is still what it has done.
  const bool late = state_ == State::Active && kind(from) == LegKind::Browser && !leg.owesAnswer;
  if (state_ == State::Ended || (!leg.offerPending && !late)) return;
  leg.offerPending = false;
  const Media told = leg.told;
  describe(from, media, &told);
  agree(leg);
  if (state_ == State::Active) {
    settle(now);
    return;
  }
  if (!usable(answerTo(Side::Caller))) {
    end({Cause::NoCommonCodec, 488, "The two sides have no codec in common"});
    return;
  }
  state_ = State::Active;
  answerDeadline_.reset();
  settle(now);
}

void Machine::handleOfferFailed(TimePoint now, Side from) {
  Leg& leg = this->leg(from);
  if (state_ != State::Active || !leg.offerPending) return;
  leg.offerPending = false;
  // `told` stays as it was sent: the same offer is not made again before something changes, but for what must be known.
  ++leg.refusals;
  if (leg.refusals <= kOffersAgainMax && refusedToKnow(from))
    leg.againAt = now + config_.offerAgainAfter * (1 << (leg.refusals - 1));
  settle(now);
}

void Machine::offerAgain(TimePoint now, Side to) {
  Leg& leg = this->leg(to);
  leg.againAt.reset();
  if (!leg.offerPending && !leg.owesAnswer && !leg.wantsOffer && refusedToKnow(to)) sendOffer(now, to);
}

void Machine::handleEnd(Side from, const Reason& reason) {
  if (state_ == State::Ended) return;
  state_ = State::Ended;
  answerDeadline_.reset();
  output(EndLeg{other(from), reason});
  output(Ended{reason});
}

void Machine::end(const Reason& reason) {
  if (state_ == State::Ended) return;
  state_ = State::Ended;
  answerDeadline_.reset();
  output(EndLeg{Side::Caller, reason});
  output(EndLeg{Side::Callee, reason});
  output(Ended{reason});
}

void Machine::handleTimeout(TimePoint now) {
  if (state_ == State::Ended) return;
  if (answerDeadline_ && now >= *answerDeadline_) return end({Cause::NoAnswer, 408, "Nobody answered"});
  for (const Side side : {Side::Caller, Side::Callee}) {
    Leg& leg = this->leg(side);
    if (state_ == State::Active && leg.againAt && now >= *leg.againAt) offerAgain(now, side);
    const bool waits = leg.offerPending || leg.wantsOffer;
    if (state_ != State::Active || !waits || !leg.deadline || now < *leg.deadline) continue;
    if (leg.wantsOffer)
      sendOffer(now, side);
    else
      handleOfferFailed(now, side);
  }
}

std::optional<TimePoint> Machine::nextTimeout() const {
  if (state_ == State::Ended) return std::nullopt;
  auto next = answerDeadline_;
  for (const Leg& leg : legs_) {
    if (state_ != State::Active) continue;
    if (leg.offerPending || leg.wantsOffer) next = earlier(next, leg.deadline);
    next = earlier(next, leg.againAt);
  }
  return next;
}

std::optional<Machine::Output> Machine::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output next = std::move(outputs_.front());
  outputs_.pop_front();
  return next;
}

bool Machine::forwards(Side from, std::size_t stream) const {
  if (state_ != State::Active && state_ != State::Early) return false;
  const Stream& source = described(from)[stream];
  const Stream& sink = described(other(from))[stream];
  return source.present() && sink.present() && sends(source.direction) && receives(sink.direction);
}

}  // namespace crosspoint::call
