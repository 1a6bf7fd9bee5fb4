// The arithmetic and the headers of the session timer (RFC 4028 §7 to §10).
#include "core/sip/session_timer.h"

#include <algorithm>

#include "core/params/media.h"
#include "core/sip/deadlines.h"

namespace crosspoint::sip {
namespace {

using Refresher = SessionExpires::Refresher;

constexpr std::uint32_t kSecondsMax = 0x7fffffff;
constexpr std::uint32_t kEndMarginMax = 32;  // §10: seconds before the end, at most a third of the interval
constexpr int kRaisesMax = 4;
constexpr Duration kRetryMin = std::chrono::seconds(5);

std::uint32_t secondsOf(std::chrono::seconds value) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value.count(), 0, kSecondsMax));
}

std::uint32_t minOf(std::chrono::seconds minSe) { return secondsOf(std::max(minSe, kMinSeDefault)); }

bool knowsTimer(const Request& request) {
  return std::ranges::any_of(request.supported, [](const auto& tag) { return namesEqual(tag, kTimer); }) ||
         std::ranges::any_of(request.require, [](const auto& tag) { return namesEqual(tag, kTimer); });
}

}  // namespace

std::optional<std::uint32_t> intervalTooSmall(const Request& request, std::chrono::seconds minSe) {
  const std::uint32_t least = minOf(minSe);
  if (!request.sessionExpires || request.sessionExpires->seconds >= least || !knowsTimer(request)) return std::nullopt;
  return least;
}

SessionTimer::SessionTimer(std::chrono::seconds sessionExpires, std::chrono::seconds minSe)
    : wanted_(secondsOf(sessionExpires)), minSe_(minOf(minSe)) {}

void SessionTimer::fillRequest(Request& request) const {
  request.sessionExpires.reset();
  request.minSe.reset();
  const std::uint32_t seconds = interval_ != 0 ? interval_ : wanted_;
  if (seconds == 0) return;
  request.sessionExpires = SessionExpires{.seconds = std::max(seconds, minSe_)};
  request.minSe = minSe_;
  // §7.4: a refresh keeps the roles. Before that the callee chooses.
  if (interval_ != 0) request.sessionExpires->refresher = weRefresh_ ? Refresher::Uac : Refresher::Uas;
}

bool SessionTimer::raise(const Response& tooSmall) {
  if (!tooSmall.minSe || *tooSmall.minSe > kSecondsMax || ++raised_ > kRaisesMax) return false;
  if (wanted_ == 0 && interval_ == 0) return false;
  minSe_ = std::max(minSe_, *tooSmall.minSe);
  return true;
}

void SessionTimer::start(TimePoint now, std::uint32_t seconds, bool weRefresh) {
  // Nobody makes us refresh, or end a call, faster than §5 allows.
  interval_ = std::clamp(seconds, secondsOf(kMinSeDefault), kSecondsMax);
  weRefresh_ = weRefresh;
  byeAt_ = now + std::chrono::seconds(interval_ - std::min(kEndMarginMax, interval_ / 3));
  refreshAt_.reset();
  if (weRefresh) refreshAt_ = now + std::chrono::seconds(interval_ / 2);
}

void SessionTimer::handleSuccess(TimePoint now, const Request& request, const Response& response) {
  if (response.sessionExpires) {
    return start(now, response.sessionExpires->seconds, response.sessionExpires->refresher != Refresher::Uas);
  }
  if (request.sessionExpires && wanted_ != 0) {  // the far end does not know of it: §7.2
    return start(now, request.sessionExpires->seconds, true);
  }
  interval_ = 0;
  refreshAt_.reset();
  byeAt_.reset();
}

void SessionTimer::fillResponse(TimePoint now, const Request& request, Response& response) {
  const bool known = knowsTimer(request);
  const std::uint32_t theirMin = std::min(request.minSe.value_or(0), kSecondsMax);
  minSe_ = std::max(minSe_, theirMin);  // §7.4: the largest seen in the dialog is told in each request
  std::uint32_t seconds = wanted_ == 0 ? 0 : std::max(wanted_, minSe_);
  bool weRefresh = true;
  if (request.sessionExpires) {
    const std::uint32_t theirs = std::min(request.sessionExpires->seconds, kSecondsMax);
    seconds = seconds == 0 ? theirs : std::min(seconds, theirs);  // §9: lower, but never higher than theirs
    weRefresh = !known || request.sessionExpires->refresher != Refresher::Uac;
  }
  if (seconds == 0) {
    interval_ = 0;
    refreshAt_.reset();
    byeAt_.reset();
    return;
  }
  response.sessionExpires = SessionExpires{seconds, weRefresh ? Refresher::Uas : Refresher::Uac};
  if (known) response.require.emplace_back(kTimer);
  start(now, seconds, weRefresh);
}

void SessionTimer::refreshFailed(TimePoint now) {
  if (!byeAt_ || !weRefresh_) return;
  refreshAt_ = now + std::max<Duration>(kRetryMin, (*byeAt_ - now) / 2);
}

std::optional<TimePoint> SessionTimer::nextTimeout() const { return earlier(refreshAt_, byeAt_); }

}  // namespace crosspoint::sip
