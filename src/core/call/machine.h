// One call: a caller's leg, a callee's leg, and what joins them.
//
//             first offer              early answer                answer
//     (made) ────────────► Offered ──────────────► Early ──────────────────► Active
//                             │       ringing ┘ ▲    │                          │ new offers of either side, any number
//                             └─────────────────┴────┴──────────────────────────┴──────────────► Ended
//                                        either leg ends, no codec in common, a deadline passes
//
// The machine knows what each side last said of its media (`described`) and what each side was last told (`told`). From
// the difference follows what has to be sent: it never depends on which message came first, so crossing offers cannot
// lose a change. Legs that pass messages on with their own rules (491, glare in ROAP) report here when theirs are
// settled.
//
// A later offer from SIP is answered at once from what the page last said. Only where it has a stream or codecs that
// the page was not told of yet, the page is asked first; and where nothing comes of that the offer is refused and both
// sides stay as they were. A side that wants an offer itself (a re-INVITE without SDP) gets one that the page makes
// anew, or soon the old one.
//
// A later offer that SIP refuses leaves it as it was. Where the far end would then not know of a hold or its end, or of
// a codec that is gone, the offer is made again after a while, a few times, and with the other side's next one.
//
// A page that understands provisional answers gets one at once, with every codec that we pass on, so that its transport
// is ready while it rings; it gets another when early media settles the codecs, and the final one with the answer.
//
// Sans-IO (style.md): handle…, then drain pollOutput(); handleTimeout() at nextTimeout().
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "base/time.h"
#include "core/call/media.h"

namespace crosspoint::call {

enum class Side : std::uint8_t { Caller = 0, Callee = 1 };
constexpr Side other(Side side) { return side == Side::Caller ? Side::Callee : Side::Caller; }

enum class Cause : std::uint8_t {
  HungUp,         // after the answer, by a user
  Cancelled,      // before the answer, by the caller
  Refused,        // before the answer, by the callee: `sipStatus` says how (486 busy, 603 declined, 404, …)
  NoAnswer,       // nobody answered in time
  NoCommonCodec,  // the two sides have no codec in common
  Unreachable,    // the SIP server did not answer or could not be reached
  MediaLost,      // ICE or DTLS with the browser failed
  SessionGone,    // the page signed out or vanished
  Limit,          // one of our limits
  Failed,         // anything else
};

struct Reason {
  Cause cause = Cause::Failed;
  int sipStatus = 0;  // 0: none
  std::string text;   // one sentence for a person
};

enum class State : std::uint8_t { New, Offered, Early, Active, Ended };

// How a leg takes part in later offers.
enum class LegKind : std::uint8_t {
  Browser,  // its offers are passed on when they change something; it is asked only when it has to act
  Sip,      // its offers are answered at once from what the other side last said
  Mirror,   // loops media back; always answers at once
};

class Machine {
 public:
  struct Config {
    LegKind caller = LegKind::Browser;
    LegKind callee = LegKind::Sip;
    bool earlyAnswer = false;        // the caller gets its answer with the callee's early media
    bool provisionalAnswer = false;  // a page that calls SIP gets provisional ones before, and no early one
    Duration answerMax = std::chrono::seconds(180);      // from the first offer to the answer
    Duration updateMax = std::chrono::seconds(40);       // for the answer to a later offer; RFC 3261 timer B is 32 s
    Duration askedMax = std::chrono::seconds(15);        // for the page's answer that an offer of SIP waits for
    Duration freshOfferMax = std::chrono::seconds(5);    // for the offer that a page was asked for
    Duration offerAgainAfter = std::chrono::seconds(2);  // one that SIP has refused; each time twice as long
  };

  struct SendOffer {
    Side to;
    Media media;
  };
  struct SendRinging {
    Side to;
  };
  struct SendAnswer {
    Side to;
    Media media;
    bool provisional = false;  // another one follows
  };
  struct RefuseOffer {
    Side to;
    int sipStatus;
  };
  struct AskForOffer {
    Side to;
  };  // a fresh one, of the established call
  struct RoutesChanged {};  // ask forwards() and common codecs again
  struct EndLeg {
    Side side;
    Reason reason;
  };  // not sent to a leg that ended by itself
  struct Ended {
    Reason reason;
  };  // the last output
  using Output =
      std::variant<SendOffer, SendRinging, SendAnswer, RefuseOffer, AskForOffer, RoutesChanged, EndLeg, Ended>;

