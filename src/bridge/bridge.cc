// Making, settling and removing calls, deadlines, and the door to the bridge.
#include "bridge/bridge_impl.h"

#include <utility>

#include "base/check.h"

namespace crosspoint::bridge {
namespace {

sip::Config sipConfig(const Config& config) {
  sip::Config result;
  result.contact.host = config.sipContactHost;
  result.contact.port = config.sipContactPort;
  const auto server = sip::Uri::parse(config.sipServer);
  CROSSPOINT_CHECK(server.has_value());  // the configuration was checked where it was read
  result.server = *server;
  if (const auto proxy = sip::Uri::parse(config.sipOutboundProxy)) result.outboundProxy = *proxy;
  const auto& firstHop = result.outboundProxy.empty() ? result.server : result.outboundProxy;
  if (const std::string transport = firstHop.transport(); !transport.empty()) {
    sip::setParameter(result.contact.parameters, "transport", transport);
  }
  result.optionsInterval = config.sipOptionsInterval;
  result.followRedirects = config.sipFollowRedirects;
  result.domain = config.sipDomain;
  result.tagPrefix = "w" + std::to_string(config.worker) + "x";
  result.timers.ringMax = config.noAnswerMax;
  result.sessionExpires = config.sessionExpires;
  result.minSe = config.minSe;
  result.limits.calls =
      2 * config.callsMax + 64;  // ended calls still exchange their last messages; ours is the limit that counts
  result.limits.registrations = config.sessionsMax;
  return result;
}

}  // namespace

Bridge::Impl::Impl(const Config& config, const Dependencies& dependencies, TimePoint now)
    : config_(config),
      dependencies_(dependencies),
      agent_(sipConfig(config), dependencies.random, now),
      sessions_(config_, dependencies_, agent_, counters_),
      shared_{config_, dependencies_, agent_, demultiplexer_, counters_} {
  for (const auto& socket : config.iceSockets) iceSockets_.push_back(socket.socket);
}

Counters Bridge::Impl::counters() const {
  Counters result = counters_;
  result.sessions = sessions_.size();
  result.calls = live_;
  const auto& refused = agent_.counters();
  result.limitsReached +=
      refused.callsRefusedByLimit + refused.registrationsRefusedByLimit + refused.requestsRefusedByLimit;
  return result;
}

// ---- calls ----

Call* Bridge::Impl::make(TimePoint now, Call::Kind kind, Session& session, std::string name, std::string target) {
  if (live_ >= config_.callsMax || shuttingDown_) {
    ++counters_.limitsReached;
    return nullptr;
  }
  CallSlot slot = static_cast<CallSlot>(calls_.size());
  if (freeSlots_.empty()) {
    calls_.emplace_back();
  } else {
    slot = freeSlots_.back();
    freeSlots_.pop_back();
  }
  ++live_;
  calls_[slot] = std::make_unique<Call>(shared_, slot, kind, session, std::move(name), std::move(target), now);
  touched_.push_back(slot);
  return calls_[slot].get();
}

Call* Bridge::Impl::find(sip::CallId id) {
  const auto found = bySip_.find(id);
  Call* call = found == bySip_.end() ? nullptr : calls_[found->second].get();
  return call != nullptr && call->owns(id) ? call : nullptr;
}
void Bridge::Impl::settle(TimePoint now) {
  settled_ = true;
  for (bool moved = true; moved;) {
    moved = false;
    while (auto session = sessions_.takeEnded()) {
      moved = true;
      roapDeadlines_.remove(session.get());
      if (Call* call = session->call) {
        call->handleSessionGone(now);
        touched_.push_back(call->slot());
      }
    }
    while (auto output = agent_.pollOutput()) {
      moved = true;
      if (auto* outgoing = std::get_if<sip::Outgoing>(&*output))
        outputs_.emplace_back(std::move(*outgoing));
      else
        handle(now, std::get<sip::Event>(*output));
    }
    while (!touched_.empty()) {
      moved = true;
      const CallSlot slot = touched_.back();
      touched_.pop_back();
      if (calls_[slot]) settle(now, *calls_[slot]);
    }
    auto& replies = sessions_.replies();
    while (!replies.empty()) {
      outputs_.emplace_back(std::move(replies.front()));
      replies.pop_front();
    }
  }
}

void Bridge::Impl::settle(TimePoint now, Call& call) {
  if (Session* session = call.session()) drainRoap(now, *session, call.peerName());
  call.promptPage(now);
  for (const auto& id : call.sipCalls()) {
    if (id) bySip_[*id] = call.slot();
  }
  for (const auto& leg : call.takeRetired()) releaseSockets(*leg);
  claimSockets(call);
  if (call.ended())
    remove(now, call);
  else
    callDeadlines_.set(call.slot(), call.nextTimeout());
}

void Bridge::Impl::remove(TimePoint now, Call& call) {
  releaseSockets(call.sipLeg());
  for (const auto& id : call.sipCalls()) {
    if (id) bySip_.erase(*id);
  }
  if (Session* session = call.session(); session != nullptr && session->call == &call) {
    session->call = nullptr;
    session->lastPeer = call.peerName();  // see Session::ByeAhead
    std::ranges::rotate(session->endedCalls, session->endedCalls.end() - 1);
    session->endedCalls.front() = {call.peerName(), session->roap.takeEndedPageId(), now};
  }
  const CallSlot slot = call.slot();
  callDeadlines_.remove(slot);
  calls_[slot].reset();
  freeSlots_.push_back(slot);
  --live_;
}

// ---- time ----

void Bridge::Impl::handleTimeout(TimePoint now) {
  agent_.handleTimeout(now);
  sessions_.handleTimeout(now);
  while (const auto session = roapDeadlines_.take(now)) {
    (*session)->roap.handleTimeout(now);
    drainRoap(now, **session, {});
    if ((*session)->call != nullptr) touched_.push_back((*session)->call->slot());
  }
  while (const auto slot = callDeadlines_.take(now)) {
    if (!calls_[*slot]) continue;
    calls_[*slot]->handleTimeout(now);
    touched_.push_back(*slot);
    if (touched_.size() > 256) settle(now);
  }
  settle(now);
}

// Asked for at every wake-up, and most of them bring nothing but media, which moves no deadline.
std::optional<TimePoint> Bridge::Impl::nextTimeout() {
  if (std::exchange(settled_, false)) {
    next_ = earlier(agent_.nextTimeout(), sessions_.nextTimeout());
    next_ = earlier(next_, earlier(callDeadlines_.next(), roapDeadlines_.next()));
  }
  return next_;
}

std::optional<Output> Bridge::Impl::pollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output next = std::move(outputs_.front());
  outputs_.pop_front();
  return next;
}

