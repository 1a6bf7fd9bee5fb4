#include "io/sip/client_side.h"

#include <algorithm>

#include "core/params/media.h"
#include "io/sip/from_sofia.h"
#include "io/sip/to_sofia.h"

namespace crosspoint::sip {
namespace {

constexpr int kTimerFactor = 64;  // RFC 3261 §17.1.1.2: timers B, F, H and the life of a 2xx are 64*T1

}  // namespace

struct ClientSide::Transaction {
  ClientSide* owner = nullptr;
  Key key;
  Home home;  // holds `destination`
  url_t* destination = nullptr;
  nta_outgoing_t* outgoing = nullptr;
  std::string branch;  // of an INVITE
  bool isInvite = false;
  bool provisional = false;
  bool final = false;
  bool cancelWaits = false;  // for the first provisional response, RFC 3261 §9.1
  std::vector<Reason> cancelReasons;
  TimerQueue::Id timer = TimerQueue::Id::None;
};

ClientSide::ClientSide(nta_agent_t* agent, TimerQueue& timers, Config config, Deliver deliver)
    : agent_(agent), timers_(timers), config_(std::move(config)), deliver_(std::move(deliver)) {}

ClientSide::~ClientSide() {
  for (auto& [key, transaction] : transactions_) {
    timers_.cancel(transaction->timer);
    nta_outgoing_destroy(transaction->outgoing);
  }
}

url_t* ClientSide::routeUrl(su_home_t* home, const Uri& destination) const {
  if (destination.scheme == "tel" || destination.host.empty()) return nullptr;
  std::string host = destination.host;
  if (namesEqual(host, "localhost")) host = "127.0.0.1";
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  const bool numeric =
      IpAddress::parse(bracketed ? std::string_view(host).substr(1, host.size() - 2) : host).has_value();
  const auto& names = config_.resolvableHosts;
  if (!numeric && std::none_of(names.begin(), names.end(), [&](const auto& name) { return namesEqual(name, host); })) {
    return nullptr;
  }
  std::string transport = destination.transport();
  if (transport.empty() && numeric && destination.scheme == "sip") transport = config_.udp ? "udp" : "tcp";
  std::string uri = destination.scheme + ":" + host;
  if (destination.port) uri += ":" + std::to_string(destination.port);
  if (!transport.empty()) uri += ";transport=" + transport;
  return url_make(home, uri.c_str());
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
  auto transaction = std::make_unique<Transaction>();
  transaction->owner = this;
  transaction->key = key;
  transaction->isInvite = message.request.method == Method::Invite;
  transaction->destination = routeUrl(transaction->home, message.destination);
  const bool room = transactions_.size() < config_.transactionsMax && !transactions_.contains(key);
  if (room && transaction->destination) transaction->outgoing = create(*transaction, message.request);
  if (!transaction->outgoing) {
    ++counters_.failed;
    deliver_(worker, TransactionFailed{message.id, TransactionFailed::Cause::Transport});
    return;
  }
  if (transaction->isInvite) {
    transaction->branch = text(nta_outgoing_branch(transaction->outgoing));
    invitesByBranch_[transaction->branch] = transaction.get();
    transaction->timer =
        timers_.after(config_.inviteMax, [this, key] { fail(key, TransactionFailed::Cause::Timeout); });
  }
  transactions_.emplace(key, std::move(transaction));
}

void ClientSide::send(const SendAck& message) {
  Home home;
  url_t* destination = routeUrl(home, message.destination);
  MessagePointer ack = destination ? requestToSofia(agent_, message.request, config_.userAgent) : nullptr;
  // nta_msg_tsend() takes the message over even if it fails.
  if (!ack || nta_msg_tsend(agent_, ack.release(), reinterpret_cast<url_string_t*>(destination), TAG_END()) < 0) {
    ++counters_.failed;
  }
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
  const auto& reasons = transaction.cancelReasons;
  sendCancel(agent_, transaction.outgoing, transaction.destination, reasons.empty() ? "" : textOf(reasons.front()));
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
  const bool internal = !message || nta_sip_is_internal(message);
  if (internal) {
    const int status = message && message->sip_status ? message->sip_status->st_status : 408;
    if (transaction.final) return;
    return fail(transaction.key,
                status == 408 ? TransactionFailed::Cause::Timeout : TransactionFailed::Cause::Transport);
  }
  auto response = responseFromSofia(message);
  if (response) return handUp(transaction, std::move(*response));
  if (message->sip_status && message->sip_status->st_status >= 200 && !transaction.final) {
    fail(transaction.key, TransactionFailed::Cause::Transport);
  }
}

void ClientSide::handUp(Transaction& transaction, Response&& response) {
  const Key key = transaction.key;
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

void ClientSide::fail(Key key, TransactionFailed::Cause cause) {
  ++counters_.failed;
  forget(key);
  deliver_(key.first, TransactionFailed{key.second, cause});
}

void ClientSide::forget(Key key) {
  const auto found = transactions_.find(key);
  if (found == transactions_.end()) return;
  const auto transaction = std::move(found->second);
  transactions_.erase(found);
  timers_.cancel(transaction->timer);
  if (transaction->isInvite) invitesByBranch_.erase(transaction->branch);
  nta_outgoing_destroy(transaction->outgoing);
}

}  // namespace crosspoint::sip
