#include "tests/sim/sip_network.h"

#include <algorithm>
#include <utility>

namespace crosspoint::sim {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(32);  // 64*T1
constexpr Duration kProbeInterval = std::chrono::seconds(20);
constexpr int kForwardsMax = 2;

std::string hostPort(const sip::Uri& uri) { return uri.host + ":" + std::to_string(uri.port); }

void take(std::vector<std::string>& tags, std::string_view tag) { std::erase(tags, tag); }

void leaveOut(sip::Message& message, const SipNetwork::Manners& manners) {
  if (manners.noReliable) take(message.supported, "100rel");
  if (manners.noUpdates) take(message.allow, "UPDATE");
  if (!manners.noTimers) return;
  take(message.supported, "timer");
  take(message.require, "timer");
  message.sessionExpires.reset();
  message.minSe.reset();
}

}  // namespace

// ---- what an agent sends, and what reaches it ----

void SipNetwork::watch(const std::string& agent) {
  watched_ = agent;
  probe(agent);
}

SipNetwork::Counters SipNetwork::counters() const {
  Counters result = counters_;
  result.sdpAnswersChecked = sdpRules_.answersChecked();
  return result;
}

void SipNetwork::send(const std::string& from, sip::Outgoing&& outgoing) {
  rules_[from].check(outgoing);
  if (from == watched_) sdpRules_.check(outgoing);
  std::visit([&](auto& what) { send(from, std::move(what)); }, outgoing);
}

void SipNetwork::deliver(const std::string& to, sip::Incoming incoming) {
  clock_.after(network_.delay(), [this, to, incoming = std::move(incoming)]() mutable {
    const auto agent = agents_.find(to);
    if (agent == agents_.end()) return;
    auto& rules = rules_[to];
    if (const auto* request = std::get_if<sip::RequestReceived>(&incoming)) {
      rules.requestReceived(*request);
      if (to == watched_) sdpRules_.received(*request);
    }
    if (const auto* response = std::get_if<sip::ResponseReceived>(&incoming))
      rules.responseReceived(response->id, response->response);
    if (const auto* failed = std::get_if<sip::TransactionFailed>(&incoming)) rules.failed(failed->id);
    agent->second(std::move(incoming));
  });
}

void SipNetwork::failLater(const std::string& from, sip::ClientTransactionId id, Duration after) {
  clock_.after(after, [this, from, id] { deliver(from, sip::TransactionFailed{id}); });
}

std::string SipNetwork::route(const sip::Request& request) const {
  if (const auto direct = hostPort(request.uri); agents_.contains(direct)) return direct;
  const auto located = locations_.find(request.uri.user);
  return located == locations_.end() ? std::string() : located->second;
}

void SipNetwork::applyManners(sip::Request& request, const std::string& from, const std::string& to) const {
  for (const auto* side : {&from, &to}) {
    if (const auto found = manners_.find(*side); found != manners_.end()) leaveOut(request, found->second);
  }
  const auto caller = manners_.find(from);
  if (caller == manners_.end() || !caller->second.insistsOnReliable || request.method != sip::Method::Invite) return;
  if (std::erase(request.supported, "100rel") > 0) request.require.emplace_back("100rel");
}

void SipNetwork::applyManners(sip::Response& response, const std::string& from, const std::string& to) const {
  for (const auto* side : {&from, &to}) {
    if (const auto found = manners_.find(*side); found != manners_.end()) leaveOut(response, found->second);
  }
}

// ---- the server ----

void SipNetwork::restart(Duration away) {
  ++counters_.restarts;
  awayUntil_ = clock_.now() + away;
  for (const auto& user : registered_) locations_.erase(user);
  registered_.clear();
}

void SipNetwork::registerUser(const std::string& from, const sip::SendRequest& send) {
  const sip::Request& request = send.request;
  const std::string& user = request.to.uri.user;
  auto response = serverResponse(request, 200, "OK");
  std::uint32_t expires = request.expires.value_or(300);
  if (!request.contacts.empty()) {
    if (const auto value = sip::findParameter(request.contacts[0].parameters, "expires")) {
      expires = static_cast<std::uint32_t>(std::stoul(std::string(*value)));
    }
  }
  if (expires == 0) {
    locations_.erase(user);
    registered_.erase(user);
  } else {
    locations_[user] = from;
    registered_.insert(user);
  }
  response.expires = expires;
  for (auto contact : request.contacts) {
    sip::setParameter(contact.parameters, "expires", std::to_string(expires));
    if (expires > 0) response.contacts.push_back(contact);
  }
  deliver(from, sip::ResponseReceived{send.id, response});
}