void Bridge::Impl::shutdown(TimePoint now) {
  shuttingDown_ = true;
  for (auto& call : calls_) {
    if (!call) continue;
    call->end(now, {call::Cause::HungUp, 503, "The gateway is shutting down"});
    touched_.push_back(call->slot());
  }
  settle(now);
  sessions_.signOutAll(now);
  settle(now);
}

Bridge::Bridge(const Config& config, const Dependencies& dependencies, TimePoint now)
    : impl_(std::make_unique<Impl>(config, dependencies, now)) {}
Bridge::~Bridge() = default;
void Bridge::handlePage(TimePoint now, PageRequest&& request) { impl_->handlePage(now, std::move(request)); }
void Bridge::handlePageClosed(TimePoint now, RequestId request) { impl_->handlePageClosed(now, request); }
void Bridge::handlePageDelivered(TimePoint now, RequestId request) { impl_->handlePageDelivered(now, request); }
void Bridge::handleSip(TimePoint now, sip::Incoming&& incoming) { impl_->handleSip(now, std::move(incoming)); }
void Bridge::handleDatagrams(TimePoint now, std::span<Datagram> batch) { impl_->handleDatagrams(now, batch); }
void Bridge::handleTimeout(TimePoint now) { impl_->handleTimeout(now); }
std::optional<TimePoint> Bridge::nextTimeout() const { return impl_->nextTimeout(); }
std::optional<Output> Bridge::pollOutput() { return impl_->pollOutput(); }
void Bridge::shutdown(TimePoint now) { impl_->shutdown(now); }
bool Bridge::idle() const { return impl_->idle(); }
Counters Bridge::counters() const { return impl_->counters(); }

}  // namespace crosspoint::bridge
