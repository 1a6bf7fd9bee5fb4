#include "io/sip/sip_transport.h"

#include <algorithm>

#include "base/check.h"
#include "io/loop/mailbox.h"
#include "io/sip/agent.h"
#include "io/sip/client_side.h"
#include "io/sip/connections.h"
#include "io/sip/locator.h"
#include "io/sip/server_side.h"
#include "io/sip/sofia.h"
#include "io/sip/sofia_log.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

struct SipTransport::Impl {
  struct Posted {
    unsigned worker;
    Outgoing message;
  };

  SipThread& thread;
  const Config config;
  const Route route;
  const Deliver deliver;
  loop::Mailbox<Posted> mailbox;
  std::vector<Posted> batch;
  std::atomic<bool> running{false};
  SocketAddress bound, boundTls;

  // Of the SIP thread. The order is that of construction: each needs the ones before it.
  std::unique_ptr<TimerQueue> timers;
  AgentPointer agent;
  std::unique_ptr<Connections> connections;
  std::unique_ptr<Locator> locator;
  std::unique_ptr<ClientSide> clients;
  std::unique_ptr<ServerSide> servers;
  int wakeUpIndex = -1;

  Impl(SipThread& sipThread, Config settings, Route chooser, Deliver receiver)
      : thread(sipThread),
        config(std::move(settings)),
        route(std::move(chooser)),
        deliver(std::move(receiver)),
        mailbox(config.mailboxMax) {}

  std::expected<void, std::string> open();
  void close();
  void takeMailbox();
  void dispatch(unsigned worker, Outgoing&& message);
  void readStats(Stats& stats) const;
  AgentConfig agentConfig() const;
  Locator::Config locatorConfig() const;
  void makeSides();
  bool mayStartADialog(const IpAddress& source) const;
  static int handleMessage(void* self, nta_agent_t*, msg_t* message, sip_t* sip);
  static int woken(void*, su_wait_t*, void* self) {
    static_cast<Impl*>(self)->takeMailbox();
    return 0;
  }
};

AgentConfig SipTransport::Impl::agentConfig() const {
  return {.bindAddress = config.bindAddress,
          .publicAddress = config.publicAddress,
          .port = config.port,
          .udp = config.udp,
          .tcp = config.tcp,
          .userAgent = true,
          .t1 = config.t1,
          .t2 = config.t2,
          .t4 = config.t4,
          .messageBytesMax = config.messageBytesMax,
          .udpBytesMax = config.udpBytesMax,
          .idle = config.connectionIdleMax,
          .keepAlive = config.keepAlive,
          .tls = config.tls,
          .tlsPort = config.tlsPort};
}

Locator::Config SipTransport::Impl::locatorConfig() const {
  Locator::Config settings{.names = config.resolvableHosts,
                           .dnsServers = config.dnsServers,
                           .udp = config.udp,
                           .v6 = bound.ip.isV6(),
                           .avoidFor = config.hopAvoided};
  if (!config.server) return settings;
  settings.names.push_back(config.server->host);
  const auto ip = IpAddress::parse(config.server->host);
  if (ip && !config.certificateName.empty()) settings.certificateName = {*ip, config.certificateName};
  return settings;
}

bool SipTransport::Impl::mayStartADialog(const IpAddress& source) const {
  if (config.acceptAll) return true;
  if (!config.acceptFrom.empty()) {
    return std::ranges::any_of(config.acceptFrom, [&](const auto& range) { return range.contains(source); });
  }
  return std::ranges::find(config.alsoFrom, source) != config.alsoFrom.end() || locator->isLocated(source);
}

void SipTransport::Impl::makeSides() {
  clients = std::make_unique<ClientSide>(agent.get(), *timers, *locator,
                                         ClientSide::Config{.userAgent = config.userAgent,
                                                            .server = config.server,
                                                            .transactionsMax = config.clientTransactionsMax,
                                                            .t1 = config.t1,
                                                            .inviteMax = config.inviteMax,
                                                            .hopTimeout = config.hopTimeout},
                                         &recentComplaint, deliver);
  servers = std::make_unique<ServerSide>(
      agent.get(), *timers,
      ServerSide::Config{.userAgent = config.userAgent,
                         .transactionsMax = config.serverTransactionsMax,
                         .workers = config.workers,
                         .t1 = config.t1,
                         .inviteMax = config.inviteMax},
      [this](const IpAddress& source) { return mayStartADialog(source); }, route, deliver);
}

