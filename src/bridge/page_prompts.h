// What asks a page in a call for an offer: INVITE, EVENT-TALK, EVENT-HOLD. A page that is busy with an offer drops them
// silently, so they wait here until its offer is settled. Of several the last wish counts; any of them brings the offer
// that INVITE asks for.
//
//     prompts.ask("EVENT-HOLD");
//     while (auto body = prompts.take(now, session.state() == Stable)) tell(*body);   // after every event
#pragma once
#include <optional>
#include <string>
#include <utility>

#include "base/time.h"

namespace crosspoint::bridge {

class PagePrompts {
 public:
  // For this long after one the page may be preparing its offer; a page that has none to make says nothing.
  static constexpr Duration kReactionMax = std::chrono::seconds(2);

  void ask(std::string body) {
    if (body == "INVITE" && waiting_) return;
    waiting_ = std::move(body);
  }
  // The page has made an offer.
  void handleOffer() { reactsUntil_.reset(); }
  // What to tell the page now; `settled`: no offer is open, either way.
  std::optional<std::string> take(TimePoint now, bool settled) {
    settled_ = settled;
    if (!waiting_ || !settled || (reactsUntil_ && now < *reactsUntil_)) return std::nullopt;
    reactsUntil_ = now + kReactionMax;
    return std::exchange(waiting_, std::nullopt);
  }
  // While an offer is open its end brings the next chance, not time.
  std::optional<TimePoint> nextTimeout() const { return waiting_ && settled_ ? reactsUntil_ : std::nullopt; }

 private:
  std::optional<std::string> waiting_;
  std::optional<TimePoint> reactsUntil_;
  bool settled_ = true;
};

}  // namespace crosspoint::bridge
