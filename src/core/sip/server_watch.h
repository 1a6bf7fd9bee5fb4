// Whether the SIP server answers: an OPTIONS to it every now and then (RFC 3261 §11.1).
//
//   reachable ──no answer, 408, 503──> unreachable ──any other answer──> reachable
//
// Any answer but those two says that something lives there and is willing: 401 or 404 as well as 200. While it is
// unreachable it is asked more often.
#pragma once
#include <optional>

#include "core/sip/client_requests.h"
#include "core/sip/environment.h"

namespace crosspoint::sip {

class ServerWatch {
 public:
  // Asks for nothing if Config::optionsInterval is 0.
  ServerWatch(Environment& environment, TimePoint now);

  // The next two say true if the server has come back.
  bool handleResponse(TimePoint now, ClientTransactionId id, const Response& response);
  bool handleFailure(TimePoint now, ClientTransactionId id, int status);
  // Harmless early or late.
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;

 private:
  void ask(TimePoint now);
  bool learn(TimePoint now, int status);

  Environment& environment_;
  bool reachable_ = true;
  std::uint32_t cseq_ = 0;
  std::string callId_, fromTag_;
  std::optional<TimePoint> dueAt_;
  ClientRequests requests_;
};

}  // namespace crosspoint::sip
