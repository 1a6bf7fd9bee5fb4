// Whose offer is pending in one dialog (RFC 3264 §4). What the bodies say is nobody's business here.
//
//               offerSent                      offerReceived
//   Local  ◄──────────────────  Settled  ──────────────────►  Remote
//     └──── answered, withdrawn ───►│◄── answered, withdrawn ────┘
#pragma once
#include <cstdint>

namespace crosspoint::sip {

class OfferAnswer {
 public:
  enum class State : std::uint8_t { Settled, Local, Remote };

  // Of two offers at once the second is refused (RFC 3261 §14): these say false then and change nothing.
  bool offerSent() { return begin(State::Local); }
  bool offerReceived() { return begin(State::Remote); }
  void settle() { state_ = State::Settled; }

  bool settled() const { return state_ == State::Settled; }
  bool local() const { return state_ == State::Local; }
  bool remote() const { return state_ == State::Remote; }

 private:
  bool begin(State next) {
    if (state_ != State::Settled) return false;
    state_ = next;
    return true;
  }
  State state_ = State::Settled;
};

}  // namespace crosspoint::sip
