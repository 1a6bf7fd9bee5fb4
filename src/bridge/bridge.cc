#include "bridge/bridge.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "base/check.h"
#include "bridge/call.h"
#include "bridge/deadlines.h"
#include "bridge/sessions.h"
#include "bridge/statistics.h"
#include "core/roap/message.h"
#include "core/rtp/classify.h"
#include "core/sip/user_agent.h"
#include "peer/demultiplexer.h"

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

bool hasControlCharacter(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// For this long a BYE that has come ahead of its OFFER is remembered: both were posted at the same time.
constexpr Duration kByeAheadMax = std::chrono::seconds(2);

// A peer's name goes into a header and, unencoded, into a query (`spec/signalling.md` §1).
std::string peerName(std::string_view user) {
  std::string name;
  for (const char c : user.substr(0, Sessions::kUserBytesMax)) {
    const bool plain = static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f && c != ',' &&
                       c != '&' && c != '#';
    name += plain ? c : '_';
  }
  return name.empty() ? "anonymous" : name;
}

}  // namespace

class Bridge::Impl {
 public:
  Impl(const Config& config, const Dependencies& dependencies, TimePoint now)
      : config_(config),
        dependencies_(dependencies),
        agent_(sipConfig(config), dependencies.random, now),
        sessions_(config_, dependencies_, agent_, counters_),
        shared_{config_, dependencies_, agent_, demultiplexer_, counters_} {
    for (const auto& socket : config.iceSockets) iceSockets_.push_back(socket.socket);
  }

  void handlePage(TimePoint now, PageRequest&& request) {
    std::visit(
        [&](auto& what) {
          using What = std::decay_t<decltype(what)>;
          if constexpr (std::is_same_v<What, PageMessage> || std::is_same_v<What, SocketMessage>)
            handleMessage(now, what);
          else
            sessions_.handle(now, std::move(what));
        },
        request);
    settle(now);
  }
  void handlePageClosed(TimePoint now, RequestId request) {
    sessions_.handleClosed(now, request);
    settle(now);
  }
  void handlePageDelivered(TimePoint now, RequestId request) {
    sessions_.handleDelivered(now, request);
    settle(now);
  }
  void handleSip(TimePoint now, sip::Incoming&& incoming) {
    agent_.handle(now, std::move(incoming));
    settle(now);
  }
  void handleDatagrams(TimePoint now, std::span<Datagram> batch);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout();
  std::optional<Output> pollOutput();
  void shutdown(TimePoint now);
  bool idle() const {
    return sessions_.size() == 0 && live_ == 0 && agent_.callCount() == 0 && agent_.registrationCount() == 0;
  }

  Counters counters() const {
    Counters result = counters_;
    result.sessions = sessions_.size();
    result.calls = live_;
    const auto& refused = agent_.counters();
    result.limitsReached +=
        refused.callsRefusedByLimit + refused.registrationsRefusedByLimit + refused.requestsRefusedByLimit;
    return result;
  }

 private:
  struct SipSocket {  // which call an RTP or RTCP port belongs to
    CallSlot slot = 0;
    std::uint8_t stream = 0;
    bool used = false;
  };

  void handleMessage(TimePoint now, PageMessage&);
  void handleMessage(TimePoint now, SocketMessage&);
  void take(TimePoint now, Session&, const std::string& to, const std::string& body);
  void handleBody(TimePoint now, Session&, const std::string& to, roap::PageBody&);
  void handleBye(TimePoint now, Session&, const std::string& to);
  void startCall(TimePoint now, Session&, const std::string& to, const roap::Session::OfferReceived&);
  static bool isOfEndedCall(const Session&, const std::string& to, const roap::Session::OfferReceived&);
  void refuseCall(TimePoint now, Session&, roap::ErrorType, std::uint16_t sipStatus, std::string reason);
  void handleOffer(TimePoint now, Session&, const std::string& to, const roap::Session::OfferReceived&);
  void drainRoap(TimePoint now, Session&, const std::string& to);
  void handle(TimePoint now, const sip::Event&);
  void handleIncomingCall(TimePoint now, const sip::IncomingCall&);
  void handleReplacement(TimePoint now, const sip::IncomingCall&);
  void handleReachable(TimePoint now, const sip::ServerReachable&);
  Call* make(TimePoint now, Call::Kind, Session&, std::string peerName, std::string target = {});
  Call* find(sip::CallId);
  // Takes up what the last input has led to, everywhere, until nothing moves any more.
  void settle(TimePoint now);
  void settle(TimePoint now, Call&);
  void claimSockets(const Call&);
  void releaseSockets(const SipLeg&);
  void remove(Call&);
  bool isIceSocket(SocketId socket) const { return std::ranges::find(iceSockets_, socket) != iceSockets_.end(); }

