// The tables of one user agent: whose message is it, whose timer is it, may there be one more.
#include "core/sip/user_agent.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/params/media.h"
#include "core/sip/call.h"
#include "core/sip/deadlines.h"
#include "core/sip/environment.h"
#include "core/sip/refer.h"
#include "core/sip/registration.h"
#include "core/sip/server_watch.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kUserBytesMax = 256;
constexpr std::size_t kIdentifierBytesMax = 256;   // Call-ID and tags of far ends
constexpr std::uint32_t kCseqMax = 0x7fffffff;     // RFC 3261 §8.1.1.5
constexpr std::uint32_t kRetryAfterOverload = 10;  // seconds
constexpr std::size_t kDyingCallsPerLive = 2;      // room for calls whose last messages are still being exchanged

// What the owner's headers may not set: these belong to this engine or to the transport.
constexpr std::string_view kOwnHeaders[] = {"From",
                                            "To",
                                            "Call-ID",
                                            "CSeq",
                                            "Via",
                                            "Contact",
                                            "Route",
                                            "Record-Route",
                                            "Max-Forwards",
                                            "Content-Length",
                                            "Content-Type",
                                            "Authorization",
                                            "Proxy-Authorization",
                                            "f",
                                            "t",
                                            "i",
                                            "v",
                                            "m",
                                            "l",
                                            "c"};

// Extensions that a request may require.
constexpr std::string_view kOptions[] = {kReliable, kTimer, kReplacesOption, kNoReferSubOption};

