// A SIP phone in virtual time: our own user agent core as the far end. It may have a second call beside the first, to
// transfer the one to the other, and does what a REFER or an INVITE with Replaces asks of it.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "core/sip/user_agent.h"
#include "tests/sim/clock.h"
#include "tests/sim/info_order.h"
#include "tests/sim/network.h"
#include "tests/sim/phone_call.h"
#include "tests/sim/sip_network.h"

namespace crosspoint::sim {

class Phone {
 public:
  enum class Temper : std::uint8_t { Answers, AnswersEarly, Busy, Declines, NeverAnswers, SpeaksOnlyG722, OffersLate };
  struct Counters {
    std::uint64_t infos = 0;
    std::uint64_t refersServed = 0;                     // calls that it made because it was asked
    std::uint64_t replacesServed = 0;                   // calls that another one took the place of
    std::uint64_t blindAsked = 0, blindDone = 0;        // transfers that it asked for
    std::uint64_t attendedAsked = 0, attendedDone = 0;  // likewise, to the far end of its second call
    std::uint64_t takenOver = 0;                        // calls of other phones, with an INVITE with Replaces
    std::uint64_t lateOffers = 0, earlyUpdates = 0, offersRefused = 0;
  };

  Phone(Clock& clock, Network& network, SipNetwork& sip, Random& random, std::string user, std::string hostPort,
        Temper temper);

  void call(const std::string& to);
  // In the call with `peer`, if it is there and answered.
  void offerAgain(const std::string& peer, Direction direction);
  void update(const std::string& peer, Direction direction);  // the same by UPDATE
  void askForOffer(const std::string& peer);                  // a re-INVITE without SDP
  void move(const std::string& peer);                         // another address, SSRC and order of codecs
  void sendInfos(const std::string& peer);
  void notify(const std::string& peer, const std::string& event);  // "talk", "hold": somebody else controls the call
  void transfer(const std::string& peer, const std::string& to);   // REFER
  void consult(const std::string& peer, const std::string& to);    // holds it, calls `to`, may bring the two together
  void takeOver(Phone& other, const std::string& peer);  // INVITE with Replaces: that call of `other` moves here
  void hangUp(const std::string& peer);
  void hangUpAll();

  const std::string& user() const { return user_; }
  bool idle() const { return calls_.empty(); }
  const PhoneCall* callWith(const std::string& peer) const;  // answered
  // Nothing has changed in that call for so long, and it wants to hear and to be heard.
  const PhoneCall* talksWith(const std::string& peer, Duration since) const;
  const Counters& counters() const { return counters_; }
  const std::string& fault() const { return fault_; }  // the first rule that was broken towards it
  std::uint64_t packetsReceived() const;
  std::size_t leftovers() const { return agent_.callCount(); }

 private:
  // A call that this phone has made because of a REFER: its sender wants to know how it fares.
  struct Referrer {
    sip::CallId call{};
    sip::ReferId refer{};
  };
  // The second call of an attended transfer, by the first.
  struct Transfer {
    sip::CallId second{};
    bool asked = false;
  };

  PhoneCall* find(sip::CallId id);
  PhoneCall* open(const std::string& peer);  // answered, and no offer is under way
  PhoneCall* invite(const std::string& peer, const std::string& to, bool offers,
                    std::optional<sip::Replaces> replaces = {}, std::optional<sip::NameAddr> referredBy = {});
  PhoneCall& add(sip::CallId id, const std::string& peer);
  void hangUp(sip::CallId id);
  void offer(PhoneCall& call, Direction direction);
  template <typename Action>
  void later(Duration delay, sip::CallId id, Action action);  // if that call is still there

  void handle(const sip::Event& event);
  void handle(PhoneCall& call, const sip::Event& event);
  void handleIncoming(const sip::IncomingCall& incoming);
  void handleReplacing(const sip::IncomingCall& incoming);
  void ring(PhoneCall& call, bool hasOffer);
  void handleAnswered(PhoneCall& call, const sip::Answered& answered);
  void handleOffer(PhoneCall& call, const sip::OfferReceived& offer);
  void handleRefer(PhoneCall& call, const sip::ReferReceived& refer);
  void handleProgress(PhoneCall& call, const sip::ReferProgress& progress);
  void handleEnded(const sip::Ended& ended);
  void tellReferrer(sip::CallId call, int status);
  void bringTogether(sip::CallId first, sip::CallId second);
  void callBack(sip::CallId first);
  void drain();

  Clock& clock_;
  Network& network_;
  SipNetwork& sip_;
  Random& random_;
  const std::string user_, hostPort_;
  const Temper temper_;
  const std::vector<Codec> codecs_;
  sip::UserAgent agent_;
  Timer timer_;
  std::map<sip::CallId, std::unique_ptr<PhoneCall>> calls_;
  std::map<sip::CallId, Referrer> referrers_;  // by the call that was made for it
  std::map<sip::CallId, Transfer> transfers_;  // by the first call
  std::uint64_t packetsBefore_ = 0;            // of calls that have ended
  InfoOrder infos_;
  std::string fault_;
  Counters counters_;
};

}  // namespace crosspoint::sim
