// The offers and answers of one page session, from its sign-in to its end, over all of its calls: tells repeated
// messages from new ones, sees to it that every OFFER gets one ANSWER and every ANSWER one OK, and that the two ends do
// not offer at once.
//
//              page's OFFER                  answer()                     page's OK, or 5 s
//     Stable ───────────────> MustAnswer ───────────────> AwaitingOk ────────────────────────> Stable
//     Stable ── offer() ──> AwaitingAnswer ── page's ANSWER (we send OK), ERROR, or time is up ──> Stable
//     AwaitingAnswer ── page's OFFER: ours is lost, the page has dropped it or will ──> MustAnswer
//     MustAnswer, AwaitingOk ── another OFFER of the page: the earlier one is given up ──> MustAnswer
//
// Glare: a page that prepares an offer, or has sent one, drops an OFFER silently and waits for its ANSWER. So the
// page's wins, and ours carries the smallest tie-breaker, which says the same to an end that compares them. With
// Glare::Tiebreaker (our own client) the larger tie-breaker wins: the loser gets ERROR CONFLICT, equal ones get
// DOUBLECONFLICT and both are lost.
//
// Sans-IO; one thread; SDP is opaque. Drain pollOutput() after every call.
//
//     if (session.wantOffer(now)) ... OfferPossible comes out, now or when the page's offer is settled ...
//     session.offer(now, content)
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/roap/message.h"

namespace crosspoint::roap {

// What an OFFER or ANSWER carries.
struct Content {
  std::string sdp;
  std::vector<CandidateEntry> candidates;
  std::vector<AttachedItem> attachedData;
  bool operator==(const Content&) const = default;
};

class Session {
 public:
  enum class State : std::uint8_t { Stable, MustAnswer, AwaitingOk, AwaitingAnswer };
  enum class Glare : std::uint8_t { PageWins, Tiebreaker };
  struct Config {
    std::uint64_t firstSessionId = 1;  // our own counter in session ids; one more with each call
    Glare glare = Glare::PageWins;
    bool provisionalAnswers = false;              // the page understands moreComing
    Duration okWithin = std::chrono::seconds(5);  // an OK may be lost: after this the page's offer counts as settled
  };

  // How a message from the page was taken.
  enum class Handling : std::uint8_t {
    Taken,
    Duplicate,   // seen before: a page posts again what it believes lost
    Stale,       // belongs to nothing that is open
    Incomplete,  // lacks what its type needs; an OFFER has been answered with ERROR
  };

  // Outputs.
  struct Send {  // to the page, in this order
    Message message;
  };
  struct OfferReceived {  // to be answered once, by answer() or refuse()
    Content content;
    std::uint32_t seq = 1;  // 1: the first on its peer connection
    bool replacesUnanswered =
        false;                 // the page gave up its OFFER before this one; that one is not to be answered any more
    bool droppedOurs = false;  // glare: our own OFFER is lost. OfferPossible follows when this one is settled
  };
  struct AnswerReceived {
    Content content;
    bool moreComing = false;
  };
  struct OfferFailed {  // our OFFER got ERROR (CONFLICT: theirs comes, and OfferPossible after it; DOUBLECONFLICT:
                        // OfferPossible at once) or no
                        // answer in time
    ErrorType error = ErrorType::Failed;
  };
  struct OfferPossible {};  // asked for by wantOffer(), or because ours was lost; make the SDP now and call offer()
  struct Settled {};        // the page's offer and our answer are through
  struct ErrorReceived {    // ERROR that belongs to no OFFER of ours
    ErrorType error = ErrorType::Failed;
  };
  struct ShutdownReceived {};
  using Output = std::variant<Send, OfferReceived, AnswerReceived, OfferFailed, OfferPossible, Settled, ErrorReceived,
                              ShutdownReceived>;

  struct Counters {
    std::uint64_t duplicates = 0, stale = 0, incomplete = 0, glares = 0, conflicts = 0;
  };

