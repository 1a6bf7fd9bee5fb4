// One call: the INVITE that begins it, in either direction, its dialog (before the answer: several), and everything
// inside it.
//
//              ┌─────────── outgoing ───────────┐   ┌────────────── incoming ───────────────┐
//                        Inviting                               Invited
//      hangUp, ringMax │          │ 2xx                  accept │        │ reject, CANCEL, hangUp, ringMax, BYE
//                      ▼          │                             ▼        └──────────────► Gone
//                  Cancelling     └──► Established ◄──ACK── Accepted
//                   │      │ 2xx       │         │              │ hangUp
//         else, time│      │       BYE │         │ hangUp,      ▼
//                   ▼      │  received ▼         │ failure   Closing (the BYE waits for the ACK, RFC 3261 §15)
//                  Gone    └───────────┬─────────┘              │ ACK, ackWait
//                                      ▼                        │
//                                   Ending (our BYE is on its way, or an INVITE that may still need an ACK) ◄─┘
//                                      │ answered, time
//                                      ▼
//                                    Gone
//
// `Ended` leaves when Established, Inviting, Invited or Accepted is left for good; what follows is between the two SIP
// ends. Every state but Established has a deadline, and in Established every request in either direction has one.
//
// call.cc: states, ends, demultiplexing; call_outgoing.cc: the first INVITE, sent; call_incoming.cc: received;
// call_reliable.cc: reliable provisional responses and PRACK, both ways; call_offers.cc: re-INVITE, both ways;
// call_updates.cc: UPDATE, both ways, and session refreshes; call_redirect.cc: 3xx; call_refer.cc: transfers, both
// ways; call_requests.cc: all other requests inside the dialog.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/sip/client_requests.h"
#include "core/sip/dialog.h"
#include "core/sip/environment.h"
#include "core/sip/offer_answer.h"
#include "core/sip/redirection.h"
#include "core/sip/reliable_provisional.h"
#include "core/sip/session_timer.h"

namespace crosspoint::sip {

// What we say about ourselves in Allow, Accept and Supported.
void addCapabilities(Message& message, const Config& config);
// The body of a message if it is SDP.
std::optional<std::string> sdpOf(const Message& message);
bool isSdp(std::string_view contentType);
bool hasOption(const std::vector<std::string>& tags, std::string_view option);

class Call {
 public:
  enum class State : std::uint8_t { Inviting, Cancelling, Invited, Accepted, Closing, Established, Ending, Gone };

  Call(Environment& environment, CallId id, TimePoint now, InviteParameters parameters,
       Uri target);  // sends the INVITE
  // Emits IncomingCall. `replaces` is the call that its Replaces header names.
  Call(Environment& environment, CallId id, TimePoint now, RequestReceived invite, std::optional<CallId> replaces = {});
  ~Call();

  const std::string& localTag() const { return localTag_; }
  const std::string& callId() const { return callId_; }
  State state() const { return state_; }
  bool ended() const { return ended_; }
  bool gone() const { return state_ == State::Gone; }

  // From the far end. Requests are those with our tag in To and our Call-ID; anything else may still be wrong with
  // them.
  void handleRequest(TimePoint now, RequestReceived received);
  void handleAck(TimePoint now, const Request& ack);
  void handleCancel(TimePoint now, ServerTransactionId id, const std::vector<Reason>& reasons);
  void handleResponse(TimePoint now, ClientTransactionId id, const Response& response);
  void handleFailure(TimePoint now, ClientTransactionId id, int status, std::string_view reason = {});
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;

