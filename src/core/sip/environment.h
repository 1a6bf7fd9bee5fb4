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
  NameAddr contact(std::string_view user) const {
    NameAddr contact{.uri = config.contact};
    contact.uri.user = escapeUser(user);
    return contact;
  }
  NameAddr address(std::string_view user, std::string_view display = {}) const {
    return {.display = withoutControls(display),
            .uri = {.user = escapeUser(user), .host = config.domain.empty() ? config.server.host : config.domain}};
  }

  static constexpr std::size_t kTokenLength = 22;  // 131 bits
};

}  // namespace crosspoint::sip
