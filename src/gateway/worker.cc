#include "gateway/worker.h"

#include <pthread.h>

#include "io/loop/clock.h"

namespace crosspoint::gateway {

std::expected<std::unique_ptr<Worker>, std::string> Worker::open(const Config& config, ControlMailbox& control) {
  auto worker = std::make_unique<Worker>(config, control);
  const SocketAddress bind{config.address, config.icePort};
  const auto socket = worker->sockets_.open(bind, udp::Traffic::Shared);
  if (!socket) {
    return std::unexpected("UDP port " + std::to_string(bind.port) + " of " + bind.ip.toString() +
                           " for browsers' media: " +
                           (socket.error() == std::errc::address_in_use ? "already taken" : socket.error().message()));
  }
  worker->iceSocket_ = *socket;
  if (!worker->loop_.addWakeUp(worker->pages_.fd()) || !worker->loop_.addWakeUp(worker->sip_.fd())) {
    return std::unexpected("a media worker cannot watch its mailboxes");
  }
  return worker;
}

Worker::Worker(const Config& config, ControlMailbox& control)
    : config_(config),
      control_(control),
      loop_({.nap = config.nap}),
      sockets_(loop_, {.socketsMax = config.socketsMax}),
      pages_(config.pageMailboxMax),
      sip_(config.sipMailboxMax) {}

Worker::~Worker() { stop(); }

void Worker::start(bridge::Config config, Log& log, const dtls::Context& dtls, SendSip sendSip) {
  config.worker = config_.number;
  config.iceSockets = {{.socket = iceSocket_, .address = {config_.publicAddress, sockets_.address(iceSocket_).port}}};
  sendSip_ = std::move(sendSip);
  bridge_ = std::make_unique<bridge::Bridge>(
      config, bridge::Dependencies{.random = random_, .log = log, .ports = *this, .datagrams = sockets_, .dtls = dtls},
      loop::monotonicNow());
  sockets_.setHandler([this](TimePoint now, std::span<Datagram> batch) { bridge_->handleDatagrams(now, batch); });
  thread_ = std::thread([this] { loop_.run(*this); });
  ::pthread_setname_np(thread_.native_handle(), ("worker-" + std::to_string(config_.number)).c_str());  // for top -H
}

void Worker::stop() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::handleReady(TimePoint now, std::uint32_t key) { sockets_.handleReady(now, SocketId{key}); }

void Worker::handleWakeUp(TimePoint now) {
  sockets_.deliver(now);
  handleMailboxes(now);
  if (const auto deadline = bridge_->nextTimeout(); deadline && *deadline <= now) bridge_->handleTimeout(now);
  drainBridge(now);
  sockets_.flush();
  if (shuttingDown_ && !saidIdle_ && bridge_->idle()) saidIdle_ = control_.post(WorkerIdle{.worker = config_.number});
}

std::optional<TimePoint> Worker::nextTimeout() const { return bridge_->nextTimeout(); }

void Worker::handleMailboxes(TimePoint now) {
  if (pages_.take(takenPages_)) {
    for (auto& input : takenPages_) handleInput(now, std::move(input));
  }
  if (sip_.take(takenSip_)) {
    for (auto& incoming : takenSip_) bridge_->handleSip(now, std::move(incoming));
  }
}

void Worker::handleInput(TimePoint now, WorkerInput&& input) {
  if (auto* request = std::get_if<bridge::PageRequest>(&input)) {
    bridge_->handlePage(now, std::move(*request));
  } else if (const auto* closed = std::get_if<PageClosed>(&input)) {
    bridge_->handlePageClosed(now, closed->request);
  } else if (const auto* delivered = std::get_if<PageDelivered>(&input)) {
    bridge_->handlePageDelivered(now, delivered->request);
  } else if (const auto* wanted = std::get_if<CountersWanted>(&input)) {
    control_.post(CountersReport{.query = wanted->query, .counters = bridge_->counters()});
  } else {
    shuttingDown_ = true;
    bridge_->shutdown(now);
  }
}

void Worker::drainBridge(TimePoint now) {
  while (auto output = bridge_->pollOutput()) {
    if (auto* reply = std::get_if<bridge::PageReply>(&*output)) {
      // The control thread's mailbox has room for a reply to every connection that there can be.
      control_.post(std::move(*reply));
    } else {
      sendSip(now, std::move(std::get<sip::Outgoing>(*output)));
    }
  }
}

// A request that could not even be queued has failed; the bridge's next outputs follow in drainBridge().
void Worker::sendSip(TimePoint now, sip::Outgoing&& message) {
  std::optional<sip::ClientTransactionId> request;
  if (const auto* sent = std::get_if<sip::SendRequest>(&message)) request = sent->id;
  if (sendSip_(std::move(message)) || !request) return;
  bridge_->handleSip(now, sip::TransactionFailed{.id = *request, .cause = sip::TransactionFailed::Cause::Transport});
}

std::optional<bridge::RtpPortPair> Worker::open() {
  const auto pair = sockets_.openPair(config_.address, config_.rtpPortMin, config_.rtpPortMax);
  if (!pair) return std::nullopt;
  return bridge::RtpPortPair{.rtp = pair->rtp,
                             .rtcp = pair->rtcp,
                             .rtpAddress = {config_.publicAddress, sockets_.address(pair->rtp).port},
                             .rtcpAddress = {config_.publicAddress, sockets_.address(pair->rtcp).port}};
}

void Worker::close(const bridge::RtpPortPair& pair) {
  sockets_.close(pair.rtp);
  sockets_.close(pair.rtcp);
}

}  // namespace crosspoint::gateway