  const Config config_;
  const Dependencies dependencies_;
  Counters counters_;
  sip::UserAgent agent_;
  peer::Demultiplexer demultiplexer_;
  Sessions sessions_;
  Call::Shared shared_;
  std::vector<SocketId> iceSockets_;
  std::vector<std::unique_ptr<Call>> calls_;  // by slot
  std::vector<CallSlot> freeSlots_;
  std::size_t live_ = 0;
  std::unordered_map<sip::CallId, CallSlot> bySip_;
  std::vector<SipSocket> sipSockets_;  // by SocketId
  Deadlines<CallSlot> callDeadlines_;
  Deadlines<Session*> roapDeadlines_;
  std::optional<TimePoint> next_;  // of all deadlines
  bool settled_ = true;            // since `next_` was drawn
  std::vector<CallSlot> touched_;  // calls that something happened to since the last settle()
  std::deque<Output> outputs_;
  bool shuttingDown_ = false;
};

// ---- the page's messages ----

void Bridge::Impl::handleMessage(TimePoint now, PageMessage& message) {
  auto reply = [&](int status, std::string body) {
    sessions_.replies().push_back({.request = message.request, .status = status, .body = std::move(body)});
  };
  Session* session = sessions_.find(message.ssid);
  if (session == nullptr ||
      !session->signedIn) {  // it may have gone a moment ago: dropped, and no reason to send it again
    reply(200, "There is no such session");
    return;
  }
  sessions_.seen(now, *session);
  reply(200, "");
  if (!message.number || session->taken.take(*message.number)) take(now, *session, message.to, message.body);
}

void Bridge::Impl::handleMessage(TimePoint now, SocketMessage& message) {
  Session* session = sessions_.findSocket(message.socket);
  if (session == nullptr) return;
  sessions_.seen(now, *session);
  if (message.acknowledged) session->queue.handleAcknowledged(*message.acknowledged);
  if (!message.number) return;
  sessions_.replies().push_back({.request = message.socket, .form = PageReply::Form::Frame, .taken = message.number});
  if (session->taken.take(*message.number)) take(now, *session, message.to, message.body);
}

void Bridge::Impl::take(TimePoint now, Session& session, const std::string& to, const std::string& text) {
  auto body = roap::parsePageBody(text);
  if (body) return handleBody(now, session, to == session.ssid ? "self" : to, *body);
  ++counters_.badMessages;
  roap::Message error{.type = roap::MessageType::Error};
  error.errorType = roap::ErrorType::Failed;
  error.sipStatus = 400;
  error.reason = body.error().message;
  session.tell(roap::toPage(error), session.call != nullptr ? session.call->peerName() : "gateway");
}

void Bridge::Impl::handleBody(TimePoint now, Session& session, const std::string& to, roap::PageBody& body) {
  Call* call = session.call;
  if (auto* message = std::get_if<roap::Message>(&body)) {
    session.roap.handleMessage(now, *message);
    drainRoap(now, session, to);
  } else if (std::holds_alternative<roap::Bye>(body)) {
    handleBye(now, session, to);
  } else if (const auto* transfer = std::get_if<roap::Transfer>(&body)) {
    if (call != nullptr)
      call->transferByPage(now, *transfer);
    else
      session.tell(progressMessage("transfer-failed", 481, "There is no call to transfer"), "gateway");
  } else if (call == nullptr) {
    return;
  } else if (auto* mapped = std::get_if<roap::InfoMap>(&body)) {
    call->sendInfo(now, "application/x-www-form-urlencoded", std::move(mapped->content));
  } else if (auto* peer = std::get_if<roap::InfoPeer>(&body)) {
    call->sendInfo(now, "application/octet-stream", std::move(peer->content));
  } else if (std::holds_alternative<roap::GetStats>(body)) {
    session.tell("PUT-STATS " + statisticsJson(now, config_.wallClock, *call), call->peerName(),
                 PageQueue::Kind::Chatter);
  }
  if (session.call != nullptr) touched_.push_back(session.call->slot());
}

void Bridge::Impl::handleBye(TimePoint now, Session& session, const std::string& to) {
  Call* call = session.call;
  const bool named = !to.empty() && to != "null" && to != "self";
  if (call != nullptr && (!named || call->isWith(to))) {
    call->hangUpByPage(now);
  } else if (named && to != session.lastPeer) {
    session.byeAhead = Session::ByeAhead{to, now};
  }
}

