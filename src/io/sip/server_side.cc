#include "io/sip/server_side.h"

#include <algorithm>

#include "io/sip/agent.h"
#include "io/sip/from_sofia.h"
#include "io/sip/to_sofia.h"

namespace crosspoint::sip {
namespace {

constexpr int kTimerFactor = 64;  // RFC 3261 §17.1.2.2: the client of a non-INVITE request has given up after 64*T1

// Whoever may not start a dialog may still send what belongs to one, and 481 is remembered like any answer: they leave
// the rest of the table to the others.
constexpr std::size_t kStrangersShare = 4;

}  // namespace

struct ServerSide::Transaction {
  ServerSide* owner = nullptr;
  std::uint64_t id = 0;
  unsigned worker = 0;
  nta_incoming_t* incoming = nullptr;
  bool isInvite = false;
  bool wantsReliable = false;  // Require: 100rel
  bool answered = false;       // with a 2xx to INVITE: waits for its ACK
  TimerQueue::Id timer = TimerQueue::Id::None;
};

ServerSide::ServerSide(nta_agent_t* agent, TimerQueue& timers, Config config, MayStartADialog mayStart, Route route,
                       Deliver deliver)
    : agent_(agent),
      timers_(timers),
      config_(std::move(config)),
      mayStart_(std::move(mayStart)),
      route_(std::move(route)),
      deliver_(std::move(deliver)) {}

ServerSide::~ServerSide() {
  // The agent goes next and takes its transactions along; destroying them here would send 500 for each.
  for (auto& [id, transaction] : transactions_) {
    timers_.cancel(transaction->timer);
    nta_incoming_bind(transaction->incoming, nullptr, nullptr);
  }
}

void ServerSide::refuse(MessagePointer message, int status) {
  const sip_t* sip = sip_object(message.get());
  if (sip->sip_request->rq_method == sip_method_ack) return;
  const char* phrase = sip_status_phrase(status);
  // RFC 3261 §8.2.3: what is wrong with a body that gets here is its coding.
  nta_msg_treply(agent_, message.release(), status, phrase,
                 TAG_IF(status == 415, SIPTAG_ACCEPT_ENCODING_STR("identity")), TAG_END());
}

void ServerSide::handleRequest(msg_t* received, const sip_t* sip) {
  MessagePointer message(received);
  const sip_method_t method = sip->sip_request->rq_method;
  if (!mayBeAnswered(sip)) {
    ++counters_.malformed;
    return;
  }
  if (method == sip_method_ack) {
    ++counters_.strayAcks;
    return;
  }
  if (method == sip_method_cancel) return refuse(std::move(message), 481);
  const bool stranger = !mayStart_(sourceOf(received).value_or(SocketAddress()).ip);
  if (stranger && text(sip->sip_to->a_tag).empty()) {
    ++counters_.strangers;
    return refuse(std::move(message), 403);
  }
  const auto room = stranger ? config_.transactionsMax / kStrangersShare : config_.transactionsMax;
  if (std::max(transactions_.size(), serverTransactionsOf(agent_)) >= room) {
    ++counters_.refused;
    return refuse(std::move(message), 503);
  }
  auto request = requestFromSofia(sip);
  if (!request) {
    ++counters_.malformed;
    return refuse(std::move(message), request.error());
  }
  const unsigned worker = route_(*request);
  if (worker >= config_.workers) {
    ++counters_.refused;
    return refuse(std::move(message), 503);
  }
  accept(std::move(message), std::move(*request), worker);
}

void ServerSide::accept(MessagePointer message, Request&& request, unsigned worker) {
  const SocketAddress source = sourceOf(message.get()).value_or(SocketAddress());
  sip_t* sip = sip_object(message.get());
  auto transaction = std::make_unique<Transaction>();
  transaction->incoming = nta_incoming_create(agent_, nullptr, message.release(), sip, TAG_END());
  if (!transaction->incoming) {
    ++counters_.refused;
    return;
  }
  const std::uint64_t id = ++last_;
  transaction->owner = this;
  transaction->id = id;
  transaction->worker = worker;
  transaction->isInvite = request.method == Method::Invite;
  transaction->wantsReliable = std::ranges::find(request.require, "100rel") != request.require.end();
  // A core that never answers must not cost us the transaction.
  const Duration life = transaction->isInvite ? config_.inviteMax : kTimerFactor * config_.t1;
  transaction->timer = timers_.after(life, [this, id] { giveUp(id); });
  nta_incoming_bind(transaction->incoming, &ServerSide::handleAckOrCancel, transaction.get());
  transactions_.emplace(id, std::move(transaction));
  deliver_(worker, RequestReceived{ServerTransactionId{id}, std::move(request), source});
}

int ServerSide::handleAckOrCancel(void* context, nta_incoming_t*, const sip_t* message) {
  auto& transaction = *static_cast<Transaction*>(context);
  ServerSide& self = *transaction.owner;
  const unsigned worker = transaction.worker;
  const std::uint64_t id = transaction.id;
  if (!message) {  // timer H: no ACK came
    self.forget(id);
  } else if (message->sip_request && message->sip_request->rq_method == sip_method_cancel) {
    self.deliver_(worker, CancelReceived{ServerTransactionId{id}, reasonsFromSofia(message)});
  } else {
    auto ack = requestFromSofia(message);
    self.forget(id);
    if (ack) self.deliver_(worker, AckReceived{std::move(*ack)});
  }
  return 0;
}

void ServerSide::send(unsigned worker, const SendResponse& message) {
  const auto found = transactions_.find(static_cast<std::uint64_t>(message.id));
  if (found == transactions_.end() || found->second->worker != worker || found->second->answered) {
    ++counters_.unknown;
    return;
  }
  Transaction& transaction = *found->second;
  const int status = message.response.status;
  // RFC 3262 §3 forbids what nta would turn into a reliable response of its own, with a PRACK that the core knows
  // nothing of.
  if (transaction.wantsReliable && status > 100 && status < 200 && !message.response.rseq) return;
  MessagePointer response = responseToSofia(agent_, message.response, config_.userAgent);
  const bool complete =
      response && nta_incoming_complete_response(transaction.incoming, response.get(), status, nullptr, TAG_END()) == 0;
  if (complete) {
    nta_incoming_mreply(transaction.incoming, response.release());
  } else if (status >= 200) {
    nta_incoming_treply(transaction.incoming, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
  }
  if (status < 200) return;
  if (!transaction.isInvite || status >= 300 || !complete) return forget(transaction.id);
  transaction.answered = true;
  timers_.cancel(transaction.timer);  // from here on nta's timer H
}

// nta sends 500 to whoever is still waiting, but keeps a 408 to a non-INVITE request for itself (RFC 4320 §4.2).
void ServerSide::giveUp(std::uint64_t id) {
  const auto found = transactions_.find(id);
  if (found == transactions_.end()) return;
  if (!found->second->isInvite) nta_incoming_treply(found->second->incoming, SIP_408_REQUEST_TIMEOUT, TAG_END());
  forget(id);
}

void ServerSide::forget(std::uint64_t id) {
  const auto found = transactions_.find(id);
  if (found == transactions_.end()) return;
  const auto transaction = std::move(found->second);
  transactions_.erase(found);
  timers_.cancel(transaction->timer);
  nta_incoming_destroy(transaction->incoming);
}

}  // namespace crosspoint::sip
