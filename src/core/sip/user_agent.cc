// The tables of one user agent: whose message is it, whose timer is it, may there be one more.
#include <algorithm>
#include <utility>

#include "core/params/media.h"
#include "core/sip/refer.h"
#include "core/sip/user_agent_impl.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kIdentifierBytesMax = 256;   // Call-ID and tags of far ends
constexpr std::uint32_t kCseqMax = 0x7fffffff;     // RFC 3261 §8.1.1.5
constexpr std::uint32_t kRetryAfterOverload = 10;  // seconds
constexpr std::size_t kDyingCallsPerLive = 2;      // room for calls whose last messages are still being exchanged

// Extensions that a request may require.
constexpr std::string_view kOptions[] = {kReliable, kTimer, kReplacesOption, kNoReferSubOption};

// What a request demands and we do not know.
std::vector<std::string> unknownOptions(std::vector<std::string> required) {
  std::erase_if(required, [](const std::string& tag) {
    return std::ranges::any_of(kOptions, [&](auto known) { return namesEqual(tag, known); });
  });
  return required;
}

// 0, or the status with which a request is refused whoever it is for.
int faultOf(const Request& request) {
  if (request.callId.empty() || request.callId.size() > kIdentifierBytesMax) return 400;
  if (request.from.tag.size() > kIdentifierBytesMax || request.to.tag.size() > kIdentifierBytesMax) return 400;
  if (request.from.tag.empty() && request.to.tag.empty()) return 400;
  if (request.cseq > kCseqMax) return 400;
  if (request.body.size() > kBodyBytesMax) return 413;
  // RFC 3891 §3: one, in an INVITE, and nothing that contradicts it.
  if (request.replacesBad || (request.replaces && request.method != Method::Invite)) return 400;
  return 0;
}

}  // namespace

// ---- Whose message is it ----

void UserAgent::Impl::answer(ServerTransactionId id, Response response) {
  response.userAgent = environment_.config.userAgent;
  environment_.send(SendResponse{id, std::move(response)});
}

void UserAgent::Impl::answer(ServerTransactionId id, const Request& request, int status) {
  answer(id, makeResponse(request, status, environment_.newToken()));
}

Call* UserAgent::Impl::callByTag(const std::string& localTag, const std::string& callId) {
  const auto id = byLocalTag_.find(localTag);
  if (id == byLocalTag_.end()) return nullptr;
  Call* call = calls_.at(id->second).get();
  return call->callId() == callId ? call : nullptr;
}

void UserAgent::Impl::handle(TimePoint now, RequestReceived received) {
  const Request& request = received.request;
  if (request.method == Method::Ack || request.method == Method::Cancel) return;  // they come by other doors
  if (const int fault = faultOf(request); fault != 0) {
    ++environment_.counters.malformed;
    return answer(received.id, request, fault);
  }
  if (auto unknown = unknownOptions(request.require); !unknown.empty()) {  // §8.2.2.3
    Response response = makeResponse(request, 420, environment_.newToken());
    response.unsupported = std::move(unknown);
    return answer(received.id, std::move(response));
  }
  if (request.to.tag.empty()) return handleNewRequest(now, std::move(received));
  Call* call = callByTag(request.to.tag, request.callId);
  if (call == nullptr) {
    ++environment_.counters.strayRequests;
    return answer(received.id, request, 481);
  }
  const CallId id = byLocalTag_.at(request.to.tag);
  call->handleRequest(now, std::move(received));
  review(id);
}

void UserAgent::Impl::handleNewRequest(TimePoint now, RequestReceived received) {
  const Request& request = received.request;
  switch (request.method) {
    case Method::Invite:
      return handleNewInvite(now, std::move(received));
    case Method::Bye:
    case Method::Info:
    case Method::Notify:
    case Method::Prack:
    case Method::Update:
      ++environment_.counters.strayRequests;
      return answer(received.id, request, 481);
    default:
      break;
  }
  const int status = request.method == Method::Options ? 200
                     : request.method == Method::Refer ? 403  // nobody is called on behalf of strangers
                     : request.method == Method::Other ? 501
                                                       : 405;
  Response response = makeResponse(request, status, environment_.newToken());
  addCapabilities(response, environment_.config);
  answer(received.id, std::move(response));
}

void UserAgent::Impl::handleNewInvite(TimePoint now, RequestReceived received) {
  const Request& request = received.request;
  if (request.contacts.empty() || request.contacts.front().uri.empty()) {
    ++environment_.counters.malformed;
    return answer(received.id, request, 400);
  }
  if (!request.body.empty() && !isSdp(request.contentType)) {
    Response response = makeResponse(request, 415, environment_.newToken());
    response.accept = {"application/sdp"};
    return answer(received.id, std::move(response));
  }
  if (const auto least = intervalTooSmall(request, environment_.config.minSe)) {
    Response response = makeResponse(request, 422, environment_.newToken());
    response.minSe = least;
    return answer(received.id, std::move(response));
  }
  std::optional<CallId> replaced;
  if (request.replaces) {
    const auto named = callToReplace(*request.replaces);
    if (!named) return answer(received.id, request, named.error());
    replaced = *named;
  }
  if (!roomForCall()) {
    Response response = makeResponse(request, 503, environment_.newToken());
    response.retryAfter = kRetryAfterOverload;
    return answer(received.id, std::move(response));
  }
  const CallId id{++lastId_};
  add(std::make_unique<Call>(environment_, id, now, std::move(received), replaced), id);
}

