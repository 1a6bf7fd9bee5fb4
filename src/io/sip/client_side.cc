#include "io/sip/client_side.h"

#include <algorithm>
#include <utility>

#include "io/loop/clock.h"
#include "io/sip/from_sofia.h"
#include "io/sip/to_sofia.h"

namespace crosspoint::sip {
namespace {

constexpr Duration kTlsLook = std::chrono::milliseconds(200);
constexpr int kTimerFactor = 64;  // RFC 3261 §17.1.1.2: timers B, F, H and the life of a 2xx are 64*T1

}  // namespace

struct ClientSide::Transaction {
  ClientSide* owner = nullptr;
  Key key;
  Request request;
  std::vector<Hop> hops;
  std::size_t next = 0;  // the hop after the one that is tried
  TimePoint deadline;    // when the last hop has had its time
  Home home;             // holds `destination`
  url_t* destination = nullptr;
  nta_outgoing_t* outgoing = nullptr;
  std::vector<std::string> branches;  // of an INVITE
  bool isInvite = false;
  bool starting = false;  // nta makes the transaction, and may find at once that it cannot be
  bool startFailed = false;
  bool provisional = false;
  bool ringing = false;  // more than a 100
  bool final = false;
  bool cancelWaits = false;  // for the first provisional response, RFC 3261 §9.1
  bool cancelSent = false;
  std::vector<Reason> cancelReasons;
  TimerQueue::Id timer = TimerQueue::Id::None;
  TimerQueue::Id hopTimer = TimerQueue::Id::None;
};

namespace {

std::string hostOf(const Hop& hop) {
  const auto& ip = hop.address.ip;
  return ip.isV6() ? "[" + ip.toString() + "]" : ip.toString();
}

const Hop& currentHop(const auto& transaction) { return transaction.hops[transaction.next - 1]; }

// What nta is to send to. Over TLS the certificate must be for the name, so it goes along (nta takes the host for the
// name and "maddr" for the address).
url_t* urlOf(su_home_t* home, const Hop& hop) {
  const std::string host = hostOf(hop);
  const bool named = hop.transport == "tls" && !hop.name.empty();
  std::string uri = "sip:" + (named ? hop.name : host) + ":" + std::to_string(hop.address.port);
  uri += ";transport=" + hop.transport;
  if (named) uri += ";maddr=" + host;
  return url_make(home, uri.c_str());
}

}  // namespace

ClientSide::ClientSide(nta_agent_t* agent, TimerQueue& timers, Locator& locator, Config config, Explain explain,
                       Deliver deliver)
    : agent_(agent),
      timers_(timers),
      locator_(locator),
      config_(std::move(config)),
      explain_(std::move(explain)),
      deliver_(std::move(deliver)) {}

ClientSide::~ClientSide() {
  timers_.cancel(tlsLook_);
  for (auto& [key, transaction] : transactions_) {
    timers_.cancel(transaction->timer);
    timers_.cancel(transaction->hopTimer);
    nta_outgoing_destroy(transaction->outgoing);
  }
}

// The names of strangers (a Contact, a Record-Route) are the configured server's to resolve: it has the request anyway.
void ClientSide::locate(const Uri& destination, Locator::Found found) {
  const bool stranger = destination.scheme != "tel" && !destination.host.empty() && !locator_.mayLocate(destination);
  locator_.locate(stranger && config_.server ? *config_.server : destination, std::move(found));
}

nta_outgoing_t* ClientSide::create(Transaction& transaction, const Request& request) {
  MessagePointer message = requestToSofia(agent_, request, config_.userAgent);
  if (!message) return nullptr;
  // As a user agent nta would end an INVITE's further answers itself, out of our sight; and it asserts that the ACK
  // finds the INVITE. As a proxy it hands every 2xx up.
  if (transaction.isInvite) nta_agent_set_params(agent_, NTATAG_UA(0), TAG_END());
  nta_outgoing_t* outgoing =
      nta_outgoing_mcreate(agent_, &ClientSide::handleResponse, &transaction,
                           reinterpret_cast<url_string_t*>(transaction.destination), message.get(), TAG_END());
  if (transaction.isInvite) nta_agent_set_params(agent_, NTATAG_UA(1), TAG_END());
  if (outgoing) static_cast<void>(message.release());  // taken over
  return outgoing;
}

void ClientSide::send(unsigned worker, SendRequest&& message) {
  const Key key(worker, message.id);
  if (transactions_.size() >= config_.transactionsMax || transactions_.contains(key)) {
    ++counters_.failed;
    deliver_(worker, TransactionFailed{message.id, TransactionFailed::Cause::Transport, {}});
    return;
  }
  auto created = std::make_unique<Transaction>();
  created->owner = this;
  created->key = key;
  created->isInvite = message.request.method == Method::Invite;
  created->request = std::move(message.request);
  created->deadline = loop::monotonicNow() + kTimerFactor * config_.t1;
  if (created->isInvite) {
    created->timer = timers_.after(config_.inviteMax, [this, key] { fail(key, TransactionFailed::Cause::Timeout); });
  }
  transactions_.emplace(key, std::move(created));
  locate(message.destination, [this, key](std::vector<Hop> hops, const std::string& problem) {
    const auto found = transactions_.find(key);
    if (found == transactions_.end()) return;
    found->second->hops = std::move(hops);
    tryNext(key, TransactionFailed::Cause::Transport, problem);
  });
}

bool ClientSide::isLastHop(const Transaction& transaction) const { return transaction.next >= transaction.hops.size(); }

void ClientSide::tryNext(Key key, TransactionFailed::Cause cause, std::string reason) {
  Transaction& transaction = *transactions_.at(key);
  while (!isLastHop(transaction) && !transaction.cancelWaits) {
    if (transaction.next > 0) ++counters_.failovers;
    ++transaction.next;
    if (start(transaction)) return armHopTimer(transaction);
    if (transaction.startFailed) reason = explain_(currentHop(transaction).transport == "tls");
  }
  fail(key, cause, std::move(reason));
}

bool ClientSide::start(Transaction& transaction) {
  const Hop& hop = currentHop(transaction);
  transaction.destination = urlOf(transaction.home, hop);
  transaction.startFailed = false;
  transaction.provisional = false;  // of the hop before
  transaction.starting = true;
  if (transaction.destination) transaction.outgoing = create(transaction, transaction.request);
  transaction.starting = false;
  if (transaction.startFailed) giveHopUp(transaction, Duration(0));
  if (!transaction.outgoing) return false;
  if (transaction.isInvite) {
    // A hop that was given up may answer after all: its 2xx is then one more branch's.
    transaction.branches.emplace_back(text(nta_outgoing_branch(transaction.outgoing)));
    invitesByBranch_[transaction.branches.back()] = &transaction;
  }
  if (hop.transport == "tls") {
    silentOverTls_.insert(transaction.key);
    armTlsLook();
  }
  return true;
}

void ClientSide::armTlsLook() {
  if (tlsLook_ != TimerQueue::Id::None || silentOverTls_.empty()) return;
  tlsLook_ = timers_.after(kTlsLook, [this] {
    tlsLook_ = TimerQueue::Id::None;
    lookForLostTls();
    armTlsLook();
  });
}

void ClientSide::lookForLostTls() {
  const auto silent = silentOverTls_;
  for (const auto& key : silent) {
    if (!silentOverTls_.contains(key)) continue;  // it failed with the connection that one before it was sent over
    Transaction& transaction = *transactions_.at(key);
    if (hasConnection(currentHop(transaction))) continue;
    silentOverTls_.erase(key);
    handleUnreached(transaction, TransactionFailed::Cause::Transport);
  }
}

bool ClientSide::hasConnection(const Hop& hop) const {
  const std::string host = hostOf(hop), port = std::to_string(hop.address.port);
  tp_name_t name{};
  name.tpn_proto = hop.transport.c_str();
  name.tpn_host = host.c_str();
  name.tpn_port = port.c_str();
  name.tpn_canon = hop.name.empty() ? host.c_str() : hop.name.c_str();
  const tport_t* found = tport_by_name(nta_agent_tports(agent_), &name);
  return found && tport_is_secondary(found);
}

void ClientSide::armHopTimer(Transaction& transaction) {
  if (transaction.hops.size() < 2) return;  // nta's own timers
  const Duration left = transaction.deadline - loop::monotonicNow();
  const Duration wait = isLastHop(transaction) ? left : std::min(left, config_.hopTimeout);
  transaction.hopTimer = timers_.after(std::max(wait, Duration(0)), [this, key = transaction.key] {
    Transaction& silent = *transactions_.at(key);
    silent.hopTimer = TimerQueue::Id::None;
    giveHopUp(silent, Duration(0));
    tryNext(key, TransactionFailed::Cause::Timeout, {});
  });
}

// `avoidFor` 0: for as long as usual.
void ClientSide::giveHopUp(Transaction& transaction, Duration avoidFor) {
  timers_.cancel(transaction.hopTimer);
  silentOverTls_.erase(transaction.key);
  locator_.failed(currentHop(transaction), avoidFor);
  nta_outgoing_destroy(std::exchange(transaction.outgoing, nullptr));
}

void ClientSide::send(const SendAck& message) {
  locate(message.destination, [this, request = message.request](const std::vector<Hop>& hops, const std::string&) {
    Home home;
    url_t* destination = hops.empty() ? nullptr : urlOf(home, hops.front());
    MessagePointer ack = destination ? requestToSofia(agent_, request, config_.userAgent) : nullptr;
    // nta_msg_tsend() takes the message over even if it fails.
    if (!ack || nta_msg_tsend(agent_, ack.release(), reinterpret_cast<url_string_t*>(destination), TAG_END()) < 0) {
      ++counters_.failed;
    }
  });
}

void ClientSide::cancel(unsigned worker, const CancelRequest& message) {
  const auto found = transactions_.find({worker, message.id});
  if (found == transactions_.end()) {
    ++counters_.unknown;
    return;
  }
  Transaction& transaction = *found->second;
  if (!transaction.isInvite || transaction.final) return;
  transaction.cancelReasons = message.reasons;
  transaction.cancelWaits = true;
  if (transaction.provisional) sendCancelNow(transaction);
}

void ClientSide::sendCancelNow(Transaction& transaction) {
  transaction.cancelWaits = false;
  transaction.cancelSent = true;
  std::string reasons;  // RFC 3326 §2: one for each protocol
  for (const auto& reason : transaction.cancelReasons) reasons += (reasons.empty() ? "" : ", ") + textOf(reason);
  sendCancel(agent_, transaction.outgoing, transaction.destination, reasons);
  // RFC 3261 §9.1: without a final response within 64*T1 the INVITE counts as cancelled.
  timers_.cancel(transaction.timer);
  const Key key = transaction.key;
  transaction.timer =
      timers_.after(kTimerFactor * config_.t1, [this, key] { fail(key, TransactionFailed::Cause::Timeout); });
}

int ClientSide::handleResponse(void* transaction, nta_outgoing_t*, const sip_t* message) {
  auto& self = *static_cast<Transaction*>(transaction);
  self.owner->handle(self, message);
  return 0;
}

void ClientSide::handle(Transaction& transaction, const sip_t* message) {
  if (!message || nta_sip_is_internal(message)) {
    const int status = message && message->sip_status ? message->sip_status->st_status : 408;
    return handleUnreached(transaction,
                           status == 408 ? TransactionFailed::Cause::Timeout : TransactionFailed::Cause::Transport);
  }
  auto response = responseFromSofia(message);
  if (response) return handUp(transaction, std::move(*response));
  if (message->sip_status && message->sip_status->st_status >= 200 && !transaction.final) {
    fail(transaction.key, TransactionFailed::Cause::Transport, "The answer could not be read");
  }
}

void ClientSide::handleUnreached(Transaction& transaction, TransactionFailed::Cause cause) {
  if (transaction.starting) {
    transaction.startFailed = true;
    return;
  }
  if (transaction.final) return;
  const bool lost = cause == TransactionFailed::Cause::Transport;
  const std::string reason = lost ? explain_(currentHop(transaction).transport == "tls") : std::string();
  if (transaction.provisional) return fail(transaction.key, cause, reason);
  giveHopUp(transaction, Duration(0));
  tryNext(transaction.key, cause, reason);
}

// RFC 3263 §4.3: a 503 is as good as silence, if there is another place to ask.
bool ClientSide::goesElsewhere(Transaction& transaction, const Response& response) {
  if (response.status != 503 || isLastHop(transaction) || transaction.ringing || transaction.final ||
      transaction.cancelWaits || transaction.cancelSent) {
    return false;
  }
  const Duration wish = std::chrono::seconds(response.retryAfter.value_or(0));
  giveHopUp(transaction, std::min(wish, config_.unavailableMax));
  tryNext(transaction.key, TransactionFailed::Cause::Transport, response.reason);
  return true;
}

void ClientSide::handUp(Transaction& transaction, Response&& response) {
  if (goesElsewhere(transaction, response)) return;
  const Key key = transaction.key;
  timers_.cancel(transaction.hopTimer);
  silentOverTls_.erase(transaction.key);
  locator_.worked(currentHop(transaction));
  const bool answered = transaction.isInvite && response.status >= 200 && response.status < 300;
  if (transaction.final && !answered) return;
  const bool final = response.status >= 200;
  if (final && !transaction.final) {
    transaction.final = true;
    timers_.cancel(transaction.timer);
    if (answered) transaction.timer = timers_.after(kTimerFactor * config_.t1, [this, key] { forget(key); });
  }
  if (!final) {
    transaction.provisional = true;
    transaction.ringing |= response.status > 100;
    if (transaction.cancelWaits) sendCancelNow(transaction);
  }
  deliver_(key.first, ResponseReceived{key.second, std::move(response)});
  if (final && !answered) forget(key);
}

void ClientSide::handleStray(const sip_t* message) {
  const auto branch = message->sip_via ? std::string(text(message->sip_via->v_branch)) : std::string();
  const auto found = invitesByBranch_.find(branch);
  if (found == invitesByBranch_.end()) {
    ++counters_.unknown;
    return;
  }
  handle(*found->second, message);
}

void ClientSide::fail(Key key, TransactionFailed::Cause cause, std::string reason) {
  ++counters_.failed;
  forget(key);
  deliver_(key.first, TransactionFailed{key.second, cause, std::move(reason)});
}

void ClientSide::forget(Key key) {
  const auto found = transactions_.find(key);
  if (found == transactions_.end()) return;
  const auto transaction = std::move(found->second);
  transactions_.erase(found);
  timers_.cancel(transaction->timer);
  timers_.cancel(transaction->hopTimer);
  silentOverTls_.erase(key);
  for (const auto& branch : transaction->branches) invitesByBranch_.erase(branch);
  nta_outgoing_destroy(transaction->outgoing);
}

}  // namespace crosspoint::sip