bool isToken(std::string_view name) {  // RFC 3261 §25.1
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-.!%*_+`'~").find(c) != std::string_view::npos;
  });
}

bool cleanHeaders(std::vector<Header>& headers) {
  if (headers.size() > kExtraHeadersMax) return false;
  for (auto& header : headers) {
    if (!isToken(header.name) || header.value.size() > kHeaderValueBytesMax) return false;
    if (std::ranges::any_of(kOwnHeaders, [&](auto own) { return namesEqual(own, header.name); })) return false;
    header.value = withoutControls(header.value);
  }
  return true;
}

bool fitsUser(std::string_view user) { return !user.empty() && user.size() <= kUserBytesMax; }

// A body of the owner's that has to say something.
bool fitsBody(std::string_view body) { return !body.empty() && body.size() <= kBodyBytesMax; }

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

std::string_view toString(CommandError error) {
  switch (error) {
    case CommandError::UnknownCall:
      return "unknown call";
    case CommandError::UnknownRegistration:
      return "unknown registration";
    case CommandError::WrongState:
      return "not possible in this state";
    case CommandError::OfferPending:
      return "an offer is pending";
    case CommandError::TooMany:
      return "limit reached";
    case CommandError::BadParameter:
      return "bad parameter";
  }
  return "unknown error";
}

class UserAgent::Impl {
 public:
  Impl(Config config, Random& random, TimePoint now)
      : environment_{.config = std::move(config), .random = random}, watch_(environment_, now) {}

  void handle(TimePoint now, RequestReceived received);
  void handle(TimePoint now, const AckReceived& received);
  void handle(TimePoint now, const CancelReceived& received);
  void handle(TimePoint now, const ResponseReceived& received);
  void handle(TimePoint now, const TransactionFailed& failed);
  void handleTimeout(TimePoint now);

  std::expected<RegistrationId, CommandError> registerUser(TimePoint now, std::string user, Credentials credentials,
                                                           std::chrono::seconds expires);
  CommandResult unregister(TimePoint now, RegistrationId id);
  CommandResult forget(RegistrationId id);
  std::expected<CallId, CommandError> invite(TimePoint now, InviteParameters parameters);
  // A user at the domain, or a whole URI.
  std::optional<Uri> targetOf(const std::string& to) const;
  CommandResult notifyRefer(TimePoint now, CallId id, ReferId refer, int status, std::string_view reason);

  // Runs `command` on a call that its owner still knows.
  template <typename Command>
  CommandResult command(CallId id, Command command) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || found->second->ended()) return std::unexpected(CommandError::UnknownCall);
    CommandResult result = command(*found->second);
    review(id);
    return result;
  }

  Environment environment_;
  std::unordered_map<CallId, std::unique_ptr<Call>> calls_;
  std::unordered_map<RegistrationId, std::unique_ptr<Registration>> registrations_;
  Deadlines<std::uint64_t> callDeadlines_, registrationDeadlines_;
  ServerWatch watch_;

 private:
  void handleNewRequest(TimePoint now, RequestReceived received);
  void handleNewInvite(TimePoint now, RequestReceived received);
  // The call that a Replaces header names; else the status with which its INVITE is refused.
  std::expected<CallId, int> callToReplace(const Replaces& replaces);
  void handleServerReturned(TimePoint now);
  void answer(ServerTransactionId id, const Request& request, int status);
  void answer(ServerTransactionId id, Response response);
  Call* callByTag(const std::string& localTag, const std::string& callId);
  bool roomForCall();
  CallId add(std::unique_ptr<Call> call, CallId id);
  // After anything happened to it: its deadline, its place among the live, its end.
  void review(CallId id);
  void review(RegistrationId id);
  void remove(RegistrationId id);

  std::unordered_map<std::string, CallId> byLocalTag_;
  std::unordered_set<CallId> live_;                          // those without `Ended`
  std::unordered_map<std::string, RegistrationId> leaving_;  // by user: being un-registered
  std::uint64_t lastId_ = 0;
};

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
    calls_.at(*call)->handleFailure(now, failed.id, status);
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

std::optional<Uri> UserAgent::Impl::targetOf(const std::string& to) const {
  const std::string scheme = to.substr(0, to.find(':'));
  std::optional<Uri> target;
  if (scheme.size() < to.size() &&
      (namesEqual(scheme, "sip") || namesEqual(scheme, "sips") || namesEqual(scheme, "tel"))) {
    target = Uri::parse(to);
  } else if (fitsUser(to)) {
    target = environment_.address(to).uri;
  }
  if (target) target->headers.clear();
  return target;
}

CommandResult UserAgent::Impl::notifyRefer(TimePoint now, CallId id, ReferId refer, int status,
                                           std::string_view reason) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return std::unexpected(CommandError::UnknownCall);
  CommandResult result = found->second->notifyRefer(now, refer, status, reason);
  review(id);
  return result;
}

std::expected<CallId, CommandError> UserAgent::Impl::invite(TimePoint now, InviteParameters parameters) {
  if (!fitsUser(parameters.fromUser) || parameters.fromDisplay.size() > kUserBytesMax || parameters.to.empty() ||
      (parameters.sdp && !fitsBody(*parameters.sdp)) || !cleanHeaders(parameters.extraHeaders)) {
    return std::unexpected(CommandError::BadParameter);
  }
  if ((parameters.replaces && !isWellFormed(*parameters.replaces)) ||
      (parameters.referredBy && parameters.referredBy->display.size() > kUserBytesMax)) {
    return std::unexpected(CommandError::BadParameter);
  }
  auto target = targetOf(parameters.to);
  if (!target) return std::unexpected(CommandError::BadParameter);
  if (!roomForCall()) return std::unexpected(CommandError::TooMany);
  const CallId id{++lastId_};
  return add(std::make_unique<Call>(environment_, id, now, std::move(parameters), std::move(*target)), id);
}

std::expected<RegistrationId, CommandError> UserAgent::Impl::registerUser(TimePoint now, std::string user,
                                                                          Credentials credentials,
                                                                          std::chrono::seconds expires) {
  if (!fitsUser(user) || credentials.user.size() > kUserBytesMax ||
      credentials.password.size() > kHeaderValueBytesMax) {
    return std::unexpected(CommandError::BadParameter);
  }
  Registration::Sequence sequence{environment_.newToken(), 0};
  if (const auto leaving = leaving_.find(user); leaving != leaving_.end()) {
    const RegistrationId old = leaving->second;
    sequence = registrations_.at(old)->sequence();
    environment_.emit(RegistrationEnded{old});
    remove(old);
  } else if (registrations_.size() >= environment_.config.limits.registrations) {
    ++environment_.counters.registrationsRefusedByLimit;
    return std::unexpected(CommandError::TooMany);
  }
  const RegistrationId id{++lastId_};
  registrations_.emplace(id, std::make_unique<Registration>(environment_, id, now, std::move(user),
                                                            std::move(credentials), expires, std::move(sequence)));
  review(id);
  return id;
}

CommandResult UserAgent::Impl::unregister(TimePoint now, RegistrationId id) {
  const auto found = registrations_.find(id);
  if (found == registrations_.end()) return std::unexpected(CommandError::UnknownRegistration);
  leaving_[found->second->user()] = id;
  found->second->unregister(now);
  review(id);
  return {};
}

CommandResult UserAgent::Impl::forget(RegistrationId id) {
  if (!registrations_.contains(id)) return std::unexpected(CommandError::UnknownRegistration);
  remove(id);
  return {};
}

// ---- The door ----

UserAgent::UserAgent(Config config, Random& random, TimePoint now)
    : impl_(std::make_unique<Impl>(std::move(config), random, now)) {}
UserAgent::~UserAgent() = default;

void UserAgent::handle(TimePoint now, Incoming incoming) {
  std::visit([&](auto& what) { impl_->handle(now, std::move(what)); }, incoming);
}
void UserAgent::handleTimeout(TimePoint now) { impl_->handleTimeout(now); }

std::optional<Output> UserAgent::pollOutput() {
  auto& outputs = impl_->environment_.outputs;
  if (outputs.empty()) return std::nullopt;
  std::optional<Output> output = std::move(outputs.front());
  outputs.pop_front();
  return output;
}

std::optional<TimePoint> UserAgent::nextTimeout() const {
  return earlier(earlier(impl_->callDeadlines_.next(), impl_->registrationDeadlines_.next()),
                 impl_->watch_.nextTimeout());
}

std::expected<RegistrationId, CommandError> UserAgent::registerUser(TimePoint now, std::string user,
                                                                    std::string authUser, std::string password,
                                                                    std::chrono::seconds expires) {
  Credentials credentials{authUser.empty() ? user : std::move(authUser), std::move(password)};
  return impl_->registerUser(now, std::move(user), std::move(credentials), expires);
}
CommandResult UserAgent::unregister(TimePoint now, RegistrationId id) { return impl_->unregister(now, id); }
CommandResult UserAgent::forget(RegistrationId id) { return impl_->forget(id); }

std::expected<CallId, CommandError> UserAgent::invite(TimePoint now, InviteParameters parameters) {
  return impl_->invite(now, std::move(parameters));
}
CommandResult UserAgent::ring(TimePoint now, CallId call) {
  return impl_->command(call, [&](Call& c) { return c.ring(now); });
}
CommandResult UserAgent::progress(TimePoint now, CallId call, std::string sdp) {
  if (!fitsBody(sdp)) return std::unexpected(CommandError::BadParameter);
  return impl_->command(call, [&](Call& c) { return c.progress(now, std::move(sdp)); });
}
CommandResult UserAgent::accept(TimePoint now, CallId call, std::string sdp, std::vector<Header> extraHeaders) {
  if (!fitsBody(sdp) || !cleanHeaders(extraHeaders)) return std::unexpected(CommandError::BadParameter);
  return impl_->command(call, [&](Call& c) { return c.accept(now, std::move(sdp), std::move(extraHeaders)); });
}
CommandResult UserAgent::reject(TimePoint now, CallId call, int status, std::string reason) {
  return impl_->command(call, [&](Call& c) { return c.reject(now, status, reason); });
}
CommandResult UserAgent::setCredentials(CallId call, Credentials credentials) {
  return impl_->command(call, [&](Call& c) -> CommandResult {
    c.setCredentials(std::move(credentials));
    return {};
  });
}
CommandResult UserAgent::reInvite(TimePoint now, CallId call, std::optional<std::string> sdp) {
  if (sdp && !fitsBody(*sdp)) return std::unexpected(CommandError::BadParameter);
  return impl_->command(call, [&](Call& c) { return c.reInvite(now, std::move(sdp)); });
}
CommandResult UserAgent::answerOffer(TimePoint now, CallId call, std::string sdp, std::uint32_t branch) {
  if (!fitsBody(sdp)) return std::unexpected(CommandError::BadParameter);
  return impl_->command(call, [&](Call& c) { return c.answerOffer(now, std::move(sdp), branch); });
}
CommandResult UserAgent::rejectOffer(TimePoint now, CallId call, int status, std::uint32_t branch) {
  return impl_->command(call, [&](Call& c) { return c.rejectOffer(now, status, branch); });
}
CommandResult UserAgent::update(TimePoint now, CallId call, std::string sdp, std::uint32_t branch) {
  if (!fitsBody(sdp)) return std::unexpected(CommandError::BadParameter);
  return impl_->command(call, [&](Call& c) { return c.update(now, std::move(sdp), branch); });
}
CommandResult UserAgent::sendInfo(TimePoint now, CallId call, std::string contentType, std::string body,
                                  std::vector<Header> extraHeaders) {
  if (body.size() > kBodyBytesMax || !cleanHeaders(extraHeaders)) return std::unexpected(CommandError::BadParameter);
  return impl_->command(
      call, [&](Call& c) { return c.sendInfo(now, std::move(contentType), std::move(body), std::move(extraHeaders)); });
}
CommandResult UserAgent::refer(TimePoint now, CallId call, std::string to, std::optional<Replaces> replaces) {
  auto target = impl_->targetOf(to);
  if (!target || (replaces && !isWellFormed(*replaces))) return std::unexpected(CommandError::BadParameter);
  return impl_->command(call, [&](Call& c) { return c.refer(now, std::move(*target), replaces); });
}
CommandResult UserAgent::acceptRefer(TimePoint now, CallId call, ReferId refer) {
  return impl_->command(call, [&](Call& c) { return c.acceptRefer(now, refer); });
}
CommandResult UserAgent::notifyRefer(TimePoint now, CallId call, ReferId refer, int status, std::string reason) {
  return impl_->notifyRefer(now, call, refer, status, reason);
}
CommandResult UserAgent::rejectRefer(TimePoint now, CallId call, ReferId refer, int status) {
  return impl_->command(call, [&](Call& c) { return c.rejectRefer(now, refer, status); });
}
std::optional<Replaces> UserAgent::dialogOf(CallId call) const {
  const auto found = impl_->calls_.find(call);
  return found == impl_->calls_.end() ? std::nullopt : found->second->dialog();
}
CommandResult UserAgent::hangUp(TimePoint now, CallId call, std::optional<Reason> reason) {
  return impl_->command(call, [&](Call& c) { return c.hangUp(now, std::move(reason)); });
}

const Counters& UserAgent::counters() const { return impl_->environment_.counters; }
std::size_t UserAgent::callCount() const { return impl_->calls_.size(); }
std::size_t UserAgent::registrationCount() const { return impl_->registrations_.size(); }

}  // namespace crosspoint::sip
