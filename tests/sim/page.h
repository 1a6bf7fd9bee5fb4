// A page in virtual time: signs in, polls, speaks ROAP in the dialect of the field, with a real WebRTC peer behind it.
//
// It behaves as `spec/signalling.md` says pages behave: aborts polls, drops an OFFER that crosses its own, answers a
// hold with recvonly, may vanish. What it notices goes into `log`, so that the world can check it.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "bridge/page.h"
#include "core/params/session.h"
#include "core/roap/message.h"
#include "peer/peer.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"

namespace crosspoint::sim {

class Page {
 public:
  struct Door {  // to the gateway; the world carries it with delays
    std::function<void(bridge::PageRequest&&)> request;
    std::function<void(bridge::RequestId)> closed;
    std::function<bridge::RequestId()> nextRequest;
    std::function<void(const std::string&)> note;  // what it sees and does, for a trace
  };
  enum class State : std::uint8_t { Out, SigningIn, Idle, Calling, Ringing, InCall };

  Page(Clock& clock, Network& network, Random& random, std::vector<const dtls::Context*> certificates, std::string user,
       bool counts, Door door);
  ~Page();

  void signIn();
  void vanish();  // without a word; polls stop
  void signOut();
  void call(const std::string& to);
  void accept();
  void reject();
  void hangUp();
  void cutPoll();  // its connection breaks; the next one is made a little later
  void renew();    // an offer on a new peer connection: other credentials, fingerprint and port
  void sendInfo();
  void transfer(const std::string& to);
  void offerAgain(Direction direction, bool restart);  // hold, resume, ICE restart

  void handleReply(const bridge::PageReply& reply);
  void handleLost(bridge::RequestId request);  // the reply was lost on its way

  const std::string& user() const { return user_; }
  State state() const { return state_; }
  bool mayOffer() const { return state_ == State::InCall && !offerOpen_; }
  const std::string& peer() const { return peer_; }
  // Its last ANSWER is not confirmed for that long.
  bool waitsForOk(Duration time) const { return okAwaitedSince_ && clock_.now() - *okAwaitedSince_ >= time; }
  // Nothing has changed in its call for that long, and it wants to hear and to be heard.
  bool talksSince(Duration time) const {
    return state_ == State::InCall && !offerOpen_ && !unsure_ && direction_ == Direction::SendRecv &&
           clock_.now() - changedAt_ >= time;
  }
  bool hearsWithin(Duration time) const { return heardAt_ && clock_.now() - *heardAt_ < time; }
  bool ringing() const { return state_ == State::Ringing; }
  std::uint64_t packetsReceived() const { return packetsReceived_; }
  std::uint64_t infosReceived() const { return infosReceived_; }
  const std::string& fault() const { return fault_; }  // the first rule that the gateway broke

 private:
  void poll();
  void post(std::string body);
  void handleMessage(const std::string& body, const std::string& peer);
  void handleOffer(const roap::Message& message, const std::string& peer);
  void sendAnswer(bool moreComing = false);
  void handleAnswer(const roap::Message& message);
  void sendOffer(Direction direction);
  enum class End : std::uint8_t {
    None,
    ByGateway,
    ByPage
  };  // of the last call; another BYE may have crossed the page's own
  void endCall(End how);
  void handleBye();
  void openMedia(bool offer);
  void closeMedia();
  std::string writeSdp(bool offer, Direction direction);
  bool readSdp(const std::string& text, bool offer);
  void handleDatagram(const SocketAddress& from, Bytes bytes);
  void drain();
  void speak();
  void complain(const std::string& what);

  Clock& clock_;
  Network& network_;
  Random& random_;
  const std::vector<const dtls::Context*> certificates_;  // a renewed connection takes the next one
  std::size_t certificate_ = 0;
  const std::string user_;
  const bool counts_;  // our own client: counts messages both ways, understands provisional answers
  Door door_;
  State state_ = State::Out;
  std::string ssid_, peer_;
  std::optional<bridge::RequestId> signInRequest_, pollRequest_;
  std::uint64_t lastSequence_ = 0;
  std::uint64_t lastPosted_ = 0;
  std::uint64_t epoch_ = 0;  // one more with every sign-in and vanishing: what was planned before is void

  std::unique_ptr<peer::Peer> rtc_;
  Timer rtcTimer_;
  SocketAddress address_;
  std::uint64_t mediaEpoch_ = 0;
  std::vector<Codec> codecs_;
  std::uint32_t ssrc_ = 0;
  std::uint16_t sequence_ = 0;
  std::optional<std::uint32_t> ssrcReceived_;
  std::optional<std::uint16_t> sequenceReceived_;

  std::optional<roap::Message> waiting_;  // an OFFER that rings
  std::string waitingPeer_;
  bool answeredProvisionally_ = false;  // the OFFER that rings
  std::optional<TimePoint> okAwaitedSince_;
  bool offerOpen_ = false;
  bool droppedOffer_ = false;  // since its own
  bool missed_ = false;        // a message, which a client in the field cannot ask for again
  bool unsure_ = false;        // what it offered last was refused
  End ended_ = End::None;
  TimePoint changedAt_{};
  std::optional<TimePoint> heardAt_;
  std::uint64_t offerer_ = 0;
  std::uint32_t seq_ = 0;
  Direction direction_ = Direction::SendRecv;
  std::uint64_t packetsReceived_ = 0;
  std::uint64_t infosReceived_ = 0;
  std::string fault_;
};

}  // namespace crosspoint::sim