  // From the owner: see user_agent.h.
  CommandResult ring(TimePoint now);
  CommandResult progress(TimePoint now, std::string sdp);
  CommandResult accept(TimePoint now, std::string sdp, std::vector<Header> extraHeaders);
  CommandResult reject(TimePoint now, int status, std::string_view reason);
  CommandResult reInvite(TimePoint now, std::optional<std::string> sdp);
  CommandResult answerOffer(TimePoint now, std::string sdp, std::uint32_t branch);
  CommandResult rejectOffer(TimePoint now, int status, std::uint32_t branch);
  CommandResult update(TimePoint now, std::string sdp, std::uint32_t branch);
  CommandResult sendInfo(TimePoint now, std::string contentType, std::string body, std::vector<Header> extraHeaders);
  CommandResult hangUp(TimePoint now, std::optional<Reason> reason);
  CommandResult refer(TimePoint now, Uri target, const std::optional<Replaces>& replaces);
  CommandResult acceptRefer(TimePoint now, ReferId id);
  CommandResult notifyRefer(TimePoint now, ReferId id, int status, std::string_view reason);  // after the end as well
  CommandResult rejectRefer(TimePoint now, ReferId id, int status);
  std::optional<Replaces> dialog() const;
  std::optional<Uri> farEnd() const;
  // Whether an INVITE with this Replaces header, whose Call-ID and to-tag are ours, may take this call's place; else
  // the status that refuses it.
  std::expected<void, int> mayBeReplaced(const Replaces& replaces);
  void setCredentials(Credentials credentials) { requests_.setCredentials(std::move(credentials)); }

 private:
  struct Info {
    std::string contentType;
    std::string body;
    std::vector<Header> extraHeaders;
  };
  // An offer in an UPDATE or PRACK that waits for the owner's answer.
  struct AskedOffer {
    ServerTransactionId id{};
    Request request;
    TimePoint deadline{};
  };
  // A reliable provisional response brought an offer; its PRACK waits for the owner's answer.
  struct OwedPrack {
    std::uint32_t cseq = 0;
    TimePoint deadline{};
  };
  // One dialog of the call, early or confirmed. An incoming call has one from the start.
  struct Branch {
    Dialog dialog;
    std::uint32_t number = 1;
    OfferAnswer offer;
    std::string earlyAnswer;     // in a provisional response that was not reliable: what the final answer will say
    bool allowsUpdate = false;   // the far end's last Allow
    std::optional<SendAck> ack;  // of the last INVITE in it: sent again for each repeated 2xx
    bool lost = false;           // answered after another one: ACK and BYE
    int byeRepeats = 0;
    bool over = false;  // by a 199
    ReliableReceiver reliable;
    std::string prackBody;           // of the last PRACK
    bool prackRefused = false;       // the next repetition of its response gets another one
    std::uint32_t settledEarly = 0;  // CSeq of the INVITE whose offer was settled by a reliable provisional response
    std::optional<OwedPrack> owedPrack;
    std::optional<AskedOffer> asked;
  };
  // A received INVITE without its final response.
  struct ServerInvite {
    ServerTransactionId id{};
    Request request;
    TimePoint deadline{};
  };
  // Our 2xx waits for its ACK.
  struct AwaitedAck {
    std::uint32_t cseq = 0;
    bool bringsAnswer = false;
    TimePoint deadline{};
  };
  // A 2xx brought an offer; its ACK waits for the owner's answer.
  struct OwedAck {
    std::uint32_t cseq = 0;
    std::vector<Authorization> authorizations;
    TimePoint deadline{};
  };
  // A REFER of ours whose subscription lives. `reported`: its result is known.
  struct SentRefer {
    std::uint32_t cseq = 0;
    bool reported = false;
    TimePoint deadline{};
  };
  // The far end's: until it is accepted it waits for its answer, then for its final NOTIFY.
  struct ReceivedRefer {
    ReferId id{};
    ServerTransactionId transaction{};
    Request request;
    bool accepted = false;
    bool numbered = false;  // not the first of the dialog: NOTIFYs name its CSeq
    bool silent = false;    // "Refer-Sub: false": no NOTIFY
    TimePoint deadline{};
  };
  // An offer of ours that cannot go out yet: after a glare until `dueAt`, else until the ACK of the first INVITE or
  // the end of a session refresh.
  struct WaitingOffer {
    std::optional<std::string> sdp;
    bool update = false;
    std::uint32_t branch = 0;
    std::optional<TimePoint> dueAt;
  };

