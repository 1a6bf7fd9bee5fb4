// The life of one binding at the registrar.
#include "core/sip/registration.h"

#include <algorithm>
#include <utility>

#include "base/scan.h"
#include "core/params/media.h"
#include "core/sip/dialog.h"
#include "core/sip/shown_text.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;

constexpr seconds kRefreshMarginMin{40};  // room for one REGISTER that times out (64*T1) and another attempt
constexpr seconds kRefreshDelayMin{5};    // whatever the server grants
constexpr seconds kExpiresMax{7 * 24 * 3600};
constexpr seconds kRetryAfterMax{3600};
constexpr int kIntervalRefusalsMax = 2;

}  // namespace

Registration::Registration(Environment& environment, RegistrationId id, TimePoint now, std::string user,
                           Credentials credentials, seconds expires, Sequence sequence)
    : environment_(environment),
      id_(id),
      user_(std::move(user)),
      expires_(std::clamp(expires, seconds(1), kExpiresMax)),
      sequence_(std::move(sequence)),
      fromTag_(environment.newToken()),
      retryDelay_(environment.config.timers.registerRetry),
      requests_(environment, id, std::move(credentials)) {
  sendRegister(now);
}

void Registration::sendRegister(TimePoint now) {
  dueAt_.reset();
  Request request;
  request.method = Method::Register;
  request.uri = environment_.domain();
  request.to = environment_.address(user_);
  request.from = request.to;
  request.from.tag = fromTag_;
  request.callId = sequence_.callId;
  request.cseq = ++sequence_.cseq;
  request.routes = environment_.proxyRoute();
  request.contacts = {environment_.contact(user_)};
  request.supported = {"path"};  // RFC 3327 §5.1: proxies on the way may add theirs
  request.expires = state_ == State::Unregistering ? 0 : static_cast<std::uint32_t>(expires_.count());
  setParameter(request.contacts.front().parameters, "expires", std::to_string(*request.expires));
  requests_.send(now, std::move(request), environment_.firstHop());
}

Registration::~Registration() {
  const auto found = environment_.serviceRoutes.find(user_);
  if (found != environment_.serviceRoutes.end() && found->second.registration == id_) {
    environment_.serviceRoutes.erase(found);
  }
  const auto realms = environment_.serverRealms.find(requests_.authenticator().user());
  if (realms != environment_.serverRealms.end() && realms->second.registration == id_) {
    environment_.serverRealms.erase(realms);
  }
}

void Registration::renew(TimePoint now, Duration from, Duration to) {
  retryDelay_ = environment_.config.timers.registerRetry;  // also behind a request that the server has missed
  if (!dueAt_ || (state_ != State::Registered && state_ != State::Retrying)) return;
  const TimePoint at =
      now + from + Duration(environment_.random.below(static_cast<std::uint64_t>((to - from).count()) + 1));
  dueAt_ = std::min(*dueAt_, at);
}

void Registration::unregister(TimePoint now) {
  if (state_ == State::Unregistering || state_ == State::Gone) return;
  if (requests_.unanswered() > 0) {
    unregisterWanted_ = true;
    return;
  }
  state_ = State::Unregistering;
  sendRegister(now);
}

void Registration::handleResponse(TimePoint now, ClientTransactionId id, const Response& response) {
  auto* entry = requests_.find(id);
  if (entry == nullptr) return;
  if (response.status < 200) return requests_.handleProvisional(now, *entry, entry->deadline);
  if ((response.status == 401 || response.status == 407) &&
      requests_.retryWithCredentials(now, *entry, response, sequence_.cseq)) {
    challenged_ = true;
    environment_.serverRealms[requests_.authenticator().user()] = {id_, requests_.authenticator().realms()};
    return;
  }
  requests_.forget(id);
  if (response.status < 300) return handleSuccess(now, response);
  const bool tooBrief = response.status == 423 && response.minExpires && seconds(*response.minExpires) <= kExpiresMax;
  if (tooBrief && state_ != State::Unregistering && ++intervalRefusals_ <= kIntervalRefusalsMax) {  // §10.2.8
    expires_ = std::max(expires_, seconds(*response.minExpires));
    return sendRegister(now);
  }
  handleRefusal(now, response.status, response.reason, response.retryAfter);
}

