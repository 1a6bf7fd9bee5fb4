#include "gateway/gateway.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/dtls/context.h"
#include "gateway/event_log.h"
#include "gateway/machine.h"
#include "gateway/metrics.h"
#include "gateway/page_frames.h"
#include "gateway/page_routes.h"
#include "gateway/visitors.h"
#include "gateway/worker.h"
#include "io/http/server.h"
#include "io/http/static_files.h"
#include "io/loop/clock.h"
#include "io/sip/server/sip_server.h"
#include "io/sip/sip_thread.h"
#include "io/sip/sip_transport.h"

namespace crosspoint::gateway {
namespace {

constexpr auto kShutdownMax = std::chrono::seconds(4);
constexpr auto kMemoryCheck = std::chrono::seconds(20);
constexpr auto kBehindNoAnswer =
    std::chrono::minutes(2);           // the core ends an unanswered call, with CANCEL; then SIP forgets
constexpr int kTrims = 3;              // after the last request: SIP transactions end half a minute later
constexpr unsigned kWorkersMax = 255;  // an SSID has two hexadecimal digits for them

bool fromThisMachine(const http::Request& request) {
  // Behind a proxy every request comes from it: then it is the client's address that counts, and that is not ours to
  // judge.
  return request.remote.ip.isLoopback() && request.header("X-Forwarded-For").empty() &&
         request.header("Forwarded").empty();
}

std::string hostOf(const IpAddress& address) {
  return address.isV6() ? "[" + address.toString() + "]" : address.toString();
}

}  // namespace

class Gateway::Impl {
 public:
  explicit Impl(const Configuration& configuration)
      : configuration_(configuration),
        visitors_(configuration),
        log_(configuration.log.level),
        workerCount_(chooseWorkers(configuration)),
        budget_(shareDescriptors(static_cast<std::size_t>(configuration.http.connectionsMax), workerCount_)),
        // Everything that workers can have to say, so that nothing is lost here: a reply for every connection, or what
        // a WebSocket's bounds allow (32 messages, 64 confirmations, a close).
        control_(100 * budget_.connections + 10'000),
        controlReady_(context_, ::dup(control_.fd())),
        signals_(context_, SIGINT, SIGTERM),
        shutdownTimer_(context_),
        memoryTimer_(context_),
        dtls_(crypto::Certificate::selfSigned(loop::wallNow())) {}

  ~Impl() { stopParts(); }

  std::expected<Addresses, std::string> start();
  void run();
  void stop() {
    boost::asio::post(context_, [this] { beginShutdown(); });
  }

 private:
  static unsigned chooseWorkers(const Configuration& configuration) {
    const auto wanted = static_cast<unsigned>(configuration.media.workers);
    return std::clamp(wanted == 0 ? std::thread::hardware_concurrency() : wanted, 1U, kWorkersMax);
  }

  std::expected<void, std::string> openWorkers();
  std::expected<void, std::string> startSip();
  std::expected<void, std::string> startHttp();
  void startWorkers();
  static std::string sipHop(const std::string& written);
  std::string sipServerUri() const;
  std::optional<sip::Uri> firstSipHop() const;
  bridge::Config bridgeConfig() const;

  void handleRequest(http::RequestId id, http::Request&& request);
  void postPage(http::RequestId id, bridge::PageRequest&& page, const http::Request& request);
  void handleFrame(http::RequestId id, std::string_view text);
  void tellWorker(http::RequestId id, bool delivered);
  void askForMetrics(http::RequestId id, const http::Request& request);
  void handleReply(bridge::PageReply&& reply);
  void handleReport(const CountersReport& report);
  UdpTotals udpTotals() const;

  void armControl();
  void handleControl();
  void armMemoryCheck();
  void trimMemory();
  void armSignals();
  void beginShutdown();
  void finish();
  void stopParts();

  struct MetricsQuery {
    http::RequestId request{};
    unsigned missing = 0;
    bridge::Counters sum;
  };

  const Configuration configuration_;
  const Visitors visitors_;
  EventLog log_;
  const unsigned workerCount_;
  const DescriptorBudget budget_;
  boost::asio::io_context context_{1};
  ControlMailbox control_;
  boost::asio::posix::stream_descriptor
      controlReady_;  // a copy of the mailbox's descriptor: Asio closes what it watches
  boost::asio::signal_set signals_;
  boost::asio::steady_timer shutdownTimer_;
  boost::asio::steady_timer memoryTimer_;
  std::uint64_t requestsAtCheck_ = 0;
  int trimsLeft_ = 0;
  const dtls::Context dtls_;
  std::vector<std::unique_ptr<Worker>> workers_;
  sip::SipThread sipThread_;
  std::optional<sip::SipServer> sipServer_;
  std::optional<sip::SipTransport> sip_;
  std::optional<http::Server> http_;
  std::optional<http::StaticFiles> files_;
  Addresses addresses_;

  std::unordered_map<std::uint64_t, unsigned> workerOfRequest_;  // of page requests until they are delivered or closed
  std::unordered_map<std::uint64_t, MetricsQuery> queries_;
  std::uint64_t lastQuery_ = 0;
  std::vector<WorkerOutput> outputs_;
  unsigned idleWorkers_ = 0;
  bool shuttingDown_ = false;
};

// ---- starting: whatever must be known by the next comes first ----

std::expected<Gateway::Addresses, std::string> Gateway::Impl::start() {
  for (const auto step : {&Impl::openWorkers, &Impl::startSip, &Impl::startHttp}) {
    if (auto done = (this->*step)(); !done) {
      stopParts();
      return std::unexpected(done.error());
    }
  }
  startWorkers();
  armControl();
  armSignals();
  armMemoryCheck();
  return addresses_;
}

std::expected<void, std::string> Gateway::Impl::openWorkers() {
  const auto& media = configuration_.media;
  for (unsigned i = 0; i < workerCount_; ++i) {
    auto worker = Worker::open(
        {.number = i,
         .address = media.address,
         .publicAddress = media.publicAddress.value_or(media.address),
         .icePort = static_cast<std::uint16_t>(media.icePort == 0 ? 0 : media.icePort + i),
         .rtpPortMin = media.rtpPortMin,
         .rtpPortMax = media.rtpPortMax,
         .nap = media.nap,
         .socketsMax = budget_.socketsPerWorker,
         .pageMailboxMax = 8 * budget_.connections + 2'000},  // request, delivered, closed; half is for frames
        control_);
    if (!worker) return std::unexpected(worker.error());
    workers_.push_back(std::move(*worker));
  }
  return {};
}

std::expected<void, std::string> Gateway::Impl::startSip() {
  const auto& sip = configuration_.sip;
  const auto& server = configuration_.sipServer;
  if (!sipThread_.start()) return std::unexpected("the SIP thread cannot be started");
  if (sip.embedded()) {
    std::vector<std::string> domains;
    if (!sip.domain.empty()) domains.push_back(sip.domain);
    sipServer_.emplace(sipThread_, sip::SipServer::Config{.bindAddress = server.address.toString(),
                                                          .port = server.port,
                                                          .domains = domains,
                                                          .sharedPassword = server.password});
    if (auto started = sipServer_->start(); !started)
      return std::unexpected("the embedded SIP server: " + started.error());
    addresses_.sipServer = sipServer_->boundAddress();
  }
  sip::SipTransport::Config config{.bindAddress = sip.address.toString(),
                                   .publicAddress = sip.publicAddress ? sip.publicAddress->toString() : "",
                                   .port = sip.port,
                                   .workers = workerCount_};
  config.server = firstSipHop();
  if (const auto uri = sip::Uri::parse(sip.server)) config.resolvableHosts.push_back(uri->host);
  if (!sip.domain.empty()) config.resolvableHosts.push_back(sip.domain);
  config.dnsServers = sip.dnsServers;
  if (sip.tls()) {
    config.tls = sip::TlsConfig{sip.tlsCa, sip.tlsCertificate, sip.tlsKey, sip.tlsVerify};
    config.tlsPort = sip.tlsPort;
    config.certificateName = sip.domain;
  }
  config.inviteMax = std::max<std::chrono::milliseconds>(config.inviteMax, sip.noAnswer + kBehindNoAnswer);
  config.acceptAll = false;
  config.acceptFrom = sip.acceptFrom;
  if (sip.embedded()) config.alsoFrom = {IpAddress::v4(0x7f000001), server.address, sip.address};
  sip_.emplace(
      sipThread_, std::move(config),
      [count = workerCount_](const sip::Request& request) { return workerOfSipRequest(request, count); },
      [this](unsigned worker, sip::Incoming&& incoming) { workers_[worker]->postSip(std::move(incoming)); });
  if (auto started = sip_->start(); !started) return std::unexpected("SIP: " + started.error());
  addresses_.sip = sip_->boundAddress();
  return {};
}

std::expected<void, std::string> Gateway::Impl::startHttp() {
  const auto& http = configuration_.http;
  http::Config config{.bind = {http.address, configuration_.rsmp.httpPort},
                      .allowedOrigins = allowedOrigins(configuration_)};
  config.limits.connectionsMax = budget_.connections;
  if (!http.tlsKey.empty()) config.tls = http::TlsConfig{http.tlsCertificate, http.tlsKey};
  http_.emplace(context_, std::move(config));
  http_->onRequest([this](http::RequestId id, http::Request&& request) { handleRequest(id, std::move(request)); });
  http_->onDelivered([this](http::RequestId id) { tellWorker(id, true); });
  http_->onUndelivered([this](http::RequestId id) { tellWorker(id, false); });
  http_->onClosed([this](http::RequestId id) {
    std::erase_if(queries_, [&](const auto& query) { return query.second.request == id; });
    tellWorker(id, false);
  });
  http_->onMessage([this](http::RequestId id, std::string&& text) { handleFrame(id, text); });
  http_->onSocketClosed([this](http::RequestId id) { tellWorker(id, false); });
  addresses_.root = findRoot(http.root);
  files_.emplace(addresses_.root);
  auto listening = http_->listen();
  if (!listening) return std::unexpected(listening.error());
  addresses_.http = *listening;
  return {};
}

// "sips:" is here the way to the server, not a demand on every hop behind it (RFC 3261 §26.2.2): addresses of pages and
// calls stay "sip:".
std::string Gateway::Impl::sipHop(const std::string& written) {
  auto uri = sip::Uri::parse(written);
  if (!uri || uri->scheme != "sips") return written;
  uri->scheme = "sip";
  sip::setParameter(uri->parameters, "transport", "tls");
  return uri->toString();
}

std::string Gateway::Impl::sipServerUri() const {
  const auto& sip = configuration_.sip;
  if (!addresses_.sipServer) return sipHop(sip.server);
  const auto& server = *addresses_.sipServer;
  const auto& ip = server.ip.isUnspecified() ? sip.address : server.ip;
  return "sip:" + hostOf(ip) + ":" + std::to_string(server.port) + ";transport=udp";
}

std::optional<sip::Uri> Gateway::Impl::firstSipHop() const {
  const auto& proxy = configuration_.sip.outboundProxy;
  return sip::Uri::parse(proxy.empty() ? sipServerUri() : sipHop(proxy));
}

bridge::Config Gateway::Impl::bridgeConfig() const {
  const auto& sip = configuration_.sip;
  bridge::Config config;
  config.stunServers = configuration_.media.stunServers;
  config.sipServer = sipServerUri();
  config.sipOutboundProxy = sip.outboundProxy.empty() ? "" : sipHop(sip.outboundProxy);
  config.sipOptionsInterval = sip.optionsInterval;
  config.sipFollowRedirects = sip.followRedirects;
  config.sipDomain = sip.domain;
  config.sipContactHost = hostOf(sip.publicAddress.value_or(sip.address));
  config.sipContactPort = sip.tls() ? sip_->tlsAddress().port : addresses_.sip.port;
  config.registerExpires = sip.registerExpires;
  config.passwordsChecked = configuration_.auth.policy == AuthPolicy::Password;
  config.sessionExpires = sip.sessionExpires;
  config.minSe = sip.minSe;
  config.attachedDataHeader = sip.attachedDataHeader;
  config.newPeerConnections = configuration_.rsmp.newPcSupport != 0;
  config.earlyMedia = configuration_.media.earlyMedia;
  config.noAnswerMax = sip.noAnswer;
  config.sessionTimeout = configuration_.http.sessionTimeout;
  config.pollHold = configuration_.http.pollHold;
  config.wallClock = loop::takeWallClockAnchor();
  return config;
}

void Gateway::Impl::startWorkers() {
  const auto config = bridgeConfig();
  for (unsigned i = 0; i < workerCount_; ++i) {
    workers_[i]->start(config, log_, dtls_,
                       [this, i](sip::Outgoing&& message) { return sip_->send(i, std::move(message)); });
  }
}

// ---- requests and replies ----

void Gateway::Impl::handleRequest(http::RequestId id, http::Request&& request) {
  if (auto refused = visitors_.refuse(request)) return http_->respond(id, std::move(*refused));
  auto routed = routePage(request, bridge::RequestId{static_cast<std::uint64_t>(id)}, configuration_.auth);
  if (auto* page = std::get_if<bridge::PageRequest>(&routed)) return postPage(id, std::move(*page), request);
  if (auto* answer = std::get_if<http::Response>(&routed)) return http_->respond(id, std::move(*answer));
  if (request.path == "/health") return http_->respond(id, {.body = shuttingDown_ ? "stopping\n" : "ok\n"});
  if (request.path == "/metrics") return askForMetrics(id, request);
  http_->respond(id, files_->serve(request));
}

void Gateway::Impl::postPage(http::RequestId id, bridge::PageRequest&& page, const http::Request& request) {
  const auto worker = workerOf(page, workerCount_);
  const bool socket = std::holds_alternative<bridge::SocketOpen>(page);
  if (!workers_[worker]->postPage(std::move(page))) return http_->respond(id, overloaded(request));
  workerOfRequest_[static_cast<std::uint64_t>(id)] = worker;
  if (socket) http_->accept(id);
}

void Gateway::Impl::handleFrame(http::RequestId id, std::string_view text) {
  const bridge::RequestId socket{static_cast<std::uint64_t>(id)};
  auto message = parseFrame(socket, text);
  if (!message) return http_->closeSocket(id, bridge::kCloseBadFrame, message.error());
  const auto found = workerOfRequest_.find(static_cast<std::uint64_t>(id));
  if (found == workerOfRequest_.end() || !workers_[found->second]->postFrame(std::move(*message))) {
    http_->closeSocket(id, bridge::kCloseTryAgain, "The gateway is busy");
  }
}

void Gateway::Impl::tellWorker(http::RequestId id, bool delivered) {
  const auto found = workerOfRequest_.find(static_cast<std::uint64_t>(id));
  if (found == workerOfRequest_.end()) return;
  const bridge::RequestId request{found->first};
  const auto worker = found->second;
  workerOfRequest_.erase(found);
  workers_[worker]->postPage(delivered ? WorkerInput(PageDelivered{request}) : WorkerInput(PageClosed{request}));
}

void Gateway::Impl::askForMetrics(http::RequestId id, const http::Request& request) {
  if (!fromThisMachine(request) || !namesAddress(request))
    return http_->respond(id, {.status = 403, .body = "metrics are for this machine only\n"});
  const auto query = ++lastQuery_;
  queries_[query] = {.request = id, .missing = workerCount_};
  for (const auto& worker : workers_) worker->postPage(CountersWanted{.query = query});
}

void Gateway::Impl::handleReport(const CountersReport& report) {
  const auto found = queries_.find(report.query);
  if (found == queries_.end()) return;
  auto& query = found->second;
  add(query.sum, report.counters);
  if (--query.missing > 0) return;
  const Totals totals{.bridge = query.sum,
                      .udp = udpTotals(),
                      .http = http_->counters(),
                      .sip = sip_->stats(),
                      .workers = workerCount_};
  const auto request = query.request;
  queries_.erase(found);
  http_->respond(request, {.contentType = "text/plain; version=0.0.4; charset=utf-8", .body = metricsText(totals)});
}

UdpTotals Gateway::Impl::udpTotals() const {
  UdpTotals totals;
  for (const auto& worker : workers_) {
    const auto& udp = worker->udpCounters();
    totals.received += udp.received;
    totals.receivedBatches += udp.receivedBatches;
    totals.receivedTooLong += udp.receivedTooLong;
    totals.sent += udp.sent;
    totals.sendRefused += udp.sendRefused;
    totals.outDropped += udp.outDropped;
    totals.openSockets += udp.openSockets;
    totals.wakeUps += worker->wakeUps();
    totals.refusedPosts += worker->refusedPosts();
  }
  return totals;
}

void Gateway::Impl::handleReply(bridge::PageReply&& reply) {
  const http::RequestId id{static_cast<std::uint64_t>(reply.request)};
  switch (reply.form) {
    case bridge::PageReply::Form::Reply:
      return http_->respond(id, toHttp(std::move(reply)));
    case bridge::PageReply::Form::Frame:
      return http_->send(id, frameText(reply));
    case bridge::PageReply::Form::Close:
      return http_->closeSocket(id, reply.closeCode, reply.body);
  }
}

void Gateway::Impl::armControl() {
  controlReady_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& error) {
                             if (error) return;
                             handleControl();
                             armControl();
                           });
}

void Gateway::Impl::handleControl() {
  if (!control_.take(outputs_)) return;
  for (auto& output : outputs_) {
    if (auto* reply = std::get_if<bridge::PageReply>(&output)) {
      handleReply(std::move(*reply));
    } else if (const auto* report = std::get_if<CountersReport>(&output)) {
      handleReport(*report);
    } else if (++idleWorkers_ == workerCount_ && shuttingDown_) {
      finish();
    }
  }
}

// ---- memory ----

void Gateway::Impl::armMemoryCheck() {
  memoryTimer_.expires_after(kMemoryCheck);
  memoryTimer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    trimMemory();
    armMemoryCheck();
  });
}