// Asks now and then whether that agent lives.
void SipNetwork::probe(const std::string& to) {
  clock_.after(kProbeInterval, [this, to] {
    sip::Request request;
    request.method = sip::Method::Options;
    request.uri = *sip::Uri::parse("sip:" + to);
    request.from.uri = *sip::Uri::parse("sip:server@sim");
    request.from.tag = "p" + std::to_string(last_ + 1);
    request.to.uri = request.uri;
    request.callId = "probe" + std::to_string(last_ + 1);
    request.cseq = 1;
    forward({}, sip::SendRequest{.id = {}, .request = request, .destination = {}}, to);
    probe(to);
  });
}

void SipNetwork::handleProbeAnswer(const Transaction& transaction, const sip::Response& response) {
  ++counters_.probesAnswered;
  if (response.status != 200 && fault_.empty())
    fault_ = transaction.server + " answers OPTIONS with " + std::to_string(response.status);
}

// ---- requests ----

void SipNetwork::send(const std::string& from, sip::SendRequest&& send) {
  const bool outside = send.request.to.tag.empty();
  if (lost() || (outside && away() && random_.below(2) == 0)) {
    if (send.request.method == sip::Method::Bye) {
      byesLost_.insert(send.request.callId);
      usersOfLostByes_.insert({send.request.from.uri.user, send.request.to.uri.user});
    }
    return failLater(from, send.id, kTimeout);
  }
  if (outside && away())
    return deliver(from, sip::ResponseReceived{send.id, serverResponse(send.request, 503, "Service Unavailable")});
  if (auto response = obstacle(send.request))
    return deliver(from, sip::ResponseReceived{send.id, std::move(*response)});
  if (send.request.method == sip::Method::Register) return registerUser(from, send);
  const std::string to = route(send.request);
  if (send.request.method == sip::Method::Options && outside && to.empty())  // to the server itself
    return deliver(from, sip::ResponseReceived{send.id, serverResponse(send.request, 200, "OK")});
  if (const auto group = groups_.find(send.request.uri.user); group != groups_.end() && outside)
    return forwardToGroup(from, send, group->second);
  if (to.empty()) return deliver(from, sip::ResponseReceived{send.id, serverResponse(send.request, 404, "Not Found")});
  forward(from, send, to);
}

void SipNetwork::forwardToGroup(const std::string& from, const sip::SendRequest& send,
                                const std::vector<std::string>& group) {
  ++counters_.forks;
  const auto fork = std::make_shared<Fork>(Fork{.open = group.size()});
  for (const auto& to : group) fork->branches.push_back(forward(from, send, to, fork));
}

std::uint64_t SipNetwork::forward(const std::string& from, const sip::SendRequest& send, const std::string& to,
                                  std::shared_ptr<Fork> fork, int forwards) {
  const std::uint64_t number = ++last_;
  sip::Request request = send.request;
  applyManners(request, from, to);
  if (request.contentType == kNotifyType) {
    request.method = request.body == "options" ? sip::Method::Options : sip::Method::Notify;
    request.event = std::exchange(request.body, {});
    request.contentType.clear();
    if (request.method == sip::Method::Options)
      request.event.clear();
    else
      request.subscriptionState = "active";
  }
  transactions_[number] = {.client = from,
                           .id = send.id,
                           .server = to,
                           .request = send.request,
                           .sentAt = clock_.now(),
                           .fork = std::move(fork),
                           .forwards = forwards};
  byClient_.emplace(std::pair(from, static_cast<std::uint64_t>(send.id)), number);
  deliver(to, sip::RequestReceived{sip::ServerTransactionId{number}, std::move(request),
                                   SocketAddress{IpAddress::v4(0x0a000001), 5060}});
  return number;
}

void SipNetwork::send(const std::string&, sip::SendAck&& send) {
  if (lost()) return;
  const std::string to = route(send.request);
  for (auto& [number, transaction] : transactions_) {
    if (transaction.request.method == sip::Method::Invite && transaction.request.callId == send.request.callId &&
        transaction.request.cseq == send.request.cseq && transaction.server == to) {
      transaction.acknowledged = true;
    }
  }
  deliver(to, sip::AckReceived{std::move(send.request)});
}

void SipNetwork::send(const std::string& from, sip::CancelRequest&& cancel) {
  const auto [first, last] = byClient_.equal_range({from, static_cast<std::uint64_t>(cancel.id)});
  for (auto found = first; found != last; ++found) {
    Transaction& transaction = transactions_.at(found->second);
    transaction.forwards = kForwardsMax;
    if (!transaction.answered)
      deliver(transaction.server, sip::CancelReceived{sip::ServerTransactionId{found->second}, cancel.reasons});
  }
}

// ---- responses ----

