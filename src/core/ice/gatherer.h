// Finds the local candidates: one of type host for each socket, and server-reflexive ones by asking STUN servers (RFC
// 8445 §5.1.1).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/ice/types.h"
#include "core/stun/client_transaction.h"
#include "core/stun/message_view.h"

namespace crosspoint::ice {

class Gatherer {
 public:
  struct Send {
    SocketId socket = kNoSocket;
    SocketAddress server;
    stun::TransactionId id{};
  };

  Gatherer() = default;
  Gatherer(std::span<const LocalSocket> sockets, std::span<const SocketAddress> servers,
           std::uint32_t transactionPrefix);

  // Requests are paced by the agent: each call begins the next one.
  bool hasNext() const { return started_ < requests_.size(); }
  void startNext(TimePoint now, const stun::ClientTransaction::Config& config, Random& random);

  // True if it answers one of our requests.
  bool handleResponse(SocketId socket, const SocketAddress& from, const stun::MessageView& response);
  void handleTimeout(TimePoint now);
  std::optional<Send> pollOutput();
  std::optional<TimePoint> nextTimeout() const;

  // Grows while gathering.
  std::span<const Candidate> candidates() const { return candidates_; }
  bool done() const;
  std::size_t requests() const { return requests_.size(); }

 private:
  struct Request {
    std::size_t local = 0;
    SocketAddress server;
    std::optional<stun::ClientTransaction> transaction;  // while it waits for an answer
  };

  std::vector<LocalSocket> sockets_;
  std::uint32_t transactionPrefix_ = 0;
  std::vector<Request> requests_;
  std::size_t started_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace crosspoint::ice
