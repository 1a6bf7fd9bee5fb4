// A SIP phone in virtual time: our own user agent core as the far end, with an RTP port that speaks and listens.
#pragma once
#include <optional>
#include <string>

#include "base/random.h"
#include "core/params/session.h"
#include "core/sip/user_agent.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"
#include "tests/sim/sip_network.h"

namespace crosspoint::sim {

class Phone {
 public:
  enum class Temper : std::uint8_t { Answers, AnswersEarly, Busy, Declines, NeverAnswers, SpeaksOnlyG722, OffersLate };

  Phone(Clock& clock, Network& network, SipNetwork& sip, Random& random, std::string user, std::string hostPort,
        Temper temper);

  void call(const std::string& to);
  void offerAgain(Direction direction);
  void update(Direction direction);  // the same by UPDATE
  void askForOffer();                // a re-INVITE without SDP
  void move();                       // another address, SSRC and order of codecs
  void sendInfo();
  void notify(const std::string& event);  // "talk", "hold": somebody else controls the call
  void transfer(const std::string& to);   // REFER
  void takeOver(Phone& other);            // INVITE with Replaces: the call of `other` moves here
  void hangUp();

  const std::string& user() const { return user_; }
  bool idle() const { return !call_; }
  bool established() const { return call_ && established_; }
  const std::string& peer() const { return peer_; }
  // Nothing has changed in its call for that long, and it wants to hear and to be heard.
  bool talksSince(Duration time) const {
    return established() && !offerOpen_ && !unsure_ && direction_ == Direction::SendRecv &&
           clock_.now() - changedAt_ >= time;
  }
  bool hearsWithin(Duration time) const { return heardAt_ && clock_.now() - *heardAt_ < time; }
  std::uint64_t infosReceived() const { return infosReceived_; }
  std::uint64_t packetsReceived() const { return packetsReceived_; }
  std::size_t leftovers() const { return agent_.callCount(); }

 private:
  void handle(const sip::Event& event);
  void handleIncoming(const sip::IncomingCall& incoming);
  void handleTransfer(const sip::ReferReceived& received);
  void drain();
  void speak();
  std::string writeSdp(Direction direction);
  void readSdp(const std::string& text);
  void bind();

  Clock& clock_;
  Network& network_;
  SipNetwork& sip_;
  Random& random_;
  const std::string user_, hostPort_;
  const Temper temper_;
  sip::UserAgent agent_;
  Timer timer_;
  std::optional<sip::CallId> call_;
  std::string peer_;
  bool established_ = false;
  bool offerOpen_ = false;
  bool unsure_ = false;  // what it offered last was refused
  TimePoint changedAt_{};
  std::optional<TimePoint> heardAt_;
  std::uint32_t ssrc_ = 0;
  std::uint64_t infosReceived_ = 0;
  SocketAddress address_;
  std::optional<SocketAddress> remote_;
  Direction direction_ = Direction::SendRecv;
  std::vector<Codec> codecs_;
  std::uint64_t version_ = 0;
  std::uint16_t sequence_ = 0;
  std::uint64_t packetsReceived_ = 0;
};

}  // namespace crosspoint::sim
