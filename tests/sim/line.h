// A page's line to the gateway: sign-in, messages down by hanging GET or WebSocket, messages up, with the counting that
// our own client does (docs/protocols/signalling.md section 3) or without, as clients in the field.
//
//     Out ── signIn() ──> SigningIn ── id ──> In ── session gone, vanish(), signOut() ──> Out
//                                             └── lose() ──> (silence) ── resume ──> In, with the session or a new one
//
// It checks what the two ends owe each other: to a page that counts nothing is lost, nothing is given twice, and what
// it says is taken once, on whatever way it went.
#pragma once
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "tests/sim/web.h"

namespace crosspoint::sim {

class Line : public Web::Client {
 public:
  enum class Kind : std::uint8_t { InTheField, Counting, Sockets };
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void handleSignedIn() = 0;  // there is no call
    virtual void handleOut() = 0;       // refused, or the session is gone
    virtual void handleMessage(const std::string& body, const std::string& peer) = 0;
    virtual void handleMissed() = 0;  // it may have missed a message, as clients in the field can
    virtual void complain(const std::string& what) = 0;
    virtual void note(const std::string& text) = 0;
  };
  struct Counters {
    std::uint64_t byPoll = 0, bySocket = 0;  // messages down, each once
    std::uint64_t posted = 0, sent = 0;      // up: over HTTP, over a socket; attempts
    std::uint64_t repeated = 0;              // messages that came again
    std::uint64_t switches = 0, resumed = 0, probes = 0;
  };

  Line(Clock& clock, Random& random, Web& web, Kind kind, std::string user, Owner& owner)
      : clock_(clock), random_(random), web_(web), kind_(kind), user_(std::move(user)), owner_(owner) {}

  void signIn();
  void signOut();
  void vanish();  // without a word
  void post(const std::string& to, std::string body);
  void stopRetrying();   // the call is over: what it has still to say is tried once
  void cut();            // its connection breaks; the next one is made a little later
  void change();         // from the socket to the hanging GET, or back
  void lose();           // no connection for a while, then a sign-in that resumes
  void probe();          // a message without a form, for which the gateway complains once
  void forgiveProbes();  // the complaints may be dropped with what the page had not read

  // Everything of a call that it has said has arrived, and nothing was in the way, for that long.
  bool restsSince(Duration time) const {
    return outbox_.empty() && posts_.empty() && !away_ && clock_.now() - settledAt_ >= time;
  }
  bool counts() const override { return kind_ != Kind::InTheField; }
  const Counters& counters() const { return counters_; }

 private:
  struct Message {
    std::uint64_t number = 0;
    std::string to, body;
    bool void_ = false;  // of a call that has ended: not sent again
  };

  void handleReply(const bridge::PageReply& reply) override;
  void handleLost(bridge::RequestId request) override;
  void handleSocketOpen(bridge::RequestId socket) override;
  void handleFrame(const bridge::PageReply& frame) override;
  void handleSocketClosed(bridge::RequestId socket, std::uint16_t code) override;

  void requestSignIn(const std::string& resume);
  void handleWelcome(const bridge::PageReply& reply);
  void begin();
  void end();
  void gone();
  void poll();
  void pollSoon(Duration pause);
  void stopPoll();
  void openSocket();
  void openSocketSoon();
  void closeSocket();
  void loseSocket();
  void listenToSilence();
  void take(const std::optional<std::uint64_t>& sequence, const std::string& body, const std::string& peer,
            bool socket);
  bool isProbeReply(const std::string& body);
  void checkProbes();
  // A page that counts sends one message after the other, each until it has been taken.
  void pump();
  void pumpSoon();
  void confirm();
  void next();
  void postOne(const Message& message);
  void settled(Duration trouble = {}) { settledAt_ = std::max(settledAt_, clock_.now() + trouble); }
  template <typename Action>
  void after(Duration delay, Action action) {
    clock_.after(delay, [this, epoch = epoch_, action] {
      if (epoch == epoch_) action();
    });
  }

  Clock& clock_;
  Random& random_;
  Web& web_;
  const Kind kind_;
  const std::string user_;
  Owner& owner_;
  std::string ssid_;
  bool in_ = false;
  std::uint64_t epoch_ = 0;  // one more with every sign-in and end: what was planned before is void

  std::optional<bridge::RequestId> signInRequest_, pollRequest_, socket_;
  bool resuming_ = false;
  bool away_ = false;  // from lose() until it has resumed
  bool socketOpen_ = false;
  bool probing_ = false;  // message 0 is not confirmed
  std::uint64_t heardOnSocket_ = 0;
  std::uint64_t lastSequence_ = 0;
  std::map<std::uint64_t, std::string> had_;  // the latest

  std::uint64_t lastPosted_ = 0, confirmed_ = 0;
  std::deque<Message> outbox_;                  // the first one is under way
  std::optional<bridge::RequestId> carrier_;    // the POST, or the socket, that carries it
  std::map<bridge::RequestId, Message> posts_;  // of a client in the field
  TimePoint settledAt_{};                       // may lie ahead, where trouble is to be expected
  std::map<std::uint64_t, TimePoint> probes_;   // by number: not complained of yet
  std::size_t forgiven_ = 0;
  std::uint64_t callsEnded_ = 0;
  Counters counters_;
};

}  // namespace crosspoint::sim
