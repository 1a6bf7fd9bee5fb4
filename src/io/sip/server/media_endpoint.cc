#include "io/sip/server/media_endpoint.h"

#include <map>

#include "base/check.h"
#include "core/sip/user_agent.h"
#include "io/loop/clock.h"
#include "io/loop/system_random.h"
#include "io/sip/server/media_call.h"
#include "io/sip/sip_transport.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kSpareCalls = 32;  // that the user agent may hold beyond ours: refused or just ended ones

}  // namespace

struct MediaEndpoint::Impl {
  struct Call {
    std::unique_ptr<MediaCall> media;
    TimerQueue::Id end = TimerQueue::Id::None;
  };

  SipThread& thread;
  const MediaEndpoint::Config config;
  SipTransport transport;
  bool running = false;

  // Of the SIP thread, in the order of construction.
  loop::SystemRandom random;
  std::unique_ptr<TimerQueue> timers;
  std::unique_ptr<UserAgent> agent;
  std::map<CallId, Call> calls;
  std::uint64_t packets = 0;
  TimerQueue::Id agentTimer = TimerQueue::Id::None;

  Impl(SipThread& sipThread, MediaEndpoint::Config settings)
      : thread(sipThread),
        config(std::move(settings)),
        transport(
            sipThread, {.bindAddress = config.bindAddress}, [](const Request&) { return 0U; },
            [this](unsigned, Incoming&& message) { handle(std::move(message)); }) {}

  void open();
  void close();
  void handle(Incoming&& message);
  void drain();
  void handleEvent(Event&& event);
  void accept(const IncomingCall& incoming);
  void answerOffer(const OfferReceived& offer);
};

void MediaEndpoint::Impl::open() {
  sip::Config settings;
  settings.contact.host = transport.boundAddress().ip.toString();
  if (transport.boundAddress().ip.isV6()) settings.contact.host = "[" + settings.contact.host + "]";
  settings.contact.port = transport.boundAddress().port;
  settings.server = settings.contact;  // it makes no calls
  settings.limits.calls = config.callsMax + kSpareCalls;
  timers = std::make_unique<TimerQueue>(thread.root());
  agent = std::make_unique<UserAgent>(settings, random, loop::monotonicNow());
}

void MediaEndpoint::Impl::close() {
  calls.clear();
  agent.reset();
  timers.reset();
}

void MediaEndpoint::Impl::handle(Incoming&& message) {
  if (!agent) return;
  agent->handle(loop::monotonicNow(), std::move(message));
  drain();
}

void MediaEndpoint::Impl::drain() {
  while (auto output = agent->pollOutput()) {
    if (auto* event = std::get_if<Event>(&*output)) {
      handleEvent(std::move(*event));
    } else {
      transport.send(0, std::move(std::get<Outgoing>(*output)));
    }
  }
  timers->cancel(agentTimer);
  if (const auto due = agent->nextTimeout()) {
    agentTimer = timers->after(std::max(*due - loop::monotonicNow(), Duration::zero()), [this] {
      agentTimer = TimerQueue::Id::None;
      agent->handleTimeout(loop::monotonicNow());
      drain();
    });
  }
}

void MediaEndpoint::Impl::handleEvent(Event&& event) {
  if (const auto* incoming = std::get_if<IncomingCall>(&event)) return accept(*incoming);
  if (const auto* offer = std::get_if<OfferReceived>(&event)) return answerOffer(*offer);
  if (const auto* confirmed = std::get_if<Confirmed>(&event)) {
    const auto found = calls.find(confirmed->call);
    if (found != calls.end() && confirmed->sdp) found->second.media->setAnswer(*confirmed->sdp);
  } else if (const auto* answered = std::get_if<OfferAnswered>(&event)) {
    const auto found = calls.find(answered->call);
    if (found != calls.end()) found->second.media->setAnswer(answered->sdp);
  } else if (const auto* ended = std::get_if<Ended>(&event)) {
    const auto found = calls.find(ended->call);
    if (found == calls.end()) return;
    timers->cancel(found->second.end);
    calls.erase(found);
  }
}

void MediaEndpoint::Impl::accept(const IncomingCall& incoming) {
  const TimePoint now = loop::monotonicNow();
  const bool music = !config.musicUser.empty() && incoming.toUser == config.musicUser;
  if (!music && (config.echoUser.empty() || incoming.toUser != config.echoUser)) {
    agent->reject(now, incoming.call, 404);
    return;
  }
  if (calls.size() >= config.callsMax) {
    agent->reject(now, incoming.call, 486);
    return;
  }
  Call call;
  call.media = std::make_unique<MediaCall>(music ? MediaCall::Kind::Music : MediaCall::Kind::Echo, thread.root(),
                                           *timers, random, transport.boundAddress().ip, packets);
  const auto sdp = incoming.sdp ? call.media->answer(*incoming.sdp) : call.media->offer();
  if (!sdp) {
    agent->reject(now, incoming.call, 488);
    return;
  }
  if (!agent->accept(now, incoming.call, *sdp)) return;
  call.end = timers->after(config.callMax, [this, id = incoming.call] {
    agent->hangUp(loop::monotonicNow(), id);
    drain();
  });
  calls.emplace(incoming.call, std::move(call));
}

void MediaEndpoint::Impl::answerOffer(const OfferReceived& offer) {
  const TimePoint now = loop::monotonicNow();
  const auto found = calls.find(offer.call);
  if (found == calls.end()) return;
  MediaCall& media = *found->second.media;
  const auto sdp = offer.sdp ? media.answer(*offer.sdp) : media.offer();
  if (sdp) {
    agent->answerOffer(now, offer.call, *sdp);
  } else {
    agent->rejectOffer(now, offer.call, 488);
  }
}

MediaEndpoint::MediaEndpoint(SipThread& thread, Config config)
    : impl_(std::make_unique<Impl>(thread, std::move(config))) {}

MediaEndpoint::~MediaEndpoint() { stop(); }

std::expected<void, std::string> MediaEndpoint::start() {
  if (auto started = impl_->transport.start(); !started) return started;
  impl_->running = impl_->thread.call([this] { impl_->open(); });
  return {};
}

void MediaEndpoint::stop() {
  if (!impl_->running) return;
  impl_->running = false;
  impl_->transport.stop();
  const bool closed = impl_->thread.call([this] { impl_->close(); });
  CROSSPOINT_CHECK(closed);  // the thread was stopped first
}

std::string MediaEndpoint::uriOf(const std::string& user) const {
  return "sip:" + escapeUser(user) + "@" + impl_->transport.boundAddress().toString();
}

std::size_t MediaEndpoint::calls() const { return impl_->calls.size(); }

std::uint64_t MediaEndpoint::packets() const { return impl_->packets; }

}  // namespace crosspoint::sip
