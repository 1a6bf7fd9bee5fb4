#include "core/ice/gatherer.h"

#include <algorithm>

#include "core/ice/candidate.h"
#include "core/ice/messages.h"

namespace crosspoint::ice {
namespace {

// Whether the server can be reached from there at all, and would see another address than a link-local one.
bool canAsk(const IpAddress& local, const IpAddress& server) {
  return canPair(local, server) && local.isLoopback() == server.isLoopback();
}

}  // namespace

Gatherer::Gatherer(std::span<const LocalSocket> sockets, std::span<const SocketAddress> servers,
                   std::uint32_t transactionPrefix)
    : sockets_(sockets.begin(), sockets.end()), transactionPrefix_(transactionPrefix) {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    candidates_.push_back(hostCandidate(sockets_[i].address, i));
    for (const SocketAddress& server : servers) {
      if (canAsk(sockets_[i].address.ip, server.ip)) requests_.push_back({i, server, std::nullopt});
    }
  }
}

void Gatherer::startNext(TimePoint now, const stun::ClientTransaction::Config& config, Random& random) {
  requests_[started_++].transaction.emplace(config, makeTransactionId(transactionPrefix_, random), now);
}

bool Gatherer::handleResponse(SocketId socket, const SocketAddress& from, const stun::MessageView& response) {
  const auto request = std::ranges::find_if(requests_, [&](const Request& r) {
    return r.transaction && r.transaction->id() == response.transactionId() && r.server == from &&
           sockets_[r.local].socket == socket;
  });
  if (request == requests_.end()) return false;
  request->transaction.reset();
  const auto mapped = response.xorMappedAddress();
  if (response.messageClass() != stun::Class::Success || !mapped) return true;
  // RFC 8445 §5.1.3: one that says nothing new is left out.
  const bool known = std::ranges::find(candidates_, *mapped, &Candidate::address) != candidates_.end();
  if (!known && mapped->port != 0 && !mapped->ip.isUnspecified()) {
    candidates_.push_back(
        serverReflexiveCandidate(*mapped, sockets_[request->local].address, request->server.ip, request->local));
  }
  return true;
}

void Gatherer::handleTimeout(TimePoint now) {
  for (Request& request : requests_) {
    if (request.transaction) request.transaction->handleTimeout(now);
  }
}

std::optional<Gatherer::Send> Gatherer::pollOutput() {
  for (Request& request : requests_) {
    if (!request.transaction) continue;
    const auto output = request.transaction->pollOutput();
    if (output == stun::ClientTransaction::Output::Send) {
      return Send{sockets_[request.local].socket, request.server, request.transaction->id()};
    }
    if (output == stun::ClientTransaction::Output::TimedOut) request.transaction.reset();
  }
  return std::nullopt;
}

std::optional<TimePoint> Gatherer::nextTimeout() const {
  std::optional<TimePoint> next;
  for (const Request& request : requests_) {
    if (request.transaction) next = earlier(next, request.transaction->nextTimeout());
  }
  return next;
}

bool Gatherer::done() const {
  return !hasNext() && std::ranges::none_of(requests_, [](const Request& r) { return r.transaction.has_value(); });
}

}  // namespace crosspoint::ice