void SipNetwork::send(const std::string&, sip::SendResponse&& send) {
  const auto number = static_cast<std::uint64_t>(send.id);
  const auto found = transactions_.find(number);
  if (found == transactions_.end() || found->second.answered) return;
  Transaction& transaction = found->second;
  sip::Response& response = send.response;
  const bool invite = transaction.request.method == sip::Method::Invite;
  const bool final = response.status >= 200;
  response.method = transaction.request.method;
  applyManners(response, transaction.server, transaction.client);
  if (response.status == 180 && !response.rseq && response.body.empty() && random_.below(4) == 0) response.status = 183;
  transaction.answered = final;
  if (final) forgetLater(number);
  if (transaction.client.empty()) return final ? handleProbeAnswer(transaction, response) : void();
  if (lost() && (!final || !invite)) {
    ++counters_.responsesLost;
    if (final) failLater(transaction.client, transaction.id, transaction.sentAt + kTimeout - clock_.now());
    return;
  }
  if (passesOn(transaction, response)) deliver(transaction.client, sip::ResponseReceived{transaction.id, response});
  if (!final || !invite || response.status >= 300) return;
  if (transaction.fork) endOtherBranches(transaction, number);
  repeat(number, response, std::chrono::milliseconds(500), clock_.now() + kTimeout);
}

// A refusal is kept back while another branch is open, or tried.
bool SipNetwork::passesOn(Transaction& transaction, const sip::Response& response) {
  if (response.status < 200) return true;
  if (!transaction.fork) return response.status < 300 || !forwardElsewhere(transaction, response);
  Fork& fork = *transaction.fork;
  --fork.open;
  if (response.status < 300) {
    fork.won = true;
    return true;
  }
  if (fork.open == 0) return !fork.won;
  tellBranchEnd(transaction, response);
  return false;
}

// Call forwarding: whoever does not answer has somebody else to call, in an early dialog of its own.
bool SipNetwork::forwardElsewhere(const Transaction& transaction, const sip::Response& refusal) {
  const sip::Request& request = transaction.request;
  const bool may = request.method == sip::Method::Invite && request.to.tag.empty() && !request.replaces &&
                   transaction.forwards < kForwardsMax && refusal.status != 401 && refusal.status != 407 &&
                   refusal.status != 422 && refusal.status / 100 != 6;
  if (!may || random_.below(4) != 0) return false;
  const auto place = static_cast<std::ptrdiff_t>(random_.below(locations_.size()));
  const std::string to = std::next(locations_.begin(), place)->second;
  if (to == transaction.client || to == watched_) return false;
  ++counters_.forwards;
  diverted_.insert(request.callId);
  tellBranchEnd(transaction, refusal);
  const sip::SendRequest again{.id = transaction.id, .request = request, .destination = {}};
  forward(transaction.client, again, to, {}, transaction.forwards + 1);
  return true;
}

// RFC 6228.
void SipNetwork::tellBranchEnd(const Transaction& transaction, const sip::Response& refusal) {
  if (!sip::hasOption(transaction.request.supported, "199") || random_.below(2) == 0) return;
  ++counters_.branchEnds;
  auto response = serverResponse(transaction.request, 199, "Early Dialog Terminated");
  response.to = refusal.to;
  deliver(transaction.client, sip::ResponseReceived{transaction.id, response});
}

// At once, or so late that a second one may answer too.
void SipNetwork::endOtherBranches(const Transaction& winner, std::uint64_t number) {
  const Duration patience = std::chrono::milliseconds(random_.below(2) == 0 ? 0 : random_.below(6000));
  for (const auto branch : winner.fork->branches) {
    if (branch == number) continue;
    clock_.after(patience, [this, branch] {
      const auto found = transactions_.find(branch);
      if (found == transactions_.end() || found->second.answered) return;
      ++counters_.cancelledBranches;
      deliver(found->second.server, sip::CancelReceived{sip::ServerTransactionId{branch}, {}});
    });
  }
}

void SipNetwork::forgetLater(std::uint64_t number) {
  clock_.after(std::chrono::seconds(40), [this, number] {
    const auto done = transactions_.find(number);
    if (done == transactions_.end()) return;
    const auto [first, last] =
        byClient_.equal_range({done->second.client, static_cast<std::uint64_t>(done->second.id)});
    byClient_.erase(std::find_if(first, last, [number](const auto& entry) { return entry.second == number; }));
    transactions_.erase(done);
  });
}

void SipNetwork::repeat(std::uint64_t number, const sip::Response& response, Duration after, TimePoint until) {
  clock_.after(after, [this, number, response, after, until] {
    const auto found = transactions_.find(number);
    if (found == transactions_.end() || found->second.acknowledged || clock_.now() >= until) return;
    deliver(found->second.client, sip::ResponseReceived{found->second.id, response});
    repeat(number, response, std::min<Duration>(2 * after, std::chrono::seconds(4)), until);
  });
}

}  // namespace crosspoint::sim
