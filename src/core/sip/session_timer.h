// The session timer of one call (RFC 4028): what each INVITE, UPDATE and 2xx to one says of it, who refreshes, when,
// and when the session counts as gone.
//
//   every 2xx to INVITE or UPDATE ──► interval, refresher ──► half of it: refreshDue() ──► a third (at most 32 s)
//   before
//                                                                                         its end: expired()
//
// The far end need not know of it: then we are the refresher (§7.2, §9 table 2).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "core/sip/message.h"

namespace crosspoint::sip {

inline constexpr std::string_view kTimer = "timer";
inline constexpr std::chrono::seconds kMinSeDefault{90};  // RFC 4028 §5

// The Min-SE for a 422 if `request` wants too short an interval; nothing if it may be accepted, or must be because its
// sender would not understand (§9).
std::optional<std::uint32_t> intervalTooSmall(const Request& request, std::chrono::seconds minSe);

class SessionTimer {
 public:
  // `sessionExpires` 0: we ask for none.
  SessionTimer(std::chrono::seconds sessionExpires, std::chrono::seconds minSe);

  // An INVITE or UPDATE of ours.
  void fillRequest(Request& request) const;
  // A 422 to one: what fillRequest() says is raised. False: there is nothing to raise, or it was raised often enough.
  bool raise(const Response& tooSmall);
  void handleSuccess(TimePoint now, const Request& request, const Response& response);

  // A 2xx of ours to the far end's.
  void fillResponse(TimePoint now, const Request& request, Response& response);

  // A refresh of ours has come to nothing, or could not be sent: it is tried again before the session expires.
  void refreshFailed(TimePoint now);
  // A refresh is on its way: nothing is due until its end.
  void refreshSent() { refreshAt_.reset(); }

  bool refreshDue(TimePoint now) const { return refreshAt_ && *refreshAt_ <= now; }
  bool expired(TimePoint now) const { return byeAt_ && *byeAt_ <= now; }
  std::optional<TimePoint> nextTimeout() const;

 private:
  void start(TimePoint now, std::uint32_t seconds, bool weRefresh);

  std::uint32_t wanted_, minSe_;
  std::uint32_t interval_ = 0;  // the running one; 0: none
  bool weRefresh_ = false;
  int raised_ = 0;
  std::optional<TimePoint> refreshAt_, byeAt_;
};

}  // namespace crosspoint::sip
