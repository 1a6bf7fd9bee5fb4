// A page's peer connection: a real `peer::Peer` (ICE, DTLS, SRTP) that speaks and listens, and the SDP for it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/params/session.h"
#include "peer/peer.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"
#include "tests/sim/sdp_rules.h"

namespace crosspoint::sim {

class PageMedia {
 public:
  // `complain`: the gateway broke a rule. Certificates: a renewed connection takes the next one.
  PageMedia(Clock& clock, Network& network, Random& random, std::vector<const dtls::Context*> certificates,
            std::function<void(const std::string&)> complain);
  ~PageMedia() { close(); }

  void open(bool offer);
  void close();
  void renew(bool sameCall);  // another connection; in the same call the gateway's stream goes on
  void restartIce();
  std::string write(bool offer, Direction direction);
  // False: there is nothing to read it with, or the gateway broke a rule.
  bool read(const std::string& text, bool offer, Direction direction);
  // A description that the page does not look at, of the same call.
  void skip(const std::string& text) { hear(text); }
  void handleMissed() { gaps_ = true; }  // one that has not reached the page, perhaps
  void setDirection(Direction direction) { direction_ = direction; }

  bool hearsWithin(Duration time) const { return heardAt_ && clock_.now() - *heardAt_ < time; }
  std::uint64_t packetsReceived() const { return packetsReceived_; }

 private:
  void handleDatagram(const SocketAddress& from, Bytes bytes);
  void handleRtp(Bytes bytes);
  void hear(const std::string& text) {
    if (!gaps_) check(heard_.add(text));
  }
  void check(const std::optional<std::string>& fault) {
    if (fault) complain_(*fault);
  }
  void drain();
  void speak();

  Clock& clock_;
  Network& network_;
  Random& random_;
  const std::vector<const dtls::Context*> certificates_;
  const std::function<void(const std::string&)> complain_;
  std::size_t certificate_ = 0;
  std::unique_ptr<peer::Peer> rtc_;
  Timer timer_;
  SocketAddress address_;
  std::uint64_t epoch_ = 0;  // one more with every connection
  std::vector<Codec> codecs_;
  Direction direction_ = Direction::SendRecv;
  std::uint32_t ssrc_ = 0;
  std::uint16_t sequence_ = 0;
  std::optional<std::uint32_t> ssrcReceived_;
  std::optional<std::uint16_t> sequenceReceived_;
  std::optional<TimePoint> heardAt_;
  SdpHistory heard_;  // what the gateway has said in this call
  bool gaps_ = false;
  std::string offered_;
  std::uint64_t packetsReceived_ = 0;
};

}  // namespace crosspoint::sim
