#include "bridge/sessions.h"

#include <algorithm>
#include <utility>

#include "bridge/call.h"
#include "bridge/reason.h"

namespace crosspoint::bridge {
namespace {

constexpr std::size_t kSsidRandom = 22;  // 131 bits
constexpr const char* kNoSession = "There is no such session: sign in again";
constexpr const char* kElsewhere = "The DN has signed in elsewhere";
constexpr const char* kSilent = "The page has not polled";
constexpr const char* kUnwelcomed = "The reply to the sign-in did not reach the page";
// For this long a page whose connection broke with the reply to its sign-in may show that it has read it.
constexpr Duration kWelcomeMax = std::chrono::seconds(3);
constexpr const char* kDisplaced = "A later sign-in of the DN took the place of this one";
constexpr const char* kStopped = "The sign-in came to nothing: the gateway stops";

bool isAnonymous(std::string_view id) {
  return id.size() == 36 && id.starts_with("anon") && std::ranges::all_of(id.substr(4), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

bool isPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

// What a refused REGISTER is to a page that knows HTTP statuses.
int httpStatus(int sipStatus) {
  switch (sipStatus) {
    case 401:
    case 403:
    case 407:
      return 403;
    case 404:
      return 404;
    case 408:
      return 504;
    default:
      return sipStatus == 503 ? 503 : 502;
  }
}

std::string welcomeText(const Session& session) {
  return "id=" + session.ssid + "\nfeatures=" + std::string(kFeatures) +
         "\ntaken=" + std::to_string(session.taken.largest()) + "\n";
}

char hexDigit(unsigned value) { return "0123456789abcdef"[value & 15]; }

}  // namespace

std::optional<unsigned> workerOfSsid(std::string_view ssid) {
  if (ssid.size() != 3 + kSsidRandom || ssid[0] != 'S') return std::nullopt;
  unsigned worker = 0;
  for (const char c : ssid.substr(1, 2)) {
    const auto digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    worker = worker * 16 + static_cast<unsigned>(digit);
  }
  return worker;
}

unsigned workerOfUser(std::string_view user, unsigned workers) {
  std::uint32_t hash = 2166136261u;  // FNV-1a: the same in every process
  for (const char c : user) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash % workers;
}

void Session::tell(std::string body, const std::string& peer, PageQueue::Kind kind) {
  auto push = [&](std::string text, PageQueue::Kind of) {
    if (!queue.push(std::move(text), peer, of)) ++counters.limitsReached;
  };
  while (const auto message = roap.pollSend()) push(roap::toPage(*message), PageQueue::Kind::Signalling);
  push(std::move(body), kind);
}

Sessions::Sessions(const Config& config, const Dependencies& dependencies, sip::UserAgent& agent, Counters& counters)
    : config_(config), dependencies_(dependencies), agent_(agent), counters_(counters) {}

void Sessions::reply(RequestId request, int status, std::string body) {
  replies_.push_back({.request = request, .status = status, .body = std::move(body)});
}

Session& Sessions::make(TimePoint now, const SignIn& request) {
  std::string ssid = {'S', hexDigit(config_.worker >> 4), hexDigit(config_.worker)};
  ssid += dependencies_.random.alphanumeric(kSsidRandom);
  auto made = std::make_unique<Session>(ssid, request.id, config_.pollHold, replies_, dependencies_.random, counters_);
  Session& session = *made;
  session.number = ++made_;
  session.lastSeen = now;
  session.signInRequest = request.request;
  takeFeatures(session, request.features);
  track(request.request, session);
  bySsid_.emplace(ssid, std::move(made));
  return session;
}

void Sessions::handle(TimePoint now, SignIn&& request) {
  if (request.id.empty() || request.id.size() > kUserBytesMax || !isPrintable(request.id) ||
      request.password.value_or("").size() > kPasswordBytesMax) {
    reply(request.request, 400,
          "The id to sign in with is missing, too long, or has characters that are not printable");
    return;
  }
  if (resume(now, request)) return;
  if (bySsid_.size() >= config_.sessionsMax) {
    ++counters_.limitsReached;
    reply(request.request, 503, "Too many sessions are signed in");
    return;
  }
  if (isAnonymous(request.id)) {
    Session& session = make(now, request);
    session.anonymous = true;
    welcome(session);
    return;
  }
  if (!serverReachable_) {
    ++counters_.signInsRefused;
    reply(request.request, 503, "The SIP server cannot be reached at present: try again later");
    return;
  }
  const std::string password = request.password.value_or("");
  const auto registration = agent_.registerUser(
      now, request.id, request.id, password, std::chrono::duration_cast<std::chrono::seconds>(config_.registerExpires));
  if (!registration) {
    ++counters_.limitsReached;
    reply(request.request, 503, "The registration cannot be made: " + std::string(sip::toString(registration.error())));
    return;
  }
  Session& session = make(now, request);
  session.credentials = {request.id, password};
  session.registration = *registration;
  byRegistration_[*registration] = &session;
  ++byUser_[session.user].waiting;
}

// A page that has lost its network, its WebSocket or itself (a reload) goes on where it was.
bool Sessions::resume(TimePoint now, const SignIn& request) {
  if (request.resume.empty()) return false;
  Session* session = find(request.resume);
  if (session == nullptr || !session->signedIn || session->user != request.id) return false;
  if (!session->anonymous && session->credentials.password != request.password.value_or("")) return false;
  takeFeatures(*session, request.features);
  reply(request.request, 200, welcomeText(*session));
  dependencies_.log.write(LogLevel::Info, "session=" + session->ssid.substr(0, 8), "resumed as " + session->user);
  seen(now, *session);
  return true;
}

void Sessions::takeFeatures(Session& session, std::string_view list) {
  const auto features = Features::parse(list);
  session.wantsProgress |= features.progress;
  if (features.provisional) session.roap.setProvisionalAnswers(true);
}

void Sessions::welcome(Session& session) {
  session.signedIn = true;
  ++counters_.signIns;
  if (session.signInRequest) {
    session.welcomeReply = std::exchange(session.signInRequest, {});
    reply(*session.welcomeReply, 200, welcomeText(session));
  }
  dependencies_.log.write(LogLevel::Info, "session=" + session.ssid.substr(0, 8), "signed in as " + session.user);
  schedule(session);
}

void Sessions::handle(TimePoint now, const sip::RegistrationSucceeded& event) {
  const auto found = byRegistration_.find(event.id);
  if (found == byRegistration_.end()) return;
  Session& session = *found->second;
  if (session.signedIn) return;
  if (config_.passwordsChecked && !event.challenged) return refuseUnchecked(now, session);
  // The registrar now has our binding for this DN from the new registration: the old one must not take it away.
  if (Session* other = findUser(session.user)) {
    const bool later = other->number > session.number;
    Session& loser = later ? session : *other;
    rememberElsewhere(loser.ssid);
    end(now, loser, Binding::Leave, kCloseElsewhere, kElsewhere);
    if (later) return;
  }
  Dn& dn = byUser_[session.user];
  dn.signedIn = &session;
  --dn.waiting;
  for (const auto ended : std::exchange(dn.ended, {})) static_cast<void>(agent_.forget(ended));
  session.lastSeen = now;
  welcome(session);
}

void Sessions::rememberElsewhere(const std::string& ssid) {
  elsewhere_.insert(ssid);
  elsewhereByAge_.push_back(ssid);
  if (elsewhereByAge_.size() <= kElsewhereMax) return;
  elsewhere_.erase(elsewhereByAge_.front());
  elsewhereByAge_.pop_front();
}

// The SIP server trusts our address, or everybody: then any password would do.
void Sessions::refuseUnchecked(TimePoint now, Session& session) {
  ++counters_.signInsRefused;
  const std::string text = "The SIP server did not ask for the password of " + session.user + ", so nobody checked it";
  dependencies_.log.write(LogLevel::Warning, "session=" + session.ssid.substr(0, 8), text + ": [auth] policy");
  if (session.signInRequest) reply(*std::exchange(session.signInRequest, {}), 403, text);
  end(now, session, Binding::Remove);
}

void Sessions::handle(TimePoint now, const sip::RegistrationFailed& event) {
  const auto found = byRegistration_.find(event.id);
  if (found == byRegistration_.end()) return;
  Session& session = *found->second;
  ++counters_.signInsRefused;
  const std::string text = signInRefusal(session.user, event.status, event.reason);
  dependencies_.log.write(LogLevel::Warning, "session=" + session.ssid.substr(0, 8), text);
  if (session.signInRequest) reply(*std::exchange(session.signInRequest, {}), httpStatus(event.status), text);
  end(now, session, Binding::Leave);
}

void Sessions::handle(TimePoint, const sip::RegistrationLost& event) {
  const auto found = byRegistration_.find(event.id);
  if (found == byRegistration_.end()) return;
  dependencies_.log.write(LogLevel::Warning, "session=" + found->second->ssid.substr(0, 8),
                          "registration lost, trying again: " + std::to_string(event.status) + " " + event.reason);
}

void Sessions::handle(TimePoint now, Wait&& request) {
  Session* session = find(request.ssid);
  if (session == nullptr || !session->signedIn) {
    const bool elsewhere = elsewhere_.contains(request.ssid);
    return reply(request.request, elsewhere ? 410 : 404, elsewhere ? kElsewhere : kNoSession);
  }
  takeFeatures(*session, request.features);
  track(request.request, *session);
  session->queue.handleWait(now, request.request, request.acknowledged);
  seen(now, *session);
}

void Sessions::handle(TimePoint now, SignOut&& request) {
  reply(request.request, 200, "");
  if (Session* session = find(request.ssid)) end(now, *session, Binding::Remove, kCloseSignedOut, "Signed out");
}

void Sessions::handle(TimePoint now, SocketOpen&& request) {
  Session* session = find(request.ssid);
  if (session == nullptr || !session->signedIn) {
    const bool elsewhere = elsewhere_.contains(request.ssid);
    replies_.push_back({.request = request.socket,
                        .body = elsewhere ? kElsewhere : kNoSession,
                        .form = PageReply::Form::Close,
                        .closeCode = elsewhere ? kCloseElsewhere : kCloseNoSession});
    return;
  }
  takeFeatures(*session, request.features);
  track(request.socket, *session);
  session->queue.handleSocket(request.socket, request.acknowledged.value_or(0));
  seen(now, *session);
}

Session* Sessions::findSocket(RequestId socket) {
  const auto found = byRequest_.find(socket);
  return found == byRequest_.end() ? nullptr : found->second;
}

void Sessions::track(RequestId request, Session& session) {
  byRequest_[request] = &session;
  session.requests.push_back(request);
}

Session* Sessions::untrack(RequestId request) {
  const auto found = byRequest_.find(request);
  if (found == byRequest_.end()) return nullptr;
  Session* session = found->second;
  byRequest_.erase(found);
  std::erase(session->requests, request);
  return session;
}

void Sessions::handleClosed(TimePoint now, RequestId request) {
  Session* session = untrack(request);
  if (session == nullptr) return;
  // The page did not learn its SSID, and tries elsewhere: it must not ring here too. Of a reply that was being written
  // nobody knows: the page may show soon that it has read it.
  if (session->welcomeReply == request) return schedule(*session);
  if (session->signInRequest == request) {
    session->signInRequest.reset();
    end(now, *session, Binding::Remove, kCloseNoSession, kUnwelcomed);
    return;
  }
  session->queue.handleClosed(request);
  seen(now, *session);
}

void Sessions::handleDelivered(TimePoint now, RequestId request) {
  Session* session = untrack(request);
  if (session == nullptr) return;
  if (session->welcomeReply == request) session->welcomeReply.reset();
  session->queue.handleDelivered(request);
  session->lastSeen = now;
  schedule(*session);
}

void Sessions::handleTimeout(TimePoint now) {
  while (const auto due = deadlines_.take(now)) {
    Session& session = **due;
    session.queue.handleTimeout(now);
    const bool silent = !session.queue.attached() && now - session.lastSeen >= silenceMax(session);
    if (silent && (session.call == nullptr || !session.call->mediaFlows(now))) {
      ++counters_.sessionsExpired;
      end(now, session, Binding::Remove, kCloseNoSession, session.welcomeReply ? kUnwelcomed : kSilent);
      continue;
    }
    if (silent) session.lastSeen = now;
    schedule(session);
  }
}

void Sessions::seen(TimePoint now, Session& session) {
  session.lastSeen = now;
  session.welcomeReply.reset();  // whoever knows the SSID has read it
  schedule(session);
}

Duration Sessions::silenceMax(const Session& session) const {
  return session.welcomeReply ? std::min<Duration>(kWelcomeMax, config_.sessionTimeout) : config_.sessionTimeout;
}

void Sessions::schedule(Session& session) {
  auto next = session.queue.nextTimeout();
  if (!session.queue.attached()) next = session.lastSeen + silenceMax(session);
  deadlines_.set(&session, next);
}

void Sessions::end(TimePoint now, Session& session, Binding binding, CloseCode code, const std::string& reason) {
  if (session.signedIn)
    dependencies_.log.write(LogLevel::Info, "session=" + session.ssid.substr(0, 8), "ended: " + reason);
  session.queue.finish(code, reason);
  if (session.signInRequest) {
    const bool elsewhere = code == kCloseElsewhere;
    reply(*session.signInRequest, elsewhere ? 409 : 503, elsewhere ? kDisplaced : kStopped);
  }
  if (session.registration) leaveBinding(now, session, binding);
  for (const RequestId request : session.requests) byRequest_.erase(request);
  deadlines_.remove(&session);
  const auto found = bySsid_.find(session.ssid);
  ended_.push_back(std::move(found->second));
  bySsid_.erase(found);
}

// A registration that has failed is unknown to the agent: forgetting it does nothing.
void Sessions::leaveBinding(TimePoint now, Session& session, Binding binding) {
  const auto found = byUser_.find(session.user);
  Dn& dn = found->second;
  byRegistration_.erase(*session.registration);
  if (session.signedIn) {
    dn.signedIn = nullptr;
  } else {
    --dn.waiting;
  }
  if (binding == Binding::Remove && dn.signedIn == nullptr) {
    dn.ended.push_back(*session.registration);
  } else {
    static_cast<void>(agent_.forget(*session.registration));
  }
  if (dn.signedIn != nullptr || dn.waiting > 0) return;
  for (const auto ended : dn.ended) static_cast<void>(agent_.unregister(now, ended));
  byUser_.erase(found);
}

void Sessions::signOutAll(TimePoint now) {
  while (!bySsid_.empty()) {
    end(now, *bySsid_.begin()->second, Binding::Remove, kCloseStopping, "The gateway stops");
  }
}

Session* Sessions::find(std::string_view ssid) {
  const auto found = bySsid_.find(std::string(ssid));
  return found == bySsid_.end() ? nullptr : found->second.get();
}

Session* Sessions::findUser(std::string_view user) {
  const auto found = byUser_.find(std::string(user));
  return found == byUser_.end() ? nullptr : found->second.signedIn;
}

std::unique_ptr<Session> Sessions::takeEnded() {
  if (ended_.empty()) return nullptr;
  auto session = std::move(ended_.front());
  ended_.pop_front();
  return session;
}

}  // namespace crosspoint::bridge