std::expected<CallId, int> UserAgent::Impl::callToReplace(const Replaces& replaces) {
  Call* call = callByTag(replaces.toTag, replaces.callId);
  if (call == nullptr) return std::unexpected(481);
  if (const auto allowed = call->mayBeReplaced(replaces); !allowed) return std::unexpected(allowed.error());
  return byLocalTag_.at(replaces.toTag);
}

void UserAgent::Impl::handle(TimePoint now, const AckReceived& received) {
  Call* call = callByTag(received.request.to.tag, received.request.callId);
  if (call == nullptr) return;
  const CallId id = byLocalTag_.at(received.request.to.tag);
  call->handleAck(now, received.request);
  review(id);
}

void UserAgent::Impl::handle(TimePoint now, const CancelReceived& received) {
  const auto found = environment_.inviteTransactions.find(received.id);
  if (found == environment_.inviteTransactions.end()) return;
  const CallId id = found->second;
  calls_.at(id)->handleCancel(now, received.id, received.reasons);
  review(id);
}

void UserAgent::Impl::handle(TimePoint now, const ResponseReceived& received) {
  const auto found = environment_.clientTransactions.find(received.id);
  if (found == environment_.clientTransactions.end() || received.response.status < 100 ||
      received.response.status > 699) {
    ++environment_.counters.strayResponses;
    return;
  }
  const Owner owner = found->second;
  if (const auto* call = std::get_if<CallId>(&owner)) {
    calls_.at(*call)->handleResponse(now, received.id, received.response);
    review(*call);
  } else if (const auto* registration = std::get_if<RegistrationId>(&owner)) {
    registrations_.at(*registration)->handleResponse(now, received.id, received.response);
    review(*registration);
  } else if (watch_.handleResponse(now, received.id, received.response)) {
    handleServerReturned(now);
  }
}

void UserAgent::Impl::handle(TimePoint now, const TransactionFailed& failed) {
  const auto found = environment_.clientTransactions.find(failed.id);
  if (found == environment_.clientTransactions.end()) return;
  const int status = failed.cause == TransactionFailed::Cause::Timeout ? 408 : 503;  // §8.1.3.1
  const Owner owner = found->second;
  if (const auto* call = std::get_if<CallId>(&owner)) {
    calls_.at(*call)->handleFailure(now, failed.id, status, failed.reason);
    review(*call);
  } else if (const auto* registration = std::get_if<RegistrationId>(&owner)) {
    registrations_.at(*registration)->handleFailure(now, failed.id, status, failed.reason);
    review(*registration);
  } else {
    watch_.handleFailure(now, failed.id, status);
  }
}

// ---- Whose timer is it ----

void UserAgent::Impl::handleTimeout(TimePoint now) {
  while (const auto due = callDeadlines_.due(now)) {
    const CallId id{*due};
    calls_.at(id)->handleTimeout(now);
    review(id);
  }
  while (const auto due = registrationDeadlines_.due(now)) {
    const RegistrationId id{*due};
    registrations_.at(id)->handleTimeout(now);
    review(id);
  }
  watch_.handleTimeout(now);
}

// A server that was away may have forgotten every binding. Those that are known to be lost come first.
void UserAgent::Impl::handleServerReturned(TimePoint now) {
  const auto timeFor = [&](std::size_t registers) {
    const std::size_t perSecond = std::max<std::size_t>(environment_.config.limits.registersPerSecond, 1);
    return Duration(std::chrono::seconds(registers)) / static_cast<std::int64_t>(perSecond);
  };
  const auto lost = static_cast<std::size_t>(
      std::ranges::count_if(registrations_, [](const auto& entry) { return entry.second->lost(); }));
  for (auto& [id, registration] : registrations_) {
    const bool first = registration->lost();
    registration->renew(now, first ? Duration::zero() : timeFor(lost), timeFor(first ? lost : registrations_.size()));
    registrationDeadlines_.set(static_cast<std::uint64_t>(id), registration->nextTimeout());
  }
}

void UserAgent::Impl::review(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const Call& call = *found->second;
  if (call.ended()) live_.erase(id);
  if (!call.gone()) return callDeadlines_.set(static_cast<std::uint64_t>(id), call.nextTimeout());
  callDeadlines_.set(static_cast<std::uint64_t>(id), std::nullopt);
  byLocalTag_.erase(call.localTag());
  calls_.erase(found);
}

void UserAgent::Impl::review(RegistrationId id) {
  const auto found = registrations_.find(id);
  if (found == registrations_.end()) return;
  if (found->second->state() == Registration::State::Gone) return remove(id);
  registrationDeadlines_.set(static_cast<std::uint64_t>(id), found->second->nextTimeout());
}

void UserAgent::Impl::remove(RegistrationId id) {
  const auto found = registrations_.find(id);
  if (const auto leaving = leaving_.find(found->second->user()); leaving != leaving_.end() && leaving->second == id) {
    leaving_.erase(leaving);
  }
  registrationDeadlines_.set(static_cast<std::uint64_t>(id), std::nullopt);
  registrations_.erase(found);
}

// ---- May there be one more ----

bool UserAgent::Impl::roomForCall() {
  const std::size_t limit = environment_.config.limits.calls;
  if (live_.size() < limit && calls_.size() < limit * kDyingCallsPerLive) return true;
  ++environment_.counters.callsRefusedByLimit;
  return false;
}

CallId UserAgent::Impl::add(std::unique_ptr<Call> call, CallId id) {
  byLocalTag_.emplace(call->localTag(), id);
  calls_.emplace(id, std::move(call));
  live_.insert(id);
  review(id);
  return id;
}

}  // namespace crosspoint::sip
