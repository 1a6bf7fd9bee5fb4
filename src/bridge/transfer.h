// What a transfer needs beside the call: the far end that is to take over, and how progress is told.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "bridge/sip_leg.h"
#include "core/call/media.h"
#include "core/sip/user_agent.h"

namespace crosspoint::bridge {

// A far end that takes the place of the present one when its answer has come. On ports of its own until then.
struct NextFarEnd {
  sip::CallId call{};
  std::unique_ptr<SipLeg> leg;
  call::Media told;  // our offer
  // The REFER that asked for it, and the call in which it came: its sender wants to know how we fare.
  struct Referrer {
    sip::CallId call{};
    sip::ReferId refer{};
  };
  std::optional<Referrer> referrer;  // nothing: it has come by itself, with Replaces
};

// A far end that has been left: its BYE is awaited for a moment.
struct FormerFarEnd {
  sip::CallId call{};
  TimePoint patienceEnds;
};
inline constexpr Duration kFormerByeWithin = std::chrono::seconds(2);

// A PROGRESS message. What is 0 or empty is left out.
std::string progressMessage(std::string_view state, int sipStatus = 0, std::string_view reason = {},
                            std::string_view dialog = {}, std::string_view address = {});

}  // namespace crosspoint::bridge