  // call.cc
  void moveTo(State next);
  void tell(Event event);
  // Ends the call for its owner; `what` says why. State and messages are the caller's matter.
  void finish(TimePoint now, Ended what);
  // Ends it for both: BYE in the confirmed dialog, and nothing else is waited for but its answer.
  void finishWithBye(TimePoint now, Ended what, std::optional<Reason> reason = {});
  void sendBye(TimePoint now, Branch& branch, std::optional<Reason> reason);
  void windDown(TimePoint now);
  void settleDown();
  bool awaitsForks();
  void respond(const ServerTransactionId& id, Response response);
  void respond(const ServerTransactionId& id, const Request& request, int status, std::string_view reason = {});
  void handleFinal(TimePoint now, ClientTransactionId id, const Response& response, bool fromFarEnd);
  void handleExpired(TimePoint now, ClientRequests::Entry& entry);
  // The INVITE that began the call, as opposed to one in its dialog.
  bool isFirstInvite(const Request& request) const;
  static void noteAllow(Branch& branch, const Message& message);
  Branch* branch(std::string_view remoteTag);
  Branch* branchNumbered(std::uint32_t number);
  // Nothing more is negotiated in it; what the far end waits for is refused.
  void abandon(Branch& branch);
  // The first INVITE has been refused and another one follows: its early dialogs are gone.
  void forgetBranches();
  Branch& confirmed() { return branches_[*confirmed_]; }
  bool early() const { return state_ == State::Inviting || state_ == State::Invited; }
  // 422: with a longer session interval. False: not to be repeated.
  bool retryWithLongerSession(TimePoint now, ClientTransactionId id, const Response& response);
  static Ended endedBy(const Response& response, bool fromFarEnd);
  static void addReasons(Ended& ended, const std::vector<Reason>& reasons);

  // call_outgoing.cc
  void handleInviteProvisional(TimePoint now, const Request& invite, const Response& response);
  void handleBranchEnd(Branch& ended);
  void handleInviteSuccess(TimePoint now, ClientTransactionId id, const Response& response);
  void handleFirstAnswer(TimePoint now, Branch& answered, const Request& invite, const Response& response);
  void handleInviteFailure(TimePoint now, const Response& response, bool fromFarEnd);
  Branch* branchFor(const Response& response);
  // Whether there is room for another branch; that of an answer takes the place of one that is not needed any more.
  bool roomForBranch(bool answered);
  void acknowledge(Branch& branch, std::uint32_t cseq, const std::vector<Authorization>& authorizations,
                   const std::string& sdp = {});

  // call_incoming.cc
  Response inviteResponse(int status);
  void sendProvisional(TimePoint now, Response response);
  void sendAccept(TimePoint now);
  void acceptInvite(TimePoint now, Response response, std::string sdp);
  void refuseInvite(int status, std::string_view reason = {}, std::optional<Reason> why = {});

  // call_reliable.cc
  enum class Reliability : std::uint8_t { Plain, New, Ignored };
  Reliability receiveReliable(TimePoint now, Branch& branch, const Request& invite, const Response& response);
  void handleReInviteProvisional(TimePoint now, const Request& invite, const Response& response);
  // True: the body was an offer; the PRACK waits for its answer.
  bool owePrack(TimePoint now, Branch& branch, const Request& invite, const std::string& sdp);
  void sendPrack(TimePoint now, Branch& branch, std::uint32_t inviteCseq, std::string sdp = {});
  void handlePrackFinal(const Request& prack, const Response& response);
  void handlePrack(TimePoint now, Branch& dialog, RequestReceived received);
  bool reliably(const Response& response) const;
  void sendReliably(TimePoint now, Response response);
  // What had to wait for a PRACK or for the end of an offer before the call's answer.
  void continueIncoming(TimePoint now);
  void handleReliableTimeout(TimePoint now);

  // call_updates.cc
  void handleUpdate(TimePoint now, Branch& dialog, RequestReceived received);
  void ask(TimePoint now, Branch& dialog, RequestReceived received, std::string sdp);
  void answerAsked(TimePoint now, Branch& dialog, std::string sdp);
  void refuseAsked(TimePoint now, Branch& dialog, int status);
  void sendUpdate(TimePoint now, Branch& dialog, std::optional<std::string> sdp);
  void handleUpdateFinal(TimePoint now, const Request& update, const Response& response, bool fromFarEnd);
  void settleUpdate(TimePoint now, const Request& update, const Response& response, bool fromFarEnd);
  void handleUpdateFailure(TimePoint now, Branch& dialog, const Request& update, const Response& response,
                           bool fromFarEnd);
  bool retryLater(TimePoint now, WaitingOffer offer, const Response& response);
  void respondLater(const RequestReceived& received);
  void refreshSession(TimePoint now);
  void handleSessionTimeout(TimePoint now);

