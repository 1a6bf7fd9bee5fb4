// What one user agent holds: its calls and registrations, and whose transaction, tag and deadline is whose. For
// user_agent.cc (messages and time) and user_agent_commands.cc (the owner's commands) only.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/sip/call.h"
#include "core/sip/deadlines.h"
#include "core/sip/environment.h"
#include "core/sip/registration.h"
#include "core/sip/server_watch.h"
#include "core/sip/user_agent.h"

namespace crosspoint::sip {

class UserAgent::Impl {
 public:
  Impl(Config config, Random& random, TimePoint now)
      : environment_{.config = std::move(config), .random = random}, watch_(environment_, now) {}

  void handle(TimePoint now, RequestReceived received);
  void handle(TimePoint now, const AckReceived& received);
  void handle(TimePoint now, const CancelReceived& received);
  void handle(TimePoint now, const ResponseReceived& received);
  void handle(TimePoint now, const TransactionFailed& failed);
  void handleTimeout(TimePoint now);

  std::expected<RegistrationId, CommandError> registerUser(TimePoint now, std::string user, Credentials credentials,
                                                           std::chrono::seconds expires);
  CommandResult unregister(TimePoint now, RegistrationId id);
  CommandResult forget(RegistrationId id);
  std::expected<CallId, CommandError> invite(TimePoint now, InviteParameters parameters);
  // A user at the domain, or a whole URI.
  std::optional<Uri> targetOf(const std::string& to) const;
  CommandResult notifyRefer(TimePoint now, CallId id, ReferId refer, int status, std::string_view reason);

  // Runs `command` on a call that its owner still knows.
  template <typename Command>
  CommandResult command(CallId id, Command command) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || found->second->ended()) return std::unexpected(CommandError::UnknownCall);
    CommandResult result = command(*found->second);
    review(id);
    return result;
  }

  Environment environment_;
  std::unordered_map<CallId, std::unique_ptr<Call>> calls_;
  std::unordered_map<RegistrationId, std::unique_ptr<Registration>> registrations_;
  Deadlines<std::uint64_t> callDeadlines_, registrationDeadlines_;
  ServerWatch watch_;

 private:
  void handleNewRequest(TimePoint now, RequestReceived received);
  void handleNewInvite(TimePoint now, RequestReceived received);
  // The call that a Replaces header names; else the status with which its INVITE is refused.
  std::expected<CallId, int> callToReplace(const Replaces& replaces);
  void handleServerReturned(TimePoint now);
  void answer(ServerTransactionId id, const Request& request, int status);
  void answer(ServerTransactionId id, Response response);
  Call* callByTag(const std::string& localTag, const std::string& callId);
  bool roomForCall();
  CallId add(std::unique_ptr<Call> call, CallId id);
  // After anything happened to it: its deadline, its place among the live, its end.
  void review(CallId id);
  void review(RegistrationId id);
  void remove(RegistrationId id);

  std::unordered_map<std::string, CallId> byLocalTag_;
  std::unordered_set<CallId> live_;                          // those without `Ended`
  std::unordered_map<std::string, RegistrationId> leaving_;  // by user: being un-registered
  std::uint64_t lastId_ = 0;
};

}  // namespace crosspoint::sip