  Session(const Config& config, Random& random);

  // The page has said, after its sign-in, that it understands moreComing.
  void setProvisionalAnswers(bool understood) { config_.provisionalAnswers = understood; }
  bool provisionalAnswers() const { return config_.provisionalAnswers; }

  Handling handleMessage(TimePoint now, const Message& message);

  // Asks for OfferPossible as soon as an OFFER may be sent. Asking again changes nothing. True: it comes at once.
  bool wantOffer(TimePoint now);
  // Sends an OFFER. False: not now (state is not Stable); wantOffer() tells when. `answerWithin`: no limit if absent
  // (it rings).
  bool offer(TimePoint now, Content content, std::optional<Duration> answerWithin = std::nullopt);
  // Answers the page's latest OFFER. With `moreComing` another answer must follow; false without
  // Config::provisionalAnswers. False: there is nothing to answer.
  bool answer(TimePoint now, Content content, bool moreComing = false);
  // Answers it with ERROR instead. False: there is nothing to answer.
  bool refuse(TimePoint now, ErrorType error, std::uint16_t sipStatus = 0, std::string reason = {});
  // The call is over (BYE, either way): whatever is open is forgotten, what was seen is still recognised. The next
  // OFFER of ours starts again at seq 1 under a new id.
  void endCall(TimePoint now);

  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();
  // The next Send alone, ahead of outputs of other kinds: for who has something of its own to tell the page after it.
  std::optional<Message> pollSend();

  // Does handleMessage() know it already?
  bool hasSeen(const Message& message) const;
  // It is not for handleMessage(), nor is what repeats it.
  void pass(const Message& message) { remember(message); }
  // What the page goes by in this call, and what it went by in the one that has ended, once. Its counter rises with
  // each call. Null: it has not said it.
  const SessionId& pageId() const { return pageId_; }
  SessionId takeEndedPageId() { return std::exchange(endedPageId_, {}); }

  State state() const { return state_; }
  bool canOffer() const { return state_ == State::Stable; }
  const Counters& counters() const { return counters_; }

 private:
  // What makes two messages of a page the same one.
  struct Seen {
    MessageType type = MessageType::Offer;
    SessionId offerer;
    std::uint32_t seq = 0;
    std::uint32_t tiebreaker = 0;
    bool operator==(const Seen&) const = default;
  };
  static constexpr std::size_t kSeenMax =
      16;  // what has not come again for longest makes room; a page posts one call's few messages again, not hundreds

  Handling handleOffer(TimePoint now, const Message& message);
  Handling handleAnswer(TimePoint now, const Message& message);
  Handling handleOk(TimePoint now, const Message& message);
  Handling handleError(TimePoint now, const Message& message);
  Handling handleShutdown(TimePoint now, const Message& message);
  Handling count(Handling handling);
  // Both have offered. Whether the page's OFFER is to be dealt with; if not, it has been answered with ERROR.
  bool yieldTo(TimePoint now, const Message& theirs);
  bool concernsOpen(const Message& message) const;
  static Seen keyOf(const Message& message);
  bool seenBefore(const Message& message);
  void remember(const Message& message);
  void enter(TimePoint now, State state);
  void sendError(const Message& about, ErrorType error, std::uint16_t sipStatus, std::string reason);

  Config config_;
  Random& random_;
  State state_ = State::Stable;
  std::uint64_t ownSessionId_;
  std::uint32_t lastSeq_ = 0;  // either way
  bool offerWanted_ = false;
  SessionId pageId_, endedPageId_;
  std::optional<Message> open_;  // the OFFER of `state_`, without its content
  std::optional<TimePoint> deadline_;
  std::array<Seen, kSeenMax> seen_{};  // the latest one last
  std::size_t seenCount_ = 0;
  std::deque<Output> outputs_;
  Counters counters_;
};

}  // namespace crosspoint::roap
