// Whose offer is pending in one dialog, and what was agreed last (RFC 3264 §4, §8). What the bodies say is nobody's
// business here: they are opaque text.
//
//               offerSent                      offerReceived
//   Local  ◄──────────────────  Settled  ──────────────────►  Remote
//     └─ answerReceived, withdraw ─►│◄─ answerSent, withdraw ──┘
#pragma once
#include <cstdint>
#include <string>
#include <utility>

namespace crosspoint::sip {

class OfferAnswer {
 public:
  enum class State : std::uint8_t { Settled, Local, Remote };
  // What brought the pending offer: an INVITE (or the 2xx to one without), an UPDATE, a PRACK, or a reliable
  // provisional response to an INVITE without offer.
  enum class Carrier : std::uint8_t { Invite, Update, Prack, Provisional };

  // Of two offers at once the second is refused (RFC 3261 §14): these say false then and change nothing.
  bool offerSent(Carrier carrier, std::string sdp) { return begin(State::Local, carrier, std::move(sdp)); }
  bool offerReceived(Carrier carrier, std::string sdp) { return begin(State::Remote, carrier, std::move(sdp)); }
  void answerSent(std::string sdp) { agree(std::move(sdp), std::move(offer_)); }
  void answerReceived(std::string sdp) { agree(std::move(offer_), std::move(sdp)); }
  // Refused or taken back: what was agreed before stays.
  void withdraw() {
    state_ = State::Settled;
    offer_.clear();
  }

  bool settled() const { return state_ == State::Settled; }
  bool local() const { return state_ == State::Local; }
  bool remote() const { return state_ == State::Remote; }
  bool local(Carrier carrier) const { return local() && carrier_ == carrier; }
  bool remote(Carrier carrier) const { return remote() && carrier_ == carrier; }

  // An offer has been answered once; the two texts of the last time.
  bool hasSession() const { return agreed_; }
  const std::string& localSdp() const { return localSdp_; }
  const std::string& remoteSdp() const { return remoteSdp_; }

 private:
  bool begin(State next, Carrier carrier, std::string sdp) {
    if (state_ != State::Settled) return false;
    state_ = next;
    carrier_ = carrier;
    offer_ = std::move(sdp);
    return true;
  }
  void agree(std::string local, std::string remote) {
    localSdp_ = std::move(local);
    remoteSdp_ = std::move(remote);
    agreed_ = true;
    withdraw();
  }

  State state_ = State::Settled;
  Carrier carrier_ = Carrier::Invite;
  bool agreed_ = false;
  std::string offer_, localSdp_, remoteSdp_;
};

}  // namespace crosspoint::sip
