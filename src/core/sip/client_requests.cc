// Requests on their way, their deadlines and their challenges.
#include "core/sip/client_requests.h"

#include <algorithm>
#include <utility>

namespace crosspoint::sip {

ClientRequests::ClientRequests(Environment& environment, Owner owner, Credentials credentials)
    : environment_(environment),
      owner_(owner),
      authenticator_(std::move(credentials.user), std::move(credentials.password)) {}

ClientRequests::~ClientRequests() { forgetAll(); }

void ClientRequests::setCredentials(Credentials credentials) {
  authenticator_.setCredentials(std::move(credentials.user), std::move(credentials.password));
}

ClientTransactionId ClientRequests::send(TimePoint now, Request request, Uri destination) {
  authenticator_.authorize(request, environment_.random);
  if (request.userAgent.empty()) request.userAgent = environment_.config.userAgent;
  Entry entry{.id = environment_.newTransaction(owner_),
              .request = std::move(request),
              .destination = std::move(destination),
              .deadline = now + environment_.config.timers.noResponse};
  environment_.send(SendRequest{entry.id, entry.request, entry.destination});
  entries_.push_back(std::move(entry));
  return entries_.back().id;
}

bool ClientRequests::retryWithCredentials(TimePoint now, Entry& entry, const Response& response,
                                          std::uint32_t& localCseq) {
  // Inside a dialog a far end asks, which has no business with other realms than the server's, where that has one.
  const auto server = environment_.serverRealms.find(authenticator_.user());
  const bool bounded = !entry.request.to.tag.empty() && server != environment_.serverRealms.end();
  const auto* known = bounded ? &server->second.names : nullptr;
  if (entry.cancelWanted || !authenticator_.handleChallenges(response.challenges, entry.challenges, known))
    return false;
  environment_.clientTransactions.erase(entry.id);
  entry.id = environment_.newTransaction(owner_);
  entry.request.cseq = ++localCseq;  // RFC 3261 §22.2
  authenticator_.authorize(entry.request, environment_.random);
  entry.phase = Phase::Trying;
  entry.deadline = now + environment_.config.timers.noResponse;
  environment_.send(SendRequest{entry.id, entry.request, entry.destination});
  return true;
}

void ClientRequests::handleProvisional(TimePoint now, Entry& entry, TimePoint ringDeadline) {
  if (entry.phase != Phase::Trying) return;
  entry.phase = Phase::Proceeding;
  if (entry.request.method != Method::Invite) return;  // timer F runs on (RFC 3261 §17.1.2.2)
  entry.deadline = ringDeadline;
  if (entry.cancelWanted) sendCancel(now, entry);
}

void ClientRequests::cancel(TimePoint now, Entry& entry, std::vector<Reason> reasons) {
  if (entry.cancelWanted || entry.phase == Phase::Answered) return;
  entry.cancelWanted = true;
  entry.cancelReasons = std::move(reasons);
  if (entry.phase == Phase::Proceeding) sendCancel(now, entry);
}

void ClientRequests::sendCancel(TimePoint now, Entry& entry) {
  entry.cancelSent = true;
  entry.deadline = now + environment_.config.timers.afterCancel;
  environment_.send(CancelRequest{entry.id, entry.cancelReasons});
}

void ClientRequests::markAnswered(TimePoint now, ClientTransactionId id) {
  Entry* entry = find(id);
  if (entry == nullptr || entry->phase == Phase::Answered) return;
  const auto old = std::ranges::find_if(
      entries_, [](const Entry& other) { return other.phase == Phase::Answered && !other.request.to.tag.empty(); });
  if (old != entries_.end()) forget(old->id);
  entry = find(id);
  entry->phase = Phase::Answered;
  entry->deadline = now + environment_.config.timers.ackWait;
}

bool ClientRequests::awaitsFurtherAnswers() const {
  return std::ranges::any_of(
      entries_, [](const Entry& entry) { return entry.phase == Phase::Answered && entry.request.to.tag.empty(); });
}

void ClientRequests::forget(ClientTransactionId id) {
  environment_.clientTransactions.erase(id);
  std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; });
}

void ClientRequests::forgetAll() {
  for (const auto& entry : entries_) environment_.clientTransactions.erase(entry.id);
  entries_.clear();
}

ClientRequests::Entry* ClientRequests::find(ClientTransactionId id) {
  const auto found = std::ranges::find(entries_, id, &Entry::id);
  return found == entries_.end() ? nullptr : &*found;
}

ClientRequests::Entry* ClientRequests::findUnanswered(Method method) {
  const auto found = std::ranges::find_if(entries_, [method](const Entry& entry) {
    return entry.request.method == method && entry.phase != Phase::Answered;
  });
  return found == entries_.end() ? nullptr : &*found;
}

std::size_t ClientRequests::unanswered() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const Entry& e) { return e.phase != Phase::Answered; }));
}

ClientRequests::Entry* ClientRequests::expired(TimePoint now) {
  const auto found = std::ranges::find_if(entries_, [now](const Entry& entry) { return entry.deadline <= now; });
  return found == entries_.end() ? nullptr : &*found;
}

std::optional<TimePoint> ClientRequests::nextDeadline() const {
  std::optional<TimePoint> next;
  for (const auto& entry : entries_) next = earlier(next, entry.deadline);
  return next;
}

}  // namespace crosspoint::sip
