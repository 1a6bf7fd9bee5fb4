// What every call and registration of one UserAgent shares: the configuration, where outputs go, numbers of
// transactions, and whose transaction is whose.
#pragma once
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "core/sip/user_agent.h"

namespace crosspoint::sip {

struct ServerWatchOwner {};
using Owner = std::variant<CallId, RegistrationId, ServerWatchOwner>;

struct Environment {
  Config config;
  Random& random;
  Counters counters;
  std::deque<Output> outputs;
  std::unordered_map<ClientTransactionId, Owner> clientTransactions;
  std::unordered_map<ServerTransactionId, CallId> inviteTransactions;  // INVITEs of far ends without a final response
  std::uint64_t lastTransaction = 0, lastRefer = 0;
  // What the registrar wants requests of a DN to pass (RFC 3608), and whose REGISTER it told so.
  struct ServiceRoute {
    RegistrationId registration{};
    std::vector<NameAddr> routes;
  };
  std::unordered_map<std::string, ServiceRoute> serviceRoutes;  // by user
  // The realms in which the registrar has asked for the password, by the user name that goes with it.
  struct ServerRealms {
    RegistrationId registration{};
    std::vector<std::string> names;
  };
  std::unordered_map<std::string, ServerRealms> serverRealms;

  void emit(Event event) { outputs.emplace_back(std::move(event)); }
  void send(Outgoing outgoing) { outputs.emplace_back(std::move(outgoing)); }
  ClientTransactionId newTransaction(Owner owner) {
    const ClientTransactionId id{++lastTransaction};
    clientTransactions.emplace(id, owner);
    return id;
  }

  // Call-IDs and tags: unguessable, and telling whose they are.
  std::string newToken() { return config.tagPrefix + random.alphanumeric(kTokenLength); }
  // What stands right of the @: without a configured domain the server, with its port, or a request to it would leave
  // it.
  Uri domain() const {
    if (!config.domain.empty()) return {.host = config.domain};
    return {.host = config.server.host, .port = config.server.port};
  }
  // Where requests outside dialogs are sent.
  const Uri& firstHop() const { return config.outboundProxy.empty() ? config.server : config.outboundProxy; }
  // Their Route header: the outbound proxy, if one is named, as a loose router.
  std::vector<NameAddr> proxyRoute() const {
    if (config.outboundProxy.empty()) return {};
    NameAddr proxy{.uri = config.outboundProxy};
    proxy.uri.user.clear();
    if (!proxy.uri.hasParameter("lr")) proxy.uri.parameters.push_back({"lr", ""});
    return {std::move(proxy)};
  }
  // That of a DN's, REGISTER apart: the service route behind the proxy (RFC 3608 §6.1). The first hop stays the
  // configured one, which passes on what is not for itself: a name that a registrar chose is not looked up here.
  std::vector<NameAddr> routesOf(const std::string& user) const {
    std::vector<NameAddr> routes = proxyRoute();
    const auto found = serviceRoutes.find(user);
    if (found == serviceRoutes.end()) return routes;
    for (const auto& route : found->second.routes) {
      const bool isProxy =
          !routes.empty() && route.uri.host == routes[0].uri.host && route.uri.port == routes[0].uri.port;
      if (!isProxy || &route != &found->second.routes.front()) routes.push_back(route);
    }
    return routes;
  }
  NameAddr contact(std::string_view user) const {
    NameAddr contact{.uri = config.contact};
    contact.uri.user = escapeUser(user);
    return contact;
  }
  NameAddr address(std::string_view user, std::string_view display = {}) const {
    NameAddr address{.display = withoutControls(display), .uri = domain()};
    address.uri.user = escapeUser(user);
    return address;
  }

  static constexpr std::size_t kTokenLength = 22;  // 131 bits
};

}  // namespace crosspoint::sip