// What a rush has needed would stay with the process: glibc keeps the pages of threads' heaps. After 15,000 sign-ins
// and 600 calls that was 165 MB, and is 34 MB so. Only when no call is there: the heaps are locked meanwhile.
void Gateway::Impl::trimMemory() {
  const auto requests = http_->counters().requests;
  if (std::exchange(requestsAtCheck_, requests) != requests) trimsLeft_ = kTrims;
  if (trimsLeft_ == 0 || udpTotals().openSockets > workerCount_) return;  // each has one socket for ICE
  --trimsLeft_;
  ::malloc_trim(0);
}

// ---- stopping ----

void Gateway::Impl::armSignals() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    beginShutdown();
    armSignals();
  });
}

void Gateway::Impl::beginShutdown() {
  if (std::exchange(shuttingDown_, true)) return finish();
  log_.write(LogLevel::Info, "", "Stopping: calls and registrations are ended");
  http_->drain();
  for (const auto& worker : workers_) worker->postPage(ShutDown{});
  shutdownTimer_.expires_after(kShutdownMax);
  shutdownTimer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    log_.write(LogLevel::Warning, "", "Stopping without having heard from every far end");
    finish();
  });
}

void Gateway::Impl::finish() { context_.stop(); }

void Gateway::Impl::run() {
  context_.run();
  stopParts();
  log_.write(LogLevel::Info, "", "Stopped");
  log_.flush();
}

// Workers first: they send SIP. Then what delivers to them.
void Gateway::Impl::stopParts() {
  for (const auto& worker : workers_) worker->stop();
  if (sip_) sip_->stop();
  if (sipServer_) sipServer_->stop();
  sipThread_.stop();
}

Gateway::Gateway(const Configuration& configuration) : impl_(std::make_unique<Impl>(configuration)) {}
Gateway::~Gateway() = default;
std::expected<Gateway::Addresses, std::string> Gateway::start() { return impl_->start(); }
void Gateway::run() { impl_->run(); }
void Gateway::stop() { impl_->stop(); }

std::string readyLine(const Gateway::Addresses& addresses, int pid) {
  return "ready http=" + addresses.http.toString() + " sip=" + addresses.sip.toString() +
         " sip-server=" + (addresses.sipServer ? addresses.sipServer->toString() : "-") + " pid=" + std::to_string(pid);
}

}  // namespace crosspoint::gateway
