// The SIP user agent of one worker: every registration and every call, without text, transactions, sockets or a clock.
//
//     bridge ── commands ──►            ┌───────────┐ ── SendRequest, SendAck, … ──►  io/sip
//     bridge ◄── events ────  pollOutput│ UserAgent │ ◄─ RequestReceived, … ─ handle  io/sip
//                                       └───────────┘ ◄─ handleTimeout at nextTimeout()
//
//     UserAgent agent(config, random, now);
//     auto call = agent.invite(now, {.fromUser = "1020", .to = "1021", .sdp = offer});
//     while (auto output = agent.pollOutput()) dispatch(*output);   // Outgoing → io/sip, Event → the call's owner
//     agent.handle(now, sip::ResponseReceived{...});
//
// One thread. Nothing is called back; outputs come in the order in which they arose. A body is opaque text: this engine
// knows whose offer is pending (RFC 3264), not what it says. Every call ends with exactly one `Ended`, whatever the far
// end does, and after it the id is dead: no event for it comes any more and commands on it are refused with
// UnknownCall.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/sip/message.h"

namespace crosspoint::sip {

enum class CallId : std::uint64_t {};          // not the Call-ID header; never used twice by one UserAgent
enum class RegistrationId : std::uint64_t {};  // likewise
enum class ReferId : std::uint64_t {};         // of a REFER of a far end; likewise

struct Credentials {
  std::string user;  // empty: challenges are not answered
  std::string password;
};

// ---- Configuration ----

struct Timers {
  Duration noResponse = std::chrono::seconds(34);  // after this a request counts as timed out: a little over 64*T1
  Duration ringMax = std::chrono::minutes(3);  // outgoing INVITE without final response: cancelled (RFC 3261 §13.3.1.1)
  Duration afterCancel = std::chrono::seconds(32);  // still no final response after CANCEL: gone (RFC 3261 §9.1)
  Duration ackWait = std::chrono::seconds(32);      // 2xx without ACK: BYE (RFC 3261 §13.3.1.4)
  Duration offerWait = std::chrono::seconds(40);    // received re-INVITE that the owner does not answer: 504
  // Received offer in an UPDATE or PRACK that the owner does not answer: 504. Below 64*T1, when the far end gives up.
  Duration updateWait = std::chrono::seconds(16);
  Duration infoWait = std::chrono::seconds(4);    // an INFO without answer holds up the next one for so long
  Duration t1 = std::chrono::milliseconds(500);   // reliable provisional responses: repeated, doubling (RFC 3262 §3) …
  Duration prackWait = std::chrono::seconds(32);  // … until this: the call is refused with 504
  // REFER (RFC 3515). One of a far end that the owner does not answer: refused with 603. Below 64*T1.
  Duration referWait = std::chrono::seconds(10);
  // How long a transfer may take, either way: longer than an INVITE may ring. Then it counts as failed with 408.
  Duration referMax = std::chrono::minutes(4);
  Duration referLinger = std::chrono::seconds(32);   // NOTIFYs of our REFER are still answered after the call's end
  Duration registerRetry = std::chrono::seconds(5);  // a lost registration is tried again after this, then doubling …
  Duration registerRetryMax = std::chrono::minutes(5);  // … up to this
};

// Reaching one refuses the newcomer (503, 486 or CommandError::TooMany) and is counted.
struct Limits {
  std::size_t calls = 4000;
  std::size_t registrations = 20000;
  std::size_t requestsPerCall = 16;  // of ours, unanswered, in one dialog
  std::size_t infosWaitingPerCall = 64;
  std::size_t infoBytesWaitingPerCall = kBodyBytesMax;
  std::size_t earlyDialogsPerCall = 16;
  std::size_t redirectsPerCall = 5;  // contacts of 3xx responses that one call tries (RFC 3261 §8.1.3.4)
  // REGISTERs when a server that was away comes back: no more in a second, or it would be away again.
  std::size_t registersPerSecond = 500;
};

struct Config {
  Uri contact;  // our host, port and ";transport="; the user part is filled in per DN
  Uri server;   // registrar, and outbound proxy where none is named: requests outside dialogs go there
  // Empty: `server` does it. Else requests outside dialogs go there with a Route header that names it (";lr" is added
  // where it lacks; RFC 3261 §8.1.2), while Request-URI, From and To keep the domain.
  Uri outboundProxy;
  std::string domain;  // right of the @ in From, To and Request-URI; empty: the server's host and port
  std::string userAgent = "Crosspoint";
  // Every Call-ID and tag that this engine makes begins with it, so that a receiver that serves several workers can
  // tell by the To tag of a request whose dialog it is. Letters and digits.
  std::string tagPrefix;
  std::vector<std::string> allowEvents = {"talk", "hold"};
  // A 300, 301 or 302 to an INVITE: its contacts are tried in order, by way of the same first hop.
  bool followRedirects = true;
  Duration optionsInterval{0};  // OPTIONS to `server` this often (ServerReachable); 0: never
  // Session timers (RFC 4028). The interval that we ask for, 0: none, though a far end's wish is still honoured; and
  // the shortest that we accept (at least 90, §5).
  std::chrono::seconds sessionExpires{1800};
  std::chrono::seconds minSe{90};
  Timers timers;
  Limits limits;
};

// ---- Commands ----

enum class CommandError : std::uint8_t {
  UnknownCall,
  UnknownRegistration,
  WrongState,
  OfferPending,
  TooMany,
  BadParameter
};
std::string_view toString(CommandError error);
using CommandResult = std::expected<void, CommandError>;

struct InviteParameters {
  std::string fromUser;  // the DN; escaped as needed
  std::string fromDisplay;
  std::string to;  // a user at the domain, or a whole URI ("sip:…", "sips:…", "tel:…")
  Credentials credentials;
  std::optional<std::string> sdp;  // nothing: the far end makes the offer in its 2xx
  std::vector<Header> extraHeaders;
  std::optional<Replaces> replaces;    // the far end's call that this one takes the place of (RFC 3891)
  std::optional<NameAddr> referredBy;  // who asked for it by REFER (RFC 3892)
};

// ---- Events ----

// The server did not answer an OPTIONS, or with 408 or 503 (false); it answers again (true). At first it counts as
// reachable. When it comes back every registration is renewed, the lost ones first, at Limits::registersPerSecond: it
// may have forgotten them.
struct ServerReachable {
  bool reachable = false;
  int status = 0;  // of the answer; 408 and 503 may be our own finding
};

struct RegistrationSucceeded {  // the first time, and again after RegistrationLost; a plain refresh is silent
  RegistrationId id{};
  std::chrono::seconds expires{};
  bool challenged = false;  // the server has asked for the password; without that it has not looked at it
};
struct RegistrationFailed {  // the first REGISTER was refused or not answered (408, 503); the id is dead
  RegistrationId id{};
  int status = 0;
  std::string reason;
};
struct RegistrationLost {  // a refresh failed; it is tried again until it succeeds or the owner un-registers
  RegistrationId id{};
  int status = 0;
  std::string reason;
};
struct RegistrationEnded {  // after unregister(): done, or given up; the id is dead
  RegistrationId id{};
};

struct IncomingCall {
  CallId call{};
  Uri requestUri;
  std::string toUser, fromUser;  // unescaped; toUser is that of the Request-URI
  std::string fromDisplay;
  std::optional<std::string> sdp;  // nothing: we are to make the offer in accept()
  std::vector<Header> extraHeaders;
  SocketAddress source;
  // The call of this UserAgent, live when this event arises, whose place this one is to take (RFC 3891): accept() it
  // for that call's owner, whoever `toUser` is, and hangUp() that one then; or reject() it. With a dead one, or one of
  // nobody's, no event comes: the far end gets 481 (603, 486) at once.
  std::optional<CallId> replaces;
  std::optional<NameAddr> referredBy;
};
// A call of ours that is forked has several early dialogs; `branch` numbers them from 1 in the order in which they
// appeared (0: a response without a tag). The call goes on in one of them, which Answered names.
struct Ringing {  // 180, or another provisional response without a body; may come several times
  CallId call{};
  int status = 180;
  std::uint32_t branch = 0;
};
// 183 (or 180) with a body. Each branch has its own; an owner with one ear follows the one that spoke last.
struct EarlyMedia {
  CallId call{};
  int status = 183;
  std::string sdp;
  std::uint32_t branch = 0;
  // Our INVITE had no offer, and this is the far end's, in a reliable response (RFC 3262 §5): call answerOffer() with
  // this branch within Timers::prackWait; the answer goes into the PRACK, and Answered then has no offer any more.
  bool isOffer = false;
};
struct EarlyBranchEnded {  // 199 (RFC 6228): nobody will answer there; others may
  CallId call{};
  std::uint32_t branch = 0;
};
struct Answered {
  CallId call{};
  // Our INVITE had an offer: the answer (where the 2xx has none, the last of the far end's in that branch). Nothing:
  // the owner has still to answer an offer that came before in that branch.
  // Our INVITE had none: the far end's offer; the owner must call answerOffer(), its answer goes into the ACK.
  std::optional<std::string> sdp;
  bool isOffer = false;
  std::vector<Header> extraHeaders;
  std::uint32_t branch = 0;
};
struct Confirmed {  // the ACK for our 2xx came; `sdp` is the answer where our 2xx made the offer
  CallId call{};
  std::optional<std::string> sdp;
};
struct OfferReceived {  // re-INVITE: call answerOffer() or rejectOffer(). Nothing in `sdp`: answerOffer() makes the
                        // offer
  CallId call{};
  std::optional<std::string> sdp;
  // It came in an UPDATE (RFC 3311) or PRACK (RFC 3262): to be answered at once, without asking a user (§5.2);
  // withdrawn after Timers::updateWait. `sdp` is always there.
  bool update = false;
  // Before the call's answer, in one of its early dialogs: give `branch` to answerOffer() or rejectOffer().
  bool early = false;
  std::uint32_t branch = 0;
  // The same text as the far end's last one: it refreshes the session, nothing changes.
  bool unchanged = false;
};
// The answer to reInvite() or update(), or in an ACK (PRACK: `early`) to the offer that we made in answerOffer()
// (progress()).
struct OfferAnswered {
  CallId call{};
  std::string sdp;
  bool early = false;
  std::uint32_t branch = 0;
  // Nobody had asked: a session refresh of ours, with our last text, was answered with another one than the last time.
  bool refresh = false;
};
// reInvite() has come to nothing, the session is as it was. A glare (491) is retried before this comes; 491 here means
// that the far end's own offer came first while ours waited (OfferReceived follows), or that every retry met another
// one.
struct OfferFailed {
  CallId call{};
  int status = 0;
  std::uint32_t branch = 0;
};
struct OfferWithdrawn {  // an OfferReceived is void: cancelled by the far end (487) or not answered by the owner in
                         // time (504)
  CallId call{};
  int status = 0;
  std::uint32_t branch = 0;
};
struct InfoReceived {
  CallId call{};
  std::string contentType, body;
  std::vector<Header> extraHeaders;
};
struct NotifyReceived {  // in the call's dialog, `event` without parameters ("talk", "hold")
  CallId call{};
  std::string event, contentType, body;
};
// How our REFER fares: progress (1xx) and, once, the result (`final`), as the far end's NOTIFYs tell it or its refusal
// of the REFER. 200 to 299: the far end has reached its new partner, and the owner may hang up. Nothing comes after
// Ended. A `final` with a status below 200: the far end has stopped telling, the outcome is not known.
struct ReferProgress {
  CallId call{};
  int status = 0;
  std::string reason;
  bool final = false;
};
// The far end asks us to call somebody else (RFC 3515): acceptRefer() or rejectRefer() within Timers::referWait. One at
// a time in a call.
struct ReferReceived {
  CallId call{};
  ReferId refer{};
  Uri target;                          // without headers
  std::optional<Replaces> replaces;    // for InviteParameters::replaces: an attended transfer
  std::optional<NameAddr> referredBy;  // for InviteParameters::referredBy
};
struct InfoFailed {  // the far end refused our INFO, never answered it, or (481) ended the call before it was sent
  CallId call{};
  int status = 0;
};

enum class CallPhase : std::uint8_t { Setup, Ringing, Established };  // how far the call had come
struct Ended {
  CallId call{};
  // The final SIP status where one ended the call; 408, 481, 503 may be our own finding. 0: ended by hangUp() or a BYE.
  int status = 0;
  std::string reason;           // reason phrase, or the text of the Reason header
  std::uint32_t cause = 0;      // cause of the far end's Reason header (SIP or Q.850), 0: none
  std::vector<Reason> reasons;  // all of the far end's Reason headers
  bool byRemote = false;
  CallPhase phase = CallPhase::Setup;
  std::vector<NameAddr> redirectTo;  // the contacts of a 3xx
};

using Event = std::variant<RegistrationSucceeded, RegistrationFailed, RegistrationLost, RegistrationEnded, IncomingCall,
                           Ringing, EarlyMedia, EarlyBranchEnded, Answered, Confirmed, OfferReceived, OfferAnswered,
                           OfferFailed, OfferWithdrawn, InfoReceived, InfoFailed, NotifyReceived, ReferProgress,
                           ReferReceived, ServerReachable, Ended>;
using Output = std::variant<Outgoing, Event>;

// Totals since the start; only ever growing.
struct Counters {
  std::uint64_t callsRefusedByLimit = 0, registrationsRefusedByLimit = 0, requestsRefusedByLimit = 0;
  std::uint64_t malformed = 0;      // messages without what RFC 3261 §8.1.1 demands; dropped or answered with 400
  std::uint64_t strayRequests = 0;  // in no dialog of ours: 481
  std::uint64_t strayResponses = 0;
  std::uint64_t forkedAnswersEnded = 0;  // 2xx from a second branch: ACK and BYE
  std::uint64_t glares = 0;              // 491, either way
  std::uint64_t redirects = 0;           // contacts of a 3xx that were tried
  std::uint64_t sessionsExpired = 0;     // ended because no refresh came or went through (RFC 4028 §10)
};

class UserAgent {
 public:
  UserAgent(Config config, Random& random, TimePoint now);  // `random` must outlive this object
  ~UserAgent();
  UserAgent(const UserAgent&) = delete;
  UserAgent& operator=(const UserAgent&) = delete;

