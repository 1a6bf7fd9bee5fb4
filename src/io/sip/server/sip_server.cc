#include "io/sip/server/sip_server.h"

#include <optional>

#include "base/check.h"
#include "io/loop/clock.h"
#include "io/loop/system_random.h"
#include "io/sip/agent.h"
#include "io/sip/connections.h"
#include "io/sip/server/digest.h"
#include "io/sip/server/media_endpoint.h"
#include "io/sip/server/proxy.h"
#include "io/sip/server/registrar.h"
#include "io/sip/server/router.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kSecretLength = 32;
constexpr std::chrono::seconds kSweepInterval{10};  // expired registrations are forgotten this often
constexpr std::size_t kMessageBytesMax = 128 * 1024;

}  // namespace

struct SipServer::Impl {
  SipThread& thread;
  const Config config;
  bool running = false;
  SocketAddress bound;
  MediaEndpoint media;

  // Of the SIP thread, in the order of construction.
  std::unique_ptr<TimerQueue> timers;
  AgentPointer agent;
  std::unique_ptr<Connections> connections;
  std::unique_ptr<Registrar> registrar;
  std::unique_ptr<DigestPolicy> policy;
  std::unique_ptr<Proxy> proxy;
  std::unique_ptr<Router> router;

  Impl(SipThread& sipThread, Config settings)
      : thread(sipThread),
        config(std::move(settings)),
        media(thread, {.bindAddress = config.bindAddress,
                       .echoUser = config.echoUser,
                       .musicUser = config.musicUser,
                       .callsMax = config.mediaCallsMax,
                       .callMax = config.mediaCallMax}) {}

  std::expected<void, std::string> open();
  void close();
  std::map<std::string, std::string> fixedUsers() const;
  void sweep();
  void readStats(Stats& stats);
  static int handleMessage(void* self, nta_agent_t*, msg_t* message, sip_t*);
};

std::expected<void, std::string> SipServer::Impl::open() {
  const AgentConfig settings{.bindAddress = config.bindAddress,
                             .publicAddress = {},
                             .port = config.port,
                             .udp = config.udp,
                             .tcp = config.tcp,
                             .userAgent = false,
                             .t1 = config.t1,
                             .t2 = config.t2,
                             .t4 = config.t4,
                             .messageBytesMax = kMessageBytesMax};
  auto created = createAgent(thread.root(), settings, &Impl::handleMessage, this);
  if (!created) return std::unexpected(created.error());
  agent = std::move(*created);
  bound = sip::boundAddress(agent.get());

  loop::SystemRandom random;
  timers = std::make_unique<TimerQueue>(thread.root());
  connections = std::make_unique<Connections>(
      *timers, Connections::Config{.listening = {{*IpAddress::parse(config.bindAddress), bound.port}}});
  registrar = std::make_unique<Registrar>(Registrar::Config{.expiresDefault = config.expiresDefault,
                                                            .expiresMin = config.expiresMin,
                                                            .expiresMax = config.expiresMax,
                                                            .usersMax = config.usersMax,
                                                            .contactsPerUserMax = config.contactsPerUserMax});
  policy = std::make_unique<DigestPolicy>(
      DigestPolicy::Config{
          .realm = config.realm, .sharedPassword = config.sharedPassword, .passwords = config.passwords},
      random.alphanumeric(kSecretLength));
  proxy = std::make_unique<Proxy>(agent.get(), *timers,
                                  Proxy::Config{.transactionsMax = config.transactionsMax,
                                                .t1 = config.t1,
                                                .timerC = config.timerC,
                                                .self = bound,
                                                .secret = random.alphanumeric(kSecretLength)});
  router = std::make_unique<Router>(
      agent.get(), *registrar, *policy, *proxy,
      Router::Config{.self = bound,
                     .others = ownAddresses(agent.get()),
                     .everyAddress = config.bindAddress == "0.0.0.0" || config.bindAddress == "::",
                     .domains = config.domains,
                     .challengeCalls = config.challengeCalls,
                     .fixedUsers = fixedUsers()});
  sweep();
  return {};
}

std::map<std::string, std::string> SipServer::Impl::fixedUsers() const {
  std::map<std::string, std::string> users;
  for (const auto& user : {config.echoUser, config.musicUser}) {
    if (!user.empty()) users.emplace(user, media.uriOf(user));
  }
  return users;
}

void SipServer::Impl::sweep() {
  registrar->expire(loop::monotonicNow());
  timers->after(kSweepInterval, [this] { sweep(); });
}

void SipServer::Impl::close() {
  router.reset();
  proxy.reset();
  policy.reset();
  registrar.reset();
  connections.reset();
  timers.reset();
  agent.reset();
}

int SipServer::Impl::handleMessage(void* self, nta_agent_t*, msg_t* message, sip_t*) {
  MessagePointer owned(message);
  auto& impl = *static_cast<Impl*>(self);
  if (impl.router) impl.router->handle(std::move(owned));
  return 0;
}

void SipServer::Impl::readStats(Stats& stats) {
  if (!agent) return;
  registrar->expire(loop::monotonicNow());
  stats.requests = router->counters().requests;
  stats.malformed = countersOf(agent.get()).malformed + router->counters().malformed;
  stats.refused = router->counters().refused;
  stats.unauthorized = router->counters().unauthorized;
  stats.registeredUsers = registrar->registeredUsers();
  stats.contacts = registrar->contacts();
  stats.transactions = proxy->size();
  stats.mediaCalls = media.calls();
  stats.mediaPackets = media.packets();
}

SipServer::SipServer(SipThread& thread, Config config) : impl_(std::make_unique<Impl>(thread, std::move(config))) {}

SipServer::~SipServer() { stop(); }

std::expected<void, std::string> SipServer::start() {
  if (impl_->running) return {};
  std::expected<void, std::string> result = std::unexpected("the SIP thread does not run");
  if (auto media = impl_->media.start(); !media) return media;
  impl_->thread.call([&] { result = impl_->open(); });
  if (!result) impl_->media.stop();
  impl_->running = result.has_value();
  return result;
}

void SipServer::stop() {
  if (!impl_->running) return;
  const bool closed = impl_->thread.call([this] { impl_->close(); });
  CROSSPOINT_CHECK(closed);  // the thread was stopped first
  impl_->media.stop();
  impl_->running = false;
}

SocketAddress SipServer::boundAddress() const { return impl_->bound; }

SipServer::Stats SipServer::stats() const {
  Stats stats;
  if (impl_->running) impl_->thread.call([&] { impl_->readStats(stats); });
  return stats;
}

}  // namespace crosspoint::sip