  // A caller hears of this many changes by early media; after them its codecs wait for the answer.
  static constexpr int kProvisionalAnswersMax = 8;
  // A later offer that SIP refuses is made again this many times.
  static constexpr int kOffersAgainMax = 4;

  explicit Machine(const Config& config);

  // An offer of this side. The first one must be the caller's.
  void handleOffer(TimePoint now, Side from, const Media& media);
  // The last offer of this side is void before its answer.
  void handleOfferWithdrawn(TimePoint now, Side from);
  // This side wants to be made an offer: SendOffer follows, now or soon.
  void handleOfferRequest(TimePoint now, Side from);
  // The callee rings, or answers for the time being.
  void handleProgress(TimePoint now, const std::optional<Media>& earlyAnswer);
  // The answer to the last SendOffer to this side.
  void handleAnswer(TimePoint now, Side from, const Media& media);
  // A later offer was not accepted or not answered; what was agreed before stands.
  void handleOfferFailed(TimePoint now, Side from);
  // Another far end takes this side's place (a transfer), in a call that is answered or rings: the call is answered
  // then. Nothing that was open with the one before concerns it. It has been told `told`, which it `answers` with
  // `media`, or which answers the offer `media`. False, and nothing has changed: there is no codec in common.
  bool handleNewcomer(TimePoint now, Side side, const Media& media, const Media& told, bool answers);
  // What to offer to a far end that is to take this side's place; how to answer its offer (nothing: no codec in
  // common).
  Media offerToNewcomer(Side side) const { return offerTo(side); }
  std::optional<Media> answerToNewcomer(Side side, const Media& offer) const;
  // This leg has ended; the other one is ended too.
  void handleEnd(Side from, const Reason& reason);
  // Ends both legs.
  void end(const Reason& reason);

  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;
  std::optional<Output> pollOutput();

  State state() const { return state_; }
  // What this side last said of itself, reduced to what is passed through.
  const Media& described(Side side) const { return legs_[index(side)].described; }
  // What this side was last told, in the payload types of its leg.
  const Media& told(Side side) const { return legs_[index(side)].told; }
  // Whether packets of this stream are passed on from this side to the other now.
  bool forwards(Side from, std::size_t stream) const;
  bool offerPending(Side to) const { return legs_[index(to)].offerPending; }

 private:
  struct Leg {
    Media described;                                 // by the leg
    Media before;                                    // the same, before its offer that has no answer yet
    Media told;                                      // to the leg
    Media agreed;                                    // the same, when the last exchange with it was complete
    std::array<std::vector<Codec>, kStreams> known;  // every codec this leg's payload types were ever bound to
    bool offerPending = false;                       // SendOffer without an answer yet
    bool owesAnswer = false;                         // its offer has not been answered yet
    bool wantsOffer = false;                         // it asked for one, and the other side was asked to make it
    std::optional<TimePoint> deadline;               // of offerPending or wantsOffer
    int refusals = 0;                                // of our offers, since `agreed`
    std::optional<TimePoint> againAt;                // the refused offer
  };

  static std::size_t index(Side side) { return static_cast<std::size_t>(side); }
  Leg& leg(Side side) { return legs_[index(side)]; }
  const Leg& leg(Side side) const { return legs_[index(side)]; }
  LegKind kind(Side side) const { return side == Side::Caller ? config_.caller : config_.callee; }

  void describe(Side side, const Media& media, const Media* answering);
  void remember(Side side, const Media& media);
  Media offerTo(Side side) const;
  Media answerTo(Side side) const;
  bool outOfStep(Side side) const;
  bool refusedToKnow(Side side) const;
  static void agree(Leg& leg);
  void offerAgain(TimePoint now, Side to);
  bool canAnswerAlone(Side side) const;
  void sendOffer(TimePoint now, Side to);
  void sendAnswer(Side to);
  Media provisionalAnswer() const;
  void sendProvisionalAnswer();
  void refuse(Side to, int sipStatus);
  void handleEarlyOfferOfCallee(const Media& media);
  void handleEarlierOffer(Side from, const Media& media);
  void settle(TimePoint now);
  void output(Output output) { outputs_.push_back(std::move(output)); }

  Config config_;
  State state_ = State::New;
  std::array<Leg, 2> legs_;
  std::optional<TimePoint> answerDeadline_;  // of the call
  int provisionalAnswers_ = 0;               // sent
  std::deque<Output> outputs_;
};

}  // namespace crosspoint::call