  void handle(TimePoint now, Incoming incoming);
  void handleTimeout(TimePoint now);  // harmless early or late
  std::optional<Output> pollOutput();
  std::optional<TimePoint> nextTimeout() const;

  // Registrations. `authUser` empty: the same as `user`. `expires` is what we ask for; the server's answer decides.
  std::expected<RegistrationId, CommandError> registerUser(TimePoint now, std::string user, std::string authUser,
                                                           std::string password, std::chrono::seconds expires);
  // RegistrationEnded follows. A registerUser() for the same user meanwhile goes on with its Call-ID and CSeq, so that
  // the un-REGISTER cannot overtake it and undo it; RegistrationEnded for the old one comes at once then.
  CommandResult unregister(TimePoint now, RegistrationId id);
  // Stops refreshing without a word to the server: the binding now belongs to a later registration of the same user.
  // The id is dead at once; no event follows.
  CommandResult forget(RegistrationId id);

  // Outgoing calls.
  std::expected<CallId, CommandError> invite(TimePoint now, InviteParameters parameters);

  // Incoming calls, before they are answered. progress() may be called with the same sdp as accept() later: the first
  // body is the answer. For an INVITE without offer it is our offer if the caller knows 100rel (OfferAnswered with
  // `early` brings the answer), else it is not sent: then the offer goes only into the 2xx.
  // To a caller with 100rel a response with a body is sent reliably (RFC 3262), and once that has settled the session
  // the sdp of accept() is not sent any more: what changes after it is for update() or reInvite(). accept() may wait in
  // here for a PRACK; a caller that never sends it is refused (Ended, 504).
  CommandResult ring(TimePoint now, CallId call);
  CommandResult progress(TimePoint now, CallId call, std::string sdp);
  CommandResult accept(TimePoint now, CallId call, std::string sdp, std::vector<Header> extraHeaders = {});
  CommandResult reject(TimePoint now, CallId call, int status,
                       std::string reason = {});  // 300-699; `Ended` follows at once
  // Credentials for the requests that we send inside a call that came in (BYE, re-INVITE, INFO).
  CommandResult setCredentials(CallId call, Credentials credentials);

