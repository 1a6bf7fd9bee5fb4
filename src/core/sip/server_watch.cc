#include "core/sip/server_watch.h"

#include <algorithm>
#include <utility>

namespace crosspoint::sip {
namespace {

constexpr Duration kIntervalUnreachable = std::chrono::seconds(5);

}  // namespace

ServerWatch::ServerWatch(Environment& environment, TimePoint now)
    : environment_(environment), requests_(environment, ServerWatchOwner{}, {}) {
  if (environment.config.optionsInterval <= Duration::zero()) return;
  callId_ = environment.newToken();
  fromTag_ = environment.newToken();
  // Several workers begin at the same moment.
  dueAt_ =
      now + Duration(environment.random.below(static_cast<std::uint64_t>(environment.config.optionsInterval.count())));
}

void ServerWatch::ask(TimePoint now) {
  dueAt_.reset();
  Request request;
  request.method = Method::Options;
  request.uri = {.host = environment_.config.server.host, .port = environment_.config.server.port};
  request.to = {.uri = environment_.domain()};
  request.from = request.to;
  request.from.tag = fromTag_;
  request.callId = callId_;
  request.cseq = ++cseq_;
  request.contacts = {NameAddr{.uri = environment_.config.contact}};
  request.accept = {"application/sdp"};
  request.routes = environment_.proxyRoute();
  requests_.send(now, std::move(request), environment_.firstHop());
}

bool ServerWatch::learn(TimePoint now, int status) {
  const Duration interval = environment_.config.optionsInterval;
  const bool reachable = status != 408 && status != 503;
  dueAt_ = now + (reachable ? interval : std::min(interval, kIntervalUnreachable));
  if (std::exchange(reachable_, reachable) == reachable) return false;
  environment_.emit(ServerReachable{reachable, status});
  return reachable;
}

bool ServerWatch::handleResponse(TimePoint now, ClientTransactionId id, const Response& response) {
  if (requests_.find(id) == nullptr || response.status < 200) return false;
  requests_.forget(id);
  return learn(now, response.status);
}

bool ServerWatch::handleFailure(TimePoint now, ClientTransactionId id, int status) {
  if (requests_.find(id) == nullptr) return false;
  requests_.forget(id);
  return learn(now, status);
}

void ServerWatch::handleTimeout(TimePoint now) {
  if (const auto* entry = requests_.expired(now)) handleFailure(now, entry->id, 408);
  if (dueAt_ && *dueAt_ <= now) ask(now);
}

std::optional<TimePoint> ServerWatch::nextTimeout() const { return earlier(dueAt_, requests_.nextDeadline()); }

}  // namespace crosspoint::sip
