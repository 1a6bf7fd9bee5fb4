// Who is signed in: sessions from sign-in to sign-out, with their registrations and their queues (`spec/signalling.md`
// 1, 2).
//
//     SignIn (anonymous) ─────────────────────────────► signed in ── SignOut, silence, replaced ──► ended
//     SignIn (DN) ──► REGISTER ── 200 ────────────────►     │
//                         └── refused: reply with the reason, ended
//
// A second sign-in of a DN is decided by the SIP server like the first: when its REGISTER succeeds it takes the DN
// over, and the session before is ended with its call. One whose REGISTER fails changes nothing. Of two that wait for
// the server's decision the later one wins, whichever is decided first.
//
// All sessions of a DN are one binding at the registrar: they have the same Contact. So a session that ends takes the
// binding back only if no other one is signed in, and waits with that while the server decides on another one.
#pragma once
#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "bridge/bridge.h"
#include "bridge/deadlines.h"
#include "bridge/page.h"
#include "bridge/page_queue.h"
#include "bridge/taken_numbers.h"
#include "core/roap/session.h"
#include "core/sip/user_agent.h"

namespace crosspoint::bridge {

class Call;

struct Session {
  Session(std::string id, std::string name, Duration hold, std::deque<PageReply>& replies, Random& random,
          Counters& all)
      : ssid(std::move(id)), user(std::move(name)), queue(hold, replies), roap({}, random), counters(all) {}

  // Queues one message for the page, behind everything that ROAP has had to say before it.
  void tell(std::string body, const std::string& peer, PageQueue::Kind kind = PageQueue::Kind::Signalling);

  const std::string ssid;
  const std::string user;  // the DN, or the anonymous id
  bool anonymous = false;
  sip::Credentials credentials;
  PageQueue queue;
  TakenNumbers taken;  // of the page's numbered messages
  bool wantsProgress = false;
  std::optional<sip::RegistrationId> registration;
  bool signedIn = false;
  std::optional<RequestId> signInRequest;  // not answered yet; one of `requests`
  std::optional<RequestId> welcomeReply;   // being written, and the page has not shown yet that it has read it
  std::vector<RequestId> requests;         // open ones, those whose reply is being written, sockets
  std::uint64_t number = 0;                // counts sign-ins: of two sessions the one with the larger is the later
  TimePoint lastSeen{};
  roap::Session roap;
  Counters& counters;
  Call* call = nullptr;  // the one call of this session, owned by the bridge

  // Messages of a page may overtake each other (`spec/signalling.md` §3). A BYE that belongs to no call is either late,
  // for the call before, or has come ahead of the OFFER that it cancels.
  struct ByeAhead {
    std::string to;
    TimePoint at;
  };
  std::string lastPeer;     // of the call before
  std::string droppedPeer;  // of a call that came in and was given up for the page's own …
  std::string droppedTold;  // … and whose BYE the page may not have read yet
  static constexpr std::size_t kEndedCallsMax = 4;
  struct EndedCall {
    std::string peer;
    roap::SessionId pageId;
    TimePoint at{};
  };
  std::array<EndedCall, kEndedCallsMax> endedCalls;  // the latest one first
  // It says what the page went by in a call that had ended before it came: an OFFER may follow.
  void handleLateAnswer(const std::string& to, const roap::Message& answer) {
    const auto unknown = [&](const EndedCall& ended) { return ended.peer == to && ended.pageId.isNull(); };
    const auto found = std::ranges::find_if(endedCalls, unknown);
    if (found != endedCalls.end()) found->pageId = answer.answererSessionId;
  }
  std::optional<ByeAhead> byeAhead;
};

class Sessions {
 public:
  static constexpr std::size_t kUserBytesMax = 128;
  static constexpr std::size_t kPasswordBytesMax = 256;
  static constexpr std::size_t kElsewhereMax = 4096;  // sessions that lost their DN; of older ones nothing is known

  Sessions(const Config& config, const Dependencies& dependencies, sip::UserAgent& agent, Counters& counters);

  void handle(TimePoint now, SignIn&&);
  void handle(TimePoint now, Wait&&);
  void handle(TimePoint now, SignOut&&);
  void handle(TimePoint now, SocketOpen&&);
  // The session whose socket this is; nothing: the socket is being closed.
  Session* findSocket(RequestId socket);
  void handleClosed(TimePoint now, RequestId);
  void handleDelivered(TimePoint now, RequestId);
  void handle(TimePoint now, const sip::RegistrationSucceeded&);
  void handle(TimePoint now, const sip::RegistrationFailed&);
  void handle(TimePoint now, const sip::RegistrationLost&);
  // While the SIP server cannot be reached a sign-in as a DN is refused at once, instead of after SIP's time-outs.
  void setServerReachable(bool reachable) { serverReachable_ = reachable; }

  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() { return deadlines_.next(); }

  Session* find(std::string_view ssid);
  Session* findUser(std::string_view user);  // signed in as a DN
  void seen(TimePoint now, Session& session);
  void signOutAll(TimePoint now);
  std::size_t size() const { return bySsid_.size(); }

  // Replies of all sessions, in order; the owner takes them.
  std::deque<PageReply>& replies() { return replies_; }
  // Sessions that have ended: out of every table, kept until the owner has ended their calls.
  std::unique_ptr<Session> takeEnded();

 private:
  Session& make(TimePoint now, const SignIn&);
  void welcome(Session&);
  void reply(RequestId, int status, std::string body);
  bool resume(TimePoint now, const SignIn&);
  void takeFeatures(Session&, std::string_view features);
  enum class Binding : std::uint8_t { Remove, Leave };  // at the registrar
  void end(TimePoint now, Session&, Binding, CloseCode = kCloseNoSession,
           const std::string& reason = "The session has ended: sign in again");
  void refuseUnchecked(TimePoint now, Session&);
  void rememberElsewhere(const std::string& ssid);
  void leaveBinding(TimePoint now, Session&, Binding);
  // How long nothing need be heard of it.
  Duration silenceMax(const Session&) const;
  void schedule(Session&);
  void track(RequestId, Session&);
  Session* untrack(RequestId);

  // What there is of one DN.
  struct Dn {
    Session* signedIn = nullptr;
    std::size_t waiting = 0;                 // sessions that the SIP server has not decided on
    std::vector<sip::RegistrationId> ended;  // of sessions that have gone; to be removed when no session is left
  };

  const Config& config_;
  const Dependencies& dependencies_;
  sip::UserAgent& agent_;
  Counters& counters_;
  std::deque<PageReply> replies_;
  std::unordered_map<std::string, std::unique_ptr<Session>> bySsid_;
  std::unordered_map<std::string, Dn> byUser_;
  std::unordered_map<sip::RegistrationId, Session*> byRegistration_;
  std::unordered_map<RequestId, Session*> byRequest_;
  Deadlines<Session*> deadlines_;
  std::deque<std::unique_ptr<Session>> ended_;
  // Whose DN has signed in elsewhere. A page that is told that there is no such session signs in again, because its
  // gateway may have been started anew: these would take the DN back.
  std::unordered_set<std::string> elsewhere_;
  std::deque<std::string> elsewhereByAge_;
  std::uint64_t made_ = 0;
  bool serverReachable_ = true;
};

}  // namespace crosspoint::bridge