  // In an established call. `branch` 0: the one with an offer to be answered. reInvite() without sdp asks the far end
  // for an offer (OfferReceived follows). While an offer is pending either way these are refused with OfferPending; a
  // 491 of the far end is retried here, with the sdp given here.
  CommandResult reInvite(TimePoint now, CallId call, std::optional<std::string> sdp);
  CommandResult answerOffer(TimePoint now, CallId call, std::string sdp, std::uint32_t branch = 0);
  CommandResult rejectOffer(TimePoint now, CallId call, int status, std::uint32_t branch = 0);
  // An offer by UPDATE (RFC 3311): in an established call, or before its answer in a branch whose first offer has been
  // answered reliably. For what the far end can answer without its user. OfferAnswered or OfferFailed follows; a 491 is
  // retried as with reInvite(). WrongState where the far end does not allow UPDATE.
  CommandResult update(TimePoint now, CallId call, std::string sdp, std::uint32_t branch = 0);
  // In an established call. One goes after the other, each when the one before is answered or has had Timers::infoWait
  // for that. InfoFailed tells of each that is refused, never answered, or left over when the far end ends the call;
  // hangUp() sends first what waits. TooMany: Limits::infosWaitingPerCall, infoBytesWaitingPerCall.
  CommandResult sendInfo(TimePoint now, CallId call, std::string contentType, std::string body,
                         std::vector<Header> extraHeaders = {});

