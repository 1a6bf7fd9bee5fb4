// The owner's commands: what is wrong with them is said before anything changes.
#include <algorithm>
#include <utility>

#include "core/params/media.h"
#include "core/sip/refer.h"
#include "core/sip/request_uri.h"
#include "core/sip/user_agent_impl.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kUserBytesMax = 256;

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
                                            "c",
                                            "Refer-To",
                                            "r",
                                            "Referred-By",
                                            "b",
                                            "Replaces",
                                            "Refer-Sub",
                                            "Event",
                                            "o",
                                            "Subscription-State"};

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

std::optional<Uri> UserAgent::Impl::targetOf(const std::string& to) const {
  const std::string scheme = to.substr(0, to.find(':'));
  std::optional<Uri> target;
  if (scheme.size() < to.size() &&
      (namesEqual(scheme, "sip") || namesEqual(scheme, "sips") || namesEqual(scheme, "tel"))) {
    target = Uri::parse(to);
  } else if (fitsUser(to)) {
    target = environment_.address(to).uri;
  }
  if (target) target = asRequestUri(std::move(*target));
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
std::optional<Uri> UserAgent::farEndOf(CallId call) const {
  const auto found = impl_->calls_.find(call);
  return found == impl_->calls_.end() ? std::nullopt : found->second->farEnd();
}
CommandResult UserAgent::hangUp(TimePoint now, CallId call, std::optional<Reason> reason) {
  return impl_->command(call, [&](Call& c) { return c.hangUp(now, std::move(reason)); });
}

const Counters& UserAgent::counters() const { return impl_->environment_.counters; }
std::size_t UserAgent::callCount() const { return impl_->calls_.size(); }
std::size_t UserAgent::registrationCount() const { return impl_->registrations_.size(); }

}  // namespace crosspoint::sip
