// The far end of one side becomes another one (a transfer): the other side goes on, and hears of it only where it must
// act.
#include "core/call/machine.h"

#include <utility>

namespace crosspoint::call {

std::optional<Media> Machine::answerToNewcomer(Side side, const Media& offer) const {
  Machine copy = *this;
  copy.leg(side) = {};
  copy.describe(side, offer, nullptr);
  Media answer = copy.answerTo(side);
  return usable(answer) ? std::optional(answer) : std::nullopt;
}

bool Machine::handleNewcomer(TimePoint now, Side side, const Media& media, const Media& told, bool answers) {
  if (state_ == State::Ended || state_ == State::New) return false;
  const Leg before = std::exchange(leg(side), Leg{});
  remember(side, told);
  describe(side, media, answers ? &told : nullptr);
  if (!usable(answerTo(side))) {
    leg(side) = before;
    return false;
  }
  leg(side).told = leg(side).agreed = told;
  leg(side).before = described(side);
  state_ = State::Active;
  answerDeadline_.reset();
  settle(now);
  return true;
}

}  // namespace crosspoint::call