  // Transfer, in an established call. `to` as in InviteParameters. Asks the far end to call `to`, with `replaces` (of
  // that callee's point of view: dialogOf() our call with it) in place of another call: RFC 3515, RFC 5589.
  // ReferProgress follows. TooMany while one is under way.
  CommandResult refer(TimePoint now, CallId call, std::string to, std::optional<Replaces> replaces = {});
  // A ReferReceived. After acceptRefer() the far end wants to know: notifyRefer() with 1xx, and once with the result
  // (200 to 699), within Timers::referMax. notifyRefer() works on a call that has ended meanwhile as well, as long as
  // the far end may be told: a transferor may hang up at once. WrongState: no such REFER, or none in that state.
  CommandResult acceptRefer(TimePoint now, CallId call, ReferId refer);
  CommandResult notifyRefer(TimePoint now, CallId call, ReferId refer, int status, std::string reason = {});
  CommandResult rejectRefer(TimePoint now, CallId call, ReferId refer, int status);
  // The dialog of a call as its far end must find it named in a Replaces header (RFC 3891 §3). Nothing without one that
  // is confirmed, or that has ended.
  std::optional<Replaces> dialogOf(CallId call) const;
  // The address of the far end in that dialog, as refer() may name it.
  std::optional<Uri> farEndOf(CallId call) const;

  // Ends the call in whatever state it is: by CANCEL, BYE or 480 (reject() chooses another). Works on every live call.
  // `Ended` comes at once; what SIP still has to exchange (the answer to the BYE, a 200 that crosses the CANCEL) is
  // seen to in here.
  CommandResult hangUp(TimePoint now, CallId call, std::optional<Reason> reason = {});

  const Counters& counters() const;
  std::size_t callCount() const;  // live ones, and those whose last messages are still being exchanged
  std::size_t registrationCount() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::sip
