#include "io/sip/server/router.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/params/media.h"
#include "io/loop/clock.h"
#include "io/sip/from_sofia.h"
#include "io/sip/to_sofia.h"

namespace crosspoint::sip {
namespace {

std::optional<IpAddress> addressOf(const std::string& host) {
  if (namesEqual(host, "localhost")) return IpAddress::v4(0x7f000001);
  std::string_view plain = host;
  if (plain.starts_with('[') && plain.ends_with(']')) plain = plain.substr(1, plain.size() - 2);
  return IpAddress::parse(plain);
}

// Where a URI leads, as one to send to: numeric, with nothing but the transport. Nothing for a host name: strangers
// choose them, and the resolver is not for those.
std::string nextHopOf(const Uri& uri) {
  const auto address = addressOf(uri.host);
  if (!address || (uri.scheme != "sip")) return {};
  const SocketAddress place{*address, uri.port ? uri.port : std::uint16_t{5060}};
  return "sip:" + place.toString() + ";transport=" + (uri.transport() == "tcp" ? "tcp" : "udp");
}

// A tag without a value is none: phones take such a request for the first of a dialog.
bool isInDialog(const sip_t* sip) { return !text(sip->sip_to->a_tag).empty(); }

std::string userOf(const Uri& uri) { return unescape(uri.user); }

std::optional<std::uint32_t> expiresOf(const NameAddr& contact) {
  const auto value = findParameter(contact.parameters, "expires");
  std::uint32_t seconds = 0;
  if (!value || std::from_chars(value->data(), value->data() + value->size(), seconds).ec != std::errc{}) {
    return std::nullopt;
  }
  return seconds;
}

}  // namespace

Router::Router(nta_agent_t* agent, Registrar& registrar, const DigestPolicy& policy, Proxy& proxy, Config config)
    : agent_(agent), registrar_(registrar), policy_(policy), proxy_(proxy), config_(std::move(config)) {}

void Router::handle(MessagePointer message) {
  const sip_t* sip = sip_object(message.get());
  if (!sip) return;
  if (sip->sip_status) return proxy_.forwardStray(std::move(message));
  if (!sip->sip_request) return;
  ++counters_.requests;
  if (!mayBeAnswered(sip)) {
    ++counters_.malformed;
    return;
  }
  handleRequest(std::move(message));
}

void Router::reply(MessagePointer message, int status) {
  if (sip_object(message.get())->sip_request->rq_method == sip_method_ack) return;
  nta_msg_treply(agent_, message.release(), status, sip_status_phrase(status), TAG_END());
}

bool Router::isOwnIp(const Uri& uri) const {
  const auto address = addressOf(uri.host);
  if (!address) return false;
  const auto& others = config_.others;
  return *address == config_.self.ip || (config_.everyAddress && address->isLoopback()) ||
         std::find(others.begin(), others.end(), *address) != others.end();
}

bool Router::isOwnAddress(const Uri& uri) const {
  return isOwnIp(uri) && (uri.port ? uri.port : 5060) == config_.self.port;
}

bool Router::isOwnDomain(const Uri& uri) const {
  if (uri.scheme == "tel") return true;
  if (uri.port && uri.port != config_.self.port) return false;
  if (isOwnIp(uri)) return true;
  const auto& domains = config_.domains;
  return namesEqual(uri.host, "localhost") ||
         std::any_of(domains.begin(), domains.end(), [&](const auto& name) { return namesEqual(name, uri.host); });
}

void Router::removeOwnRoutes(msg_t* message, sip_t* sip) const {
  while (sip->sip_route) {
    const auto uri = uriFromSofia(sip->sip_route->r_url);
    if (!uri || !isOwnAddress(*uri)) return;
    sip_route_remove(message, sip);
  }
}

void Router::handleRequest(MessagePointer message) {
  sip_t* sip = sip_object(message.get());
  const sip_method_t method = sip->sip_request->rq_method;
  if (method == sip_method_cancel) return reply(std::move(message), 481);
  if (method != sip_method_ack && proxy_.full()) {
    ++counters_.refused;
    return reply(std::move(message), 503);
  }
  const std::string mark = proxy_.loopMark(sip);
  removeOwnRoutes(message.get(), sip);
  const auto uri = uriFromSofia(sip->sip_request->rq_url);
  if (!uri) return reply(std::move(message), 416);
  if (sip->sip_max_forwards && sip->sip_max_forwards->mf_count == 0) {
    ++counters_.refused;
    return reply(std::move(message), 483);
  }
  if (proxy_.isLoop(sip, mark)) {
    ++counters_.refused;
    return reply(std::move(message), 482);
  }
  const bool inDialog = isInDialog(sip);
  const bool forUs = inDialog ? isOwnAddress(*uri) : isOwnDomain(*uri);
  if (method == sip_method_register) {
    return forUs ? handleRegister(std::move(message)) : reply(std::move(message), 403);
  }
  if (forUs && !sip->sip_route) return handleForUs(std::move(message), *uri, mark);
  if (inDialog) return handleInDialog(std::move(message), *uri, mark);
  ++counters_.refused;  // no relay for the world
  reply(std::move(message), 403);
}

// In a dialog the route set and the far end's Contact say where to go (RFC 3261 §16.4 to §16.6).
void Router::handleInDialog(MessagePointer message, const Uri& uri, const std::string& mark) {
  const sip_t* sip = sip_object(message.get());
  pendingMedia_.confirm(std::string(text(sip->sip_call_id->i_id)));
  Target target;
  if (sip->sip_route) {
    const auto route = uriFromSofia(sip->sip_route->r_url);
    target.nextHop = route ? nextHopOf(*route) : std::string();
  } else if (const Binding* binding = registrar_.findByContact(loop::monotonicNow(), uri)) {
    target = targetOf(*binding);
    target.requestUri.clear();
  } else {
    target.nextHop = nextHopOf(uri);
  }
  if (target.nextHop.empty()) {
    ++counters_.refused;
    return reply(std::move(message), 404);
  }
  send(std::move(message), {target}, mark);
}

void Router::send(MessagePointer message, const std::vector<Target>& targets, const std::string& mark) {
  if (sip_object(message.get())->sip_request->rq_method == sip_method_ack) {
    return proxy_.forwardAck(std::move(message), targets.front());
  }
  proxy_.forward(std::move(message), targets, mark);
}

void Router::handleForUs(MessagePointer message, const Uri& uri, const std::string& mark) {
  const sip_t* sip = sip_object(message.get());
  const sip_method_t method = sip->sip_request->rq_method;
  if (method == sip_method_ack) return;  // for a failure that was answered here
  if (uri.user.empty()) return reply(std::move(message), method == sip_method_options ? 200 : 404);
  if (!isInDialog(sip) && policy_.required() && config_.challengeCalls) {
    const auto caller = uriFromSofia(sip->sip_from->a_url);
    if (!caller) return reply(std::move(message), 400);
    if (!authenticate(message, userOf(*caller), true)) return;
  }
  handleUser(std::move(message), userOf(uri), mark);
}

Target Router::targetOf(const Binding& binding) const {
  const auto hop = [](const SocketAddress& address, const std::string& transport) {
    return "sip:" + address.toString() + ";transport=" + transport;
  };
  Target target{.requestUri = binding.contact.toString(), .nextHop = nextHopOf(binding.contact), .fallback = {}};
  const auto named = addressOf(binding.contact.host);
  if (binding.transport == "tcp") {
    // The connection of the REGISTER, if it still stands, reaches also a phone that does not listen.
    target.fallback = std::exchange(target.nextHop, hop(binding.source, "tcp"));
  } else if (!named || *named != binding.source.ip) {
    // A Contact that names another address than the one it came from is one behind a NAT.
    target.nextHop = hop(binding.source, "udp");
  }
  return target;
}

void Router::handleUser(MessagePointer message, const std::string& user, const std::string& mark) {
  if (const auto fixed = config_.fixedUsers.find(user); fixed != config_.fixedUsers.end()) {
    const sip_t* sip = sip_object(message.get());
    const auto source = sourceOf(message.get()).value_or(SocketAddress()).ip;
    if (sip->sip_request->rq_method == sip_method_invite &&
        !pendingMedia_.add(loop::monotonicNow(), source, std::string(text(sip->sip_call_id->i_id)))) {
      ++counters_.refused;
      return reply(std::move(message), 486);
    }
    const auto uri = Uri::parse(fixed->second);
    return send(std::move(message), {Target{fixed->second, uri ? nextHopOf(*uri) : std::string(), {}}}, mark);
  }
  const auto bindings = registrar_.lookup(loop::monotonicNow(), user);
  std::vector<Target> targets;
  for (const auto& binding : bindings) {
    if (!isOwnAddress(binding.contact)) targets.push_back(targetOf(binding));
  }
  if (targets.empty()) {
    ++counters_.refused;
    return reply(std::move(message), registrar_.isKnown(user) || policy_.hasUser(user) ? 480 : 404);
  }
  // Only an INVITE forks: of other requests no caller could use more than one answer.
  if (sip_object(message.get())->sip_request->rq_method != sip_method_invite) targets.resize(1);
  send(std::move(message), targets, mark);
}

bool Router::authenticate(MessagePointer& message, const std::string& user, bool proxy) {
  const sip_t* sip = sip_object(message.get());
  const TimePoint now = loop::monotonicNow();
  const auto verdict = policy_.check(now, user, sip->sip_request->rq_method_name, authorizationsFromSofia(sip), proxy);
  if (verdict == DigestPolicy::Verdict::Good) return true;
  ++counters_.unauthorized;
  if (verdict == DigestPolicy::Verdict::Wrong) {
    reply(std::move(message), 403);
    return false;
  }
  const std::string challenge = policy_.challenge(now, verdict == DigestPolicy::Verdict::Stale);
  if (proxy) {
    nta_msg_treply(agent_, message.release(), SIP_407_PROXY_AUTH_REQUIRED,
                   SIPTAG_PROXY_AUTHENTICATE_STR(challenge.c_str()), TAG_END());
  } else {
    nta_msg_treply(agent_, message.release(), SIP_401_UNAUTHORIZED, SIPTAG_WWW_AUTHENTICATE_STR(challenge.c_str()),
                   TAG_END());
  }
  return false;
}

void Router::handleRegister(MessagePointer message) {
  const auto request = requestFromSofia(sip_object(message.get()));
  if (!request) {
    ++counters_.malformed;
    return reply(std::move(message), request.error());
  }
  const std::string user = userOf(request->to.uri);
  if (user.empty() || config_.fixedUsers.contains(user)) return reply(std::move(message), 403);
  if (policy_.required() && !authenticate(message, user, false)) return;
  Registrar::Update update{.user = user,
                           .contacts = {},
                           .allContacts = request->contactStar,
                           .expires = request->expires,
                           .callId = request->callId,
                           .cseq = request->cseq,
                           .source = sourceOf(message.get()).value_or(SocketAddress()),
                           .transport = transportOf(agent_, message.get())};
  for (const auto& contact : request->contacts) update.contacts.push_back({contact.uri, expiresOf(contact)});
  const int status = registrar_.update(loop::monotonicNow(), update);
  if (status == 200) return replyToRegister(std::move(message), user);
  ++counters_.refused;
  reply(std::move(message), status);
}

void Router::replyToRegister(MessagePointer message, const std::string& user) {
  const TimePoint now = loop::monotonicNow();
  std::string contacts;
  for (const auto& binding : registrar_.lookup(now, user)) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(binding.expires - now).count();
    contacts += (contacts.empty() ? "<" : ", <") + binding.contact.toString() + ">;expires=" + std::to_string(left);
  }
  nta_msg_treply(agent_, message.release(), SIP_200_OK, TAG_IF(!contacts.empty(), SIPTAG_CONTACT_STR(contacts.c_str())),
                 TAG_END());
}

}  // namespace crosspoint::sip
