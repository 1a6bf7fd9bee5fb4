// A page in virtual time: speaks ROAP in the dialect of the field over its `Line`, with a real WebRTC peer behind it.
//
// It behaves as `spec/signalling.md` says pages behave: drops an OFFER that crosses its own, answers a hold with
// recvonly, may vanish. The first rule that it sees broken is its `fault`.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "base/random.h"
#include "core/roap/message.h"
#include "tests/sim/clock.h"
#include "tests/sim/info_order.h"
#include "tests/sim/line.h"
#include "tests/sim/page_media.h"

namespace crosspoint::sim {

class Page : private Line::Owner {
 public:
  struct Environment {
    Clock& clock;
    Network& network;
    Random& random;
    Web& web;
    std::vector<const dtls::Context*> certificates;
    std::function<void(const std::string& page, const std::string& text)> note;  // what it sees and does, for a trace
  };
  enum class State : std::uint8_t { Out, SigningIn, Idle, Calling, Ringing, InCall };
  struct Counters {
    std::uint64_t infos = 0;
    std::uint64_t blindAsked = 0, blindDone = 0, attendedAsked = 0, attendedDone = 0;
  };

  Page(const Environment& environment, std::string user, Line::Kind kind);

  void signIn();
  void vanish();  // without a word
  void signOut();
  void call(const std::string& to);
  void accept();
  void reject();
  void hangUp();
  void renew();  // an offer on a new peer connection: other credentials, fingerprint and port
  void sendInfos();
  void transfer(const std::string& to);
  void transferTo(const Page& other);                  // to the far end of the other page's call, in that call's place
  void offerAgain(Direction direction, bool restart);  // hold, resume, ICE restart
  Line& line() { return line_; }
  const Line& line() const { return line_; }

  const std::string& user() const { return user_; }
  State state() const { return state_; }
  bool signedInSince(Duration time) const {
    return state_ != State::Out && state_ != State::SigningIn && clock_.now() - signedInAt_ >= time;
  }
  // One in the field waits until its ANSWER has arrived: an OFFER that overtakes it would give that call up.
  bool mayOffer() const {
    return state_ == State::InCall && !offerOpen_ && (line_.counts() || line_.restsSince(Duration(0)));
  }
  const std::string& peer() const { return peer_; }
  const std::string& dialog() const { return dialog_; }  // as PROGRESS has told it; empty: not at all
  // Its last ANSWER is not confirmed for that long.
  bool waitsForOk(Duration time) const { return okAwaitedSince_ && clock_.now() - *okAwaitedSince_ >= time; }
  // Nothing has changed in its call for that long, and it wants to hear and to be heard.
  bool talksSince(Duration time) const {
    return state_ == State::InCall && !offerOpen_ && !unsure_ && direction_ == Direction::SendRecv &&
           clock_.now() - changedAt_ >= time && line_.restsSince(time);
  }
  bool hearsWithin(Duration time) const { return media_.hearsWithin(time); }
  std::uint64_t packetsReceived() const { return media_.packetsReceived(); }
  const Counters& counters() const { return counters_; }
  const std::string& fault() const { return fault_; }  // the first rule that the gateway broke

 private:
  // Of the last call; another BYE may have crossed the page's own.
  enum class End : std::uint8_t { None, ByGateway, ByPage };

  void handleSignedIn() override;
  void handleOut() override;
  void handleMessage(const std::string& body, const std::string& peer) override;
  void handleMissed() override;
  void complain(const std::string& what) override;
  void note(const std::string& text) override;

  void handlePrompt(const std::string& body, const std::string& peer);
  void handleProgress(const std::string& body);
  void handleInfo(const std::string& body);
  void handleOfCall(const std::string& body, const std::string& peer);
  void handleRoap(const std::string& body, const std::string& peer);
  void handleOffer(const roap::Message& message, const std::string& peer);
  void handleAnswer(const roap::Message& message);
  void handleBye(const std::string& peer);
  void sendAnswer(bool moreComing = false);
  void sendOffer(Direction direction);
  void post(std::string body) { line_.post(peer_, std::move(body)); }
  void endCall(End how);
  void leave();  // whatever it was in

  Clock& clock_;
  Random& random_;
  const std::function<void(const std::string&, const std::string&)> note_;
  const std::string user_;
  std::uint64_t id_;  // of its call: one more with each
  PageMedia media_;
  Line line_;
  State state_ = State::Out;
  std::uint64_t epoch_ = 0;  // one more with every sign-in and vanishing: what was planned before is void
  std::string peer_, dialog_;
  std::string farEnd_;       // another one than it called; empty: none
  std::string lateOfferTo_;  // its OFFER in the call before may come when that has ended: BYE may come again from there
  // Its OFFER to them may come behind its BYE, and behind those of other calls, and make a call of its own.
  std::set<std::string> cancelled_;
  bool gaveUpOwn_ = false;  // and hung up: whoever called meanwhile may be told to have gone, once

  std::optional<roap::Message> waiting_;  // an OFFER that rings
  std::string waitingPeer_;
  bool answeredProvisionally_ = false;  // the OFFER that rings
  std::optional<TimePoint> okAwaitedSince_;
  bool offerOpen_ = false;
  bool droppedOffer_ = false;      // since its own
  bool missed_ = false;            // a message, which a client in the field cannot ask for again
  bool unsure_ = false;            // what it offered last was refused
  bool transferAttended_ = false;  // the last that it asked for
  End ended_ = End::None;
  TimePoint changedAt_{}, signedInAt_{};
  std::uint32_t seq_ = 0;
  Direction direction_ = Direction::SendRecv;
  InfoOrder infos_;
  Counters counters_;
  std::string fault_;
};

}  // namespace crosspoint::sim