void Bridge::Impl::handleOffer(TimePoint now, Session& session, const std::string& to,
                               const roap::Session::OfferReceived& offer) {
  if (session.call != nullptr && !session.call->takesOfferTo(to)) {
    touched_.push_back(session.call->slot());
    session.call->handleReplaced(now);
  }
  if (session.call == nullptr)
    startCall(now, session, to, offer);
  else
    session.call->handlePageOffer(now, offer.content);
}

// An OFFER that crosses our BYE changes a call that has ended; the page will read the BYE in a moment.
bool Bridge::Impl::isOfEndedCall(const Session& session, const std::string& to,
                                 const roap::Session::OfferReceived& offer) {
  return !session.lastPeer.empty() && to == session.lastPeer && (offer.seq > 1 || session.queue.awaits("BYE"));
}

void Bridge::Impl::startCall(TimePoint now, Session& session, const std::string& to,
                             const roap::Session::OfferReceived& offer) {
  const auto cancelled = std::exchange(session.byeAhead, std::nullopt);
  const bool byeWasQuicker = cancelled && cancelled->to == to && now - cancelled->at <= kByeAheadMax;
  if (byeWasQuicker || isOfEndedCall(session, to, offer)) {
    session.roap.endCall(now);
    return;
  }
  session.queue.forgetUnread();  // of the call before: its BYE would end this one at the page
  const bool self = to == "self";
  if (to.empty() || to == "null" || to.size() > Sessions::kUserBytesMax || hasControlCharacter(to)) {
    return refuseCall(now, session, roap::ErrorType::NoMatch, 404, "There is nobody of that name to call");
  }
  Call* call = make(now, self ? Call::Kind::PageToSelf : Call::Kind::PageToSip, session, peerName(to), to);
  if (call == nullptr) {
    return refuseCall(now, session, roap::ErrorType::Failed, 503, "The gateway carries as many calls as it can");
  }
  call->handlePageOffer(now, offer.content);
}

void Bridge::Impl::refuseCall(TimePoint now, Session& session, roap::ErrorType error, std::uint16_t sipStatus,
                              std::string reason) {
  session.roap.refuse(now, error, sipStatus, std::move(reason));
  session.tell("BYE", "gateway");
}

void Bridge::Impl::drainRoap(TimePoint now, Session& session, const std::string& to) {
  while (auto output = session.roap.pollOutput()) {
    Call* call = session.call;
    if (auto* send = std::get_if<roap::Session::Send>(&*output)) {
      session.tell(roap::toPage(send->message), call != nullptr ? call->peerName() : "gateway");
    } else if (auto* offer = std::get_if<roap::Session::OfferReceived>(&*output)) {
      handleOffer(now, session, to, *offer);
    } else if (call == nullptr) {
      continue;
    } else if (auto* answer = std::get_if<roap::Session::AnswerReceived>(&*output)) {
      if (answer->moreComing)
        call->handlePageProvisionalAnswer(now, answer->content);
      else
        call->handlePageAnswer(now, answer->content);
    } else if (const auto* failed = std::get_if<roap::Session::OfferFailed>(&*output)) {
      call->handlePageOfferFailed(now, failed->error);
    } else if (std::holds_alternative<roap::Session::OfferPossible>(*output)) {
      call->handleOfferPossible(now);
    } else if (std::holds_alternative<roap::Session::ShutdownReceived>(*output)) {
      call->hangUpByPage(now);
    }
  }
  roapDeadlines_.set(&session, session.roap.nextTimeout());
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

void Bridge::Impl::handleIncomingCall(TimePoint now, const sip::IncomingCall& incoming) {
  if (incoming.replaces) return handleReplacement(now, incoming);
  Session* session = sessions_.findUser(incoming.toUser);
  if (session == nullptr) {
    static_cast<void>(agent_.reject(now, incoming.call, 404));
    return;
  }
  if (session->call != nullptr && !session->call->ended()) {  // one call for each session (`spec/signalling.md` §4)
    static_cast<void>(agent_.reject(now, incoming.call, 486));
    return;
  }
  const auto kind = incoming.sdp ? Call::Kind::SipToPage : Call::Kind::SipToPageWithoutOffer;
  Call* call = make(now, kind, *session, peerName(incoming.fromUser));
  if (call == nullptr) {
    static_cast<void>(agent_.reject(now, incoming.call, 503));
    return;
  }
  bySip_[incoming.call] = call->slot();
  call->startFromSip(now, incoming);
}

// A call of ours moves to another far end (RFC 3891), whoever the request is addressed to.
void Bridge::Impl::handleReplacement(TimePoint now, const sip::IncomingCall& incoming) {
  Call* call = find(*incoming.replaces);
  if (call == nullptr) {
    static_cast<void>(agent_.reject(now, incoming.call, 481));
    return;
  }
  bySip_[incoming.call] = call->slot();
  call->handleReplacement(now, incoming);
  touched_.push_back(call->slot());
}

void Bridge::Impl::handle(TimePoint now, const sip::Event& event) {
  std::visit(
      [&](const auto& what) {
        using Event = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<Event, sip::IncomingCall>) {
          handleIncomingCall(now, what);
        } else if constexpr (std::is_same_v<Event, sip::RegistrationSucceeded> ||
                             std::is_same_v<Event, sip::RegistrationFailed> ||
                             std::is_same_v<Event, sip::RegistrationLost>) {
          sessions_.handle(now, what);
        } else if constexpr (std::is_same_v<Event, sip::ServerReachable>) {
          handleReachable(now, what);
        } else if constexpr (requires { what.call; }) {
          if (Call* call = find(what.call)) {
            call->handle(now, what.call, event);
            touched_.push_back(call->slot());
          }
          if constexpr (std::is_same_v<Event, sip::Ended>) bySip_.erase(what.call);
        }
      },
      event);
}

