// One binding at the registrar (RFC 3261 §10): made, refreshed before it runs out, recovered when the server has been
// away, removed.
//
//   Registering ──2xx──> Registered ──refresh due──> Refreshing ──2xx──> Registered
//        │ else               ▲                          │ else: RegistrationLost
//        ▼                    └─────────2xx──── Retrying ◄┘  (waits and asks in turn, ever more slowly)
//   Gone (RegistrationFailed)
//
//   any ── unregister ──> Unregistering ──final response, deadline──> Gone (RegistrationEnded)
//                         (a REGISTER on its way is waited for first: §10.2 allows one at a time)
#pragma once
#include <optional>
#include <string>

#include "core/sip/client_requests.h"
#include "core/sip/environment.h"

namespace crosspoint::sip {

class Registration {
 public:
  enum class State : std::uint8_t { Registering, Registered, Refreshing, Retrying, Unregistering, Gone };
  // Call-ID and last CSeq: a registrar orders REGISTERs by them (§10.3 step 7).
  struct Sequence {
    std::string callId;
    std::uint32_t cseq = 0;
  };

  // Sends the first REGISTER at once.
  Registration(Environment& environment, RegistrationId id, TimePoint now, std::string user, Credentials credentials,
               std::chrono::seconds expires, Sequence sequence);

  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  void unregister(TimePoint now);
  // The server has been away and may have forgotten the binding: asks again within [from, to], if nothing is on its
  // way.
  void renew(TimePoint now, Duration from, Duration to);
  bool lost() const { return lost_; }
  void handleResponse(TimePoint now, ClientTransactionId id, const Response& response);
  // `reason` may be empty.
  void handleFailure(TimePoint now, ClientTransactionId id, int status, const std::string& reason = {});
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;

  State state() const { return state_; }
  const std::string& user() const { return user_; }
  const Sequence& sequence() const { return sequence_; }

 private:
  void sendRegister(TimePoint now);
  void handleSuccess(TimePoint now, const Response& response);
  void handleRefusal(TimePoint now, int status, std::string_view reason, std::optional<std::uint32_t> retryAfter);
  void end();
  std::chrono::seconds granted(const Response& response) const;
  Duration spread(Duration delay, std::uint64_t part) const;

  Environment& environment_;
  RegistrationId id_;
  std::string user_;
  std::chrono::seconds expires_;  // that we ask for; raised by a 423
  Sequence sequence_;
  std::string fromTag_;
  State state_ = State::Registering;
  bool unregisterWanted_ = false;  // while a REGISTER is on its way
  bool lost_ = false;
  bool challenged_ = false;   // ever
  int intervalRefusals_ = 0;  // 423 in a row
  Duration retryDelay_;
  std::optional<TimePoint> dueAt_;  // the next REGISTER
  ClientRequests requests_;
};

}  // namespace crosspoint::sip