void Registration::handleFailure(TimePoint now, ClientTransactionId id, int status, const std::string& reason) {
  if (requests_.find(id) == nullptr) return;
  requests_.forget(id);
  handleRefusal(now, status, reason.empty() ? standardReason(status) : std::string_view(reason), std::nullopt);
}

void Registration::handleSuccess(TimePoint now, const Response& response) {
  if (state_ == State::Unregistering) return end();
  const bool first = state_ == State::Registering;
  state_ = State::Registered;
  intervalRefusals_ = 0;
  retryDelay_ = environment_.config.timers.registerRetry;
  if (std::exchange(unregisterWanted_, false)) return unregister(now);
  if (response.serviceRoutes.empty()) {
    environment_.serviceRoutes.erase(user_);
  } else {
    environment_.serviceRoutes[user_] = {id_, response.serviceRoutes};
  }
  const seconds expires = granted(response);
  if (first || lost_) environment_.emit(RegistrationSucceeded{id_, expires, challenged_});
  lost_ = false;
  // Before it runs out by a tenth, at least by one failed attempt; spread, so that thousands do not come together.
  const Duration margin = std::min<Duration>(expires / 2, std::max<Duration>(expires / 10, kRefreshMarginMin));
  dueAt_ = now + std::max<Duration>(kRefreshDelayMin, spread(expires - margin, 10));
}

void Registration::handleRefusal(TimePoint now, int status, std::string_view reason,
                                 std::optional<std::uint32_t> retryAfter) {
  if (state_ == State::Unregistering) return end();
  if (std::exchange(unregisterWanted_, false)) {
    if (state_ == State::Registering && status != 408) return end();  // there is no binding to remove
    return unregister(now);
  }
  if (state_ == State::Registering) {
    state_ = State::Gone;
    environment_.emit(RegistrationFailed{id_, status, shownText(reason)});
    return;
  }
  if (!lost_) environment_.emit(RegistrationLost{id_, status, shownText(reason)});
  lost_ = true;
  state_ = State::Retrying;
  Duration delay = spread(retryDelay_, 2);
  if (retryAfter) delay = std::max<Duration>(delay, std::min(seconds(*retryAfter), kRetryAfterMax));
  dueAt_ = now + delay;
  retryDelay_ = std::min(retryDelay_ * 2, environment_.config.timers.registerRetryMax);
}

void Registration::end() {
  state_ = State::Gone;
  dueAt_.reset();
  environment_.emit(RegistrationEnded{id_});
}

// The server lists all bindings of the user; ours is the one with our Contact (§10.2.4).
seconds Registration::granted(const Response& response) const {
  const Uri ours = environment_.contact(user_).uri;
  std::optional<std::uint32_t> value = response.expires;
  for (const auto& contact : response.contacts) {
    if (contact.uri.user != ours.user || !namesEqual(contact.uri.host, ours.host) || contact.uri.port != ours.port)
      continue;
    if (const auto text = findParameter(contact.parameters, "expires")) {
      if (const auto parsed = toNumber<std::uint32_t>(*text)) value = parsed;
    }
  }
  return value ? std::min(seconds(*value), kExpiresMax) : expires_;
}

// Up to one part of it less.
Duration Registration::spread(Duration delay, std::uint64_t part) const {
  return delay - Duration(environment_.random.below(static_cast<std::uint64_t>(delay.count()) / part + 1));
}

void Registration::handleTimeout(TimePoint now) {
  if (const auto* entry = requests_.expired(now)) handleFailure(now, entry->id, 408);
  if (!dueAt_ || *dueAt_ > now) return;
  if (state_ == State::Registered) state_ = State::Refreshing;
  sendRegister(now);
}

std::optional<TimePoint> Registration::nextTimeout() const { return earlier(dueAt_, requests_.nextDeadline()); }

}  // namespace crosspoint::sip