void Bridge::Impl::handleReachable(TimePoint, const sip::ServerReachable& event) {
  counters_.sipServerUnreachable = event.reachable ? 0 : 1;
  sessions_.setServerReachable(event.reachable);
  dependencies_.log.write(event.reachable ? LogLevel::Info : LogLevel::Error, "sip-server",
                          event.reachable ? "it answers again: registrations are renewed"
                                          : "it cannot be reached (" + std::to_string(event.status) +
                                                "): sign-ins are refused until it answers");
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
    remove(call);
  else
    callDeadlines_.set(call.slot(), call.nextTimeout());
}

void Bridge::Impl::claimSockets(const Call& call) {
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    const auto& ports = call.ports(stream);
    if (!ports) continue;
    for (const SocketId socket : {ports->rtp, ports->rtcp}) {
      const auto index = static_cast<std::size_t>(socket);
      if (index >= sipSockets_.size()) sipSockets_.resize(index + 1);
      sipSockets_[index] = {call.slot(), static_cast<std::uint8_t>(stream), true};
    }
  }
}

void Bridge::Impl::releaseSockets(const SipLeg& leg) {
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    const auto& ports = leg.ports(stream);
    if (!ports) continue;
    for (const SocketId socket : {ports->rtp, ports->rtcp}) {
      const auto index = static_cast<std::size_t>(socket);
      if (index < sipSockets_.size()) sipSockets_[index] = {};
    }
  }
}

void Bridge::Impl::remove(Call& call) {
  releaseSockets(call.sipLeg());
  for (const auto& id : call.sipCalls()) {
    if (id) bySip_.erase(*id);
  }
  if (Session* session = call.session(); session != nullptr && session->call == &call) {
    session->call = nullptr;
    session->lastPeer = call.peerName();  // see Session::ByeAhead
  }
  const CallSlot slot = call.slot();
  callDeadlines_.remove(slot);
  calls_[slot].reset();
  freeSlots_.push_back(slot);
  --live_;
}

// ---- media ----

void Bridge::Impl::handleDatagrams(TimePoint now, std::span<Datagram> batch) {
  for (Datagram& datagram : batch) {
    const auto index = static_cast<std::size_t>(datagram.socket);
    if (index < sipSockets_.size() && sipSockets_[index].used) {
      const SipSocket& owner = sipSockets_[index];
      calls_[owner.slot]->handleSipDatagram(now, owner.stream, datagram);
      continue;
    }
    const auto handle = isIceSocket(datagram.socket) ? demultiplexer_.find(datagram) : std::nullopt;
    if (!handle || !calls_[*handle]) {
      ++counters_.packetsDropped;
      continue;
    }
    const bool media = rtp::classify(datagram.bytes()) >= rtp::PacketClass::Rtp;
    calls_[*handle]->handleBrowserDatagram(now, datagram);
    if (!media) touched_.push_back(*handle);
  }
  if (!touched_.empty()) settle(now);
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
