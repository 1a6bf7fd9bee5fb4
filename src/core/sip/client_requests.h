// The requests of one call or registration that are on their way: their transactions, their deadlines, and their
// repetition with an answer to a challenge.
//
//   Trying ──1xx──> Proceeding ──2xx to INVITE──> Answered (kept for repeated and forked 2xx)
//      └── any other final response, failure, deadline ──> forgotten
//
// None waits here for another one: its owner says when it may go.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/sip/digest.h"
#include "core/sip/environment.h"
#include "core/sip/message.h"

namespace crosspoint::sip {

class ClientRequests {
 public:
  enum class Phase : std::uint8_t { Trying, Proceeding, Answered };
  struct Entry {
    ClientTransactionId id{};
    Request request;
    Uri destination;
    Phase phase = Phase::Trying;
    bool cancelWanted = false;  // a CANCEL waits for the first provisional response (RFC 3261 §9.1)
    bool cancelSent = false;
    std::vector<Reason> cancelReasons;
    TimePoint deadline{};
    ChallengeHistory challenges;
  };

  ClientRequests(Environment& environment, Owner owner, Credentials credentials);
  ~ClientRequests();
  ClientRequests(const ClientRequests&) = delete;
  ClientRequests& operator=(const ClientRequests&) = delete;

  void setCredentials(Credentials credentials);
  const Authenticator& authenticator() const { return authenticator_; }

  // Sends with what realms have asked for so far.
  ClientTransactionId send(TimePoint now, Request request, Uri destination);
  // After a 401 or 407: sends the request again with the next sequence number and says true, or says false and changes
  // nothing.
  bool retryWithCredentials(TimePoint now, Entry& entry, const Response& response, std::uint32_t& localCseq);
  // A provisional response: an INVITE may now ring until `ringDeadline`; a waiting CANCEL leaves.
  void handleProvisional(TimePoint now, Entry& entry, TimePoint ringDeadline);
  // An INVITE's CANCEL, now or as soon as it is allowed. Its final response is waited for no longer than
  // Timers::afterCancel.
  void cancel(TimePoint now, Entry& entry, std::vector<Reason> reasons = {});
  // A 2xx to an INVITE, which is kept for further ones. An earlier re-INVITE that was kept for its repeated 2xx is
  // forgotten now. Invalidates entries.
  void markAnswered(TimePoint now, ClientTransactionId id);
  // An INVITE outside a dialog was answered, and may be answered by another branch still.
  bool awaitsFurtherAnswers() const;
  void forget(ClientTransactionId id);
  void forgetAll();

  Entry* find(ClientTransactionId id);
  Entry* findUnanswered(Method method);
  std::size_t unanswered() const;
  // The first entry whose deadline has come. The caller must forget it or move its deadline.
  Entry* expired(TimePoint now);
  std::optional<TimePoint> nextDeadline() const;

 private:
  void sendCancel(TimePoint now, Entry& entry);
  Environment& environment_;
  Owner owner_;
  Authenticator authenticator_;
  std::vector<Entry> entries_;  // a handful
};

}  // namespace crosspoint::sip
