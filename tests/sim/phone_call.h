// One call of a phone: its RTP port, which speaks and listens, what it has said in SDP, and how far it is.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/params/session.h"
#include "core/sip/user_agent.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"

namespace crosspoint::sim {

class PhoneCall {
 public:
  PhoneCall(Clock& clock, Network& network, Random& random, std::vector<Codec> codecs, sip::CallId id,
            std::string peer);
  ~PhoneCall();
  PhoneCall(const PhoneCall&) = delete;
  PhoneCall& operator=(const PhoneCall&) = delete;

  void move();  // another address, SSRC and order of codecs
  std::string write(Direction direction);
  void read(const std::string& text);
  void established();
  void changed() { changedAt_ = clock_.now(); }

  sip::CallId id;
  const std::string peer;  // whom it called, or who called
  bool isEstablished = false;
  bool offerOpen = false;
  bool unsure = false;    // what it offered last was refused
  bool replaced = false;  // another call takes its place, or it has been transferred away: it ends soon
  Direction direction = Direction::SendRecv;

  // Nothing has changed for that long, and it wants to hear and to be heard.
  bool talksSince(Duration time) const {
    return isEstablished && !offerOpen && !unsure && !replaced && direction == Direction::SendRecv &&
           clock_.now() - changedAt_ >= time;
  }
  bool hearsWithin(Duration time) const { return heardAt_ && clock_.now() - *heardAt_ < time; }
  std::uint64_t packetsReceived() const { return packetsReceived_; }

 private:
  void bind();
  void speak();

  Clock& clock_;
  Network& network_;
  Random& random_;
  std::vector<Codec> codecs_;
  SocketAddress address_;
  std::optional<SocketAddress> remote_;
  std::uint64_t version_ = 0;
  std::uint32_t ssrc_ = 0;
  std::uint16_t sequence_ = 0;
  TimePoint changedAt_{};
  std::optional<TimePoint> heardAt_;
  std::uint64_t packetsReceived_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace crosspoint::sim
