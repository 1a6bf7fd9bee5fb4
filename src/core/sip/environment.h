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

using Owner = std::variant<CallId, RegistrationId>;

struct Environment {
  Config config;
  Random& random;
  Counters counters;
  std::deque<Output> outputs;
  std::unordered_map<ClientTransactionId, Owner> clientTransactions;
  std::unordered_map<ServerTransactionId, CallId> inviteTransactions;  // INVITEs of far ends without a final response
  std::uint64_t lastTransaction = 0;

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