std::expected<void, std::string> SipTransport::Impl::open() {
  auto created = createAgent(thread.root(), agentConfig(), &Impl::handleMessage, this);
  if (!created) return std::unexpected(created.error());
  agent = std::move(*created);
  bound = sip::boundAddress(agent.get());
  boundTls = sip::tlsAddress(agent.get());
  timers = std::make_unique<TimerQueue>(thread.root());
  std::vector<SocketAddress> listening{{*IpAddress::parse(config.bindAddress), bound.port}};
  if (boundTls.port != 0) listening.push_back({listening.front().ip, boundTls.port});
  connections = std::make_unique<Connections>(
      *timers,
      Connections::Config{.listening = listening, .max = config.connectionsMax, .interval = config.connectionsLook});
  locator = std::make_unique<Locator>(thread.root(), *timers, locatorConfig());
  makeSides();
  if (config.server) locator->keep(*config.server);
  su_wait_t wait[1] = {};
  if (su_wait_create(wait, mailbox.fd(), SU_WAIT_IN) == 0) {
    wakeUpIndex = su_root_register(thread.root(), wait, &Impl::woken, this, 0);
  }
  if (wakeUpIndex < 0) {
    close();
    return std::unexpected("no file descriptor left");
  }
  return {};
}

void SipTransport::Impl::close() {
  if (wakeUpIndex >= 0) su_root_deregister(thread.root(), wakeUpIndex);
  wakeUpIndex = -1;
  servers.reset();
  clients.reset();
  locator.reset();
  connections.reset();
  timers.reset();
  agent.reset();
}

void SipTransport::Impl::takeMailbox() {
  if (!mailbox.take(batch)) return;
  for (Posted& posted : batch) dispatch(posted.worker, std::move(posted.message));
  batch.clear();
}

void SipTransport::Impl::dispatch(unsigned worker, Outgoing&& message) {
  if (auto* request = std::get_if<SendRequest>(&message)) {
    clients->send(worker, std::move(*request));
  } else if (const auto* ack = std::get_if<SendAck>(&message)) {
    clients->send(*ack);
  } else if (const auto* cancel = std::get_if<CancelRequest>(&message)) {
    clients->cancel(worker, *cancel);
  } else if (const auto* response = std::get_if<SendResponse>(&message)) {
    servers->send(worker, *response);
  }
}

int SipTransport::Impl::handleMessage(void* self, nta_agent_t*, msg_t* message, sip_t* sip) {
  auto& impl = *static_cast<Impl*>(self);
  if (sip && sip->sip_request && impl.servers) {
    impl.servers->handleRequest(message, sip);
    return 0;
  }
  if (sip && sip->sip_status && impl.clients) impl.clients->handleStray(sip);
  msg_destroy(message);
  return 0;
}

void SipTransport::Impl::readStats(Stats& stats) const {
  if (!agent) return;
  const AgentCounters counters = countersOf(agent.get());
  stats.requestsReceived = counters.requestsReceived;
  stats.responsesReceived = counters.responsesReceived;
  stats.requestsSent = counters.requestsSent;
  stats.responsesSent = counters.responsesSent;
  stats.malformed = counters.malformed + servers->counters().malformed;
  stats.refused = servers->counters().refused;
  stats.strangers = servers->counters().strangers;
  stats.failovers = clients->counters().failovers;
  stats.strayAcks = servers->counters().strayAcks;
  stats.failed = clients->counters().failed;
  stats.unknownTransactions = clients->counters().unknown + servers->counters().unknown;
  stats.clientTransactions = clients->size();
  stats.serverTransactions = servers->size();
}

SipTransport::SipTransport(SipThread& thread, Config config, Route route, Deliver deliver)
    : impl_(std::make_unique<Impl>(thread, std::move(config), std::move(route), std::move(deliver))) {}

SipTransport::~SipTransport() { stop(); }

std::expected<void, std::string> SipTransport::start() {
  if (impl_->running) return {};
  std::expected<void, std::string> result = std::unexpected("the SIP thread does not run");
  impl_->thread.call([&] { result = impl_->open(); });
  impl_->running = result.has_value();
  return result;
}

void SipTransport::stop() {
  if (!impl_->running.exchange(false)) return;
  const bool closed = impl_->thread.call([this] { impl_->close(); });
  CROSSPOINT_CHECK(closed);  // the thread was stopped first: nobody is left who may touch the sockets
}

SocketAddress SipTransport::boundAddress() const { return impl_->bound; }

SocketAddress SipTransport::tlsAddress() const { return impl_->boundTls; }

bool SipTransport::send(unsigned worker, Outgoing&& message) {
  return impl_->running && impl_->mailbox.post({worker, std::move(message)});
}

SipTransport::Stats SipTransport::stats() const {
  Stats stats;
  if (impl_->running) impl_->thread.call([&] { impl_->readStats(stats); });
  stats.mailboxOverflows = impl_->mailbox.refused();
  return stats;
}

}  // namespace crosspoint::sip
