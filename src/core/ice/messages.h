// The STUN messages that an agent sends (RFC 8445 §7.1, §7.3, RFC 8489 §6.3).
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "core/ice/types.h"
#include "core/stun/message_view.h"
#include "core/stun/types.h"

namespace crosspoint::ice {

// What a connectivity check and a consent check say beside the credentials.
struct CheckContent {
  std::uint32_t priority = 0;  // RFC 8445 §7.1.1: of the peer-reflexive candidate that the peer might learn from it
  Role role = Role::Controlled;
  std::uint64_t tieBreaker = 0;
  bool useCandidate = false;
};

// Each leaves `into` empty if the message would be too large, which only credentials beyond RFC 8445 §5.3 can make it.
void writeCheck(stun::MessageBuffer& into, const stun::TransactionId& id, const IceCredentials& local,
                const IceCredentials& remote, const CheckContent& content);
void writeGatherRequest(stun::MessageBuffer& into, const stun::TransactionId& id);
void writeSuccess(stun::MessageBuffer& into, const stun::TransactionId& id, const SocketAddress& mapped,
                  std::string_view password);
// Without a password the answer is not signed, as those to requests that proved nothing are not (RFC 8489 §9.1.3).
void writeError(stun::MessageBuffer& into, const stun::MessageView& request, stun::ErrorCode code,
                std::optional<std::string_view> password);

// `prefix` and eight random bytes.
stun::TransactionId makeTransactionId(std::uint32_t prefix, Random& random);

}  // namespace crosspoint::ice
