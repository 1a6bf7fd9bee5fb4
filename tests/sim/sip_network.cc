#include "tests/sim/sip_network.h"

#include <algorithm>

namespace crosspoint::sim {
namespace {

std::string hostPort(const sip::Uri& uri) { return uri.host + ":" + std::to_string(uri.port); }

sip::Response responseTo(const sip::Request& request, int status, std::string reason) {
  sip::Response response;
  response.from = request.from;
  response.to = request.to;
  response.callId = request.callId;
  response.cseq = request.cseq;
  response.method = request.method;
  response.status = status;
  response.reason = std::move(reason);
  return response;
}

}  // namespace

void SipNetwork::send(const std::string& from, sip::Outgoing&& outgoing) {
  rules_[from].check(outgoing);
  std::visit([&](auto& what) { send(from, std::move(what)); }, outgoing);
}

void SipNetwork::deliver(const std::string& to, sip::Incoming incoming) {
  clock_.after(network_.delay(), [this, to, incoming = std::move(incoming)]() mutable {
    const auto agent = agents_.find(to);
    if (agent == agents_.end()) return;
    auto& rules = rules_[to];
    if (const auto* request = std::get_if<sip::RequestReceived>(&incoming)) rules.requestReceived(*request);
    if (const auto* response = std::get_if<sip::ResponseReceived>(&incoming))
      rules.responseReceived(response->id, response->response);
    if (const auto* failed = std::get_if<sip::TransactionFailed>(&incoming)) rules.failed(failed->id);
    agent->second(std::move(incoming));
  });
}

std::string SipNetwork::route(const sip::Request& request) const {
  if (const auto direct = hostPort(request.uri); agents_.contains(direct)) return direct;
  const auto located = locations_.find(request.uri.user);
  return located == locations_.end() ? std::string() : located->second;
}

void SipNetwork::registerUser(const std::string& from, const sip::SendRequest& send) {
  const sip::Request& request = send.request;
  auto response = responseTo(request, 200, "OK");
  response.to.tag = "registrar";
  std::uint32_t expires = request.expires.value_or(300);
  if (!request.contacts.empty()) {
    if (const auto value = sip::findParameter(request.contacts[0].parameters, "expires")) {
      expires = static_cast<std::uint32_t>(std::stoul(std::string(*value)));
    }
  }
  if (expires == 0)
    locations_.erase(request.to.uri.user);
  else
    locations_[request.to.uri.user] = from;
  response.expires = expires;
  for (auto contact : request.contacts) {
    sip::setParameter(contact.parameters, "expires", std::to_string(expires));
    if (expires > 0) response.contacts.push_back(contact);
  }
  deliver(from, sip::ResponseReceived{send.id, response});
}

void SipNetwork::send(const std::string& from, sip::SendRequest&& send) {
  if (random_.below(1000) < lostPermille_) {
    clock_.after(std::chrono::seconds(32), [this, from, id = send.id] { deliver(from, sip::TransactionFailed{id}); });
    return;
  }
  if (auto response = obstacle(send.request))
    return deliver(from, sip::ResponseReceived{send.id, std::move(*response)});
  if (send.request.method == sip::Method::Register) return registerUser(from, send);
  if (const auto group = groups_.find(send.request.uri.user); group != groups_.end() && send.request.to.tag.empty()) {
    const auto fork = std::make_shared<Fork>(Fork{.open = group->second.size()});
    for (const auto& to : group->second) forward(from, send, to, fork);
    return;
  }
  const std::string to = route(send.request);
  if (to.empty()) {
    deliver(from, sip::ResponseReceived{send.id, responseTo(send.request, 404, "Not Found")});
    return;
  }
  forward(from, send, to);
}

void SipNetwork::forward(const std::string& from, const sip::SendRequest& send, const std::string& to,
                         std::shared_ptr<Fork> fork) {
  const std::uint64_t number = ++last_;
  sip::Request request = send.request;
  if (request.contentType == kNotifyType) {
    request.method = sip::Method::Notify;
    request.event = std::exchange(request.body, {});
    request.contentType.clear();
    request.subscriptionState = "active";
  }
  transactions_[number] = {
      .client = from, .id = send.id, .server = to, .request = send.request, .fork = std::move(fork)};
  byClient_.emplace(std::pair(from, static_cast<std::uint64_t>(send.id)), number);
  deliver(to, sip::RequestReceived{sip::ServerTransactionId{number}, std::move(request),
                                   SocketAddress{IpAddress::v4(0x0a000001), 5060}});
}

std::optional<sip::Response> SipNetwork::obstacle(const sip::Request& request) {
  if (request.authorizations.empty() && random_.below(100) < 3) {
    auto response = responseTo(request, 407, "Proxy Authentication Required");
    response.to.tag = "server";
    response.challenges = {{.proxy = true,
                            .scheme = "Digest",
                            .parameters = {{"realm", "\"sim\""}, {"nonce", "\"n\""}, {"qop", "\"auth\""}}}};
    return response;
  }
  if (request.method == sip::Method::Invite && request.to.tag.empty() && !locations_.empty() &&
      random_.below(100) < 2) {
    auto response = responseTo(request, 302, "Moved Temporarily");
    response.to.tag = "server";
    sip::NameAddr contact;
    contact.uri = request.uri;
    contact.uri.user = std::next(locations_.begin(), static_cast<long>(random_.below(locations_.size())))->first;
    response.contacts = {contact};
    return response;
  }
  return std::nullopt;
}

void SipNetwork::send(const std::string&, sip::SendAck&& send) {
  if (random_.below(1000) < lostPermille_) return;
  const std::string to = route(send.request);
  for (auto& [number, transaction] : transactions_) {
    if (transaction.request.method == sip::Method::Invite && transaction.request.callId == send.request.callId &&
        transaction.request.cseq == send.request.cseq) {
      transaction.acknowledged = true;
    }
  }
  deliver(to, sip::AckReceived{std::move(send.request)});
}

void SipNetwork::send(const std::string& from, sip::CancelRequest&& cancel) {
  const auto [first, last] = byClient_.equal_range({from, static_cast<std::uint64_t>(cancel.id)});
  for (auto found = first; found != last; ++found) {
    const Transaction& transaction = transactions_.at(found->second);
    if (!transaction.answered)
      deliver(transaction.server, sip::CancelReceived{sip::ServerTransactionId{found->second}, cancel.reasons});
  }
}

void SipNetwork::send(const std::string&, sip::SendResponse&& send) {
  const auto number = static_cast<std::uint64_t>(send.id);
  const auto found = transactions_.find(number);
  if (found == transactions_.end() || found->second.answered) return;
  Transaction& transaction = found->second;
  const bool success = send.response.status >= 200 && send.response.status < 300;
  bool passed = true;
  if (transaction.fork && send.response.status >= 200) {  // a refusal of one branch is kept back while another is open
    --transaction.fork->open;
    transaction.fork->won |= success;
    passed = success || (transaction.fork->open == 0 && !transaction.fork->won);
  }
  send.response.method = transaction.request.method;
  if (passed) deliver(transaction.client, sip::ResponseReceived{transaction.id, send.response});
  if (send.response.status < 200) return;
  transaction.answered = true;
  const bool repeated = transaction.request.method == sip::Method::Invite && send.response.status < 300;
  if (repeated) repeat(number, send.response, std::chrono::milliseconds(500), clock_.now() + std::chrono::seconds(32));
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