  // call_offers.cc
  void handleReInvite(TimePoint now, RequestReceived received);
  void sendReInvite(TimePoint now, std::optional<std::string> sdp);
  void sendWaitingOffer(TimePoint now);
  Branch* askedBranch(std::uint32_t number);
  bool refreshing();
  CommandResult offerLater(TimePoint now, WaitingOffer offer);
  // The far end's offer came while one of ours waited.
  void giveWay(const Branch& dialog);
  void handleReInviteSuccess(TimePoint now, ClientTransactionId id, const Response& response);
  void handleReInviteFailure(TimePoint now, const Request& invite, const Response& response, bool fromFarEnd);
  bool offerPending();
  void withdrawServerInvite(int status);

  // call_redirect.cc
  bool redirect(TimePoint now, const Request& refused, const Uri& destination, const Response& response);

  // call_refer.cc
  void reportRefer(TimePoint now, ReferProgress progress);
  void handleReferFinal(TimePoint now, const Request& refer, const Response& response);
  void handleReferNotify(TimePoint now, const RequestReceived& received);
  void handleRefer(TimePoint now, RequestReceived received);
  void sendReferNotify(TimePoint now, int status, std::string_view reason, bool final);
  void endReceivedRefer();
  void handleReferNotifyFinal(const Response& response, bool fromFarEnd);
  void endRefersWithCall(TimePoint now);
  void handleReferTimeout(TimePoint now);
  std::optional<TimePoint> nextReferTimeout() const;
  bool referring();

  // call_requests.cc
  void handleBye(TimePoint now, Branch& branch, RequestReceived received);
  void handleByeFinal(TimePoint now, const Request& bye, const Response& response, bool fromFarEnd);
  void handleInfo(RequestReceived received);
  bool infoMayFollow() const;
  void sendNextInfo(TimePoint now);
  void sendInfoRequest(TimePoint now, Info what);
  bool repeatOvertaken(TimePoint now, const Request& info, const Response& response, bool fromFarEnd);
  void handleNotify(TimePoint now, RequestReceived received);
  void handleOtherFinal(TimePoint now, const Request& request, const Response& response, bool fromFarEnd);

  Environment& environment_;
  const CallId id_;
  const bool outgoing_;
  State state_;
  bool ended_ = false;
  CallPhase phase_ = CallPhase::Setup;

  std::string callId_, localTag_;
  DialogSeed seed_;                        // outgoing
  std::optional<std::string> firstOffer_;  // outgoing: in the first INVITE, which makes every branch
  std::vector<Branch> branches_;
  std::uint32_t lastBranch_ = 0;
  std::optional<std::size_t> confirmed_;  // which of them is the call's
  TimePoint ringDeadline_{};
  std::optional<TimePoint>
      provisionalDueAt_;  // incoming: the last provisional response is repeated (RFC 3261 §13.3.1.1)
  std::optional<Response> lastProvisional_;
  std::optional<Reason> closingReason_;

  // Incoming, before the answer: what the caller knows of RFC 3262, what waits for a PRACK, and the answer that does.
  bool callerKnowsReliable_ = false, callerWantsReliable_ = false;
  std::optional<ReliableSender> reliable_;
  std::optional<Response> nextReliable_;
  struct PendingAccept {
    std::string sdp;
    std::vector<Header> extraHeaders;
  };
  std::optional<PendingAccept> pendingAccept_;

  SessionTimer timer_;
  bool reInviteRefreshes_ = false;  // our re-INVITE on its way is a session refresh
  std::optional<ServerInvite> serverInvite_;
  std::optional<AwaitedAck> awaitedAck_;
  std::optional<OwedAck> owedAck_;
  std::optional<WaitingOffer> waitingOffer_;
  int glareRetries_ = 0;
  Redirection redirection_;  // outgoing
  std::optional<SentRefer> sentRefer_;
  std::optional<ReceivedRefer> receivedRefer_;
  bool referSeen_ = false;
  std::deque<Info> infosWaiting_;  // for the answer to the one before, or until this:
  TimePoint infoFollowsAt_{};
  int infoRepeats_ = 0;
  ClientRequests requests_;
};

}  // namespace crosspoint::sip
