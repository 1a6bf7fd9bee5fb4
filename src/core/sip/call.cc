// States and ends of a call, and which part of it a message belongs to.
#include "core/sip/call.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/params/media.h"
#include "core/sip/refer.h"
#include "core/sip/shown_text.h"

namespace crosspoint::sip {
namespace {

bool legalMove(Call::State from, Call::State to) {
  using enum Call::State;
  switch (to) {
    case Inviting:
    case Invited:
      return false;
    case Cancelling:
      return from == Inviting;
    case Accepted:
      return from == Invited;
    case Closing:
      return from == Accepted;
    case Established:
      return from == Inviting || from == Accepted;
    case Ending:
      return from != Ending && from != Gone;
    case Gone:
      return from != Gone;
  }
  return false;
}

}  // namespace

void addCapabilities(Message& message, const Config& config) {
  message.allow = {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "NOTIFY", "PRACK", "UPDATE", "REFER"};
  message.supported = {std::string(kReliable), std::string(kTimer), std::string(kReplacesOption),
                       std::string(kNoReferSubOption)};
  message.allowEvents = config.allowEvents;
  message.accept = {"application/sdp"};
}

bool isSdp(std::string_view contentType) {
  std::string_view type = contentType.substr(0, contentType.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return type.empty() || namesEqual(type, "application/sdp");
}

bool hasOption(const std::vector<std::string>& tags, std::string_view option) {
  return std::ranges::any_of(tags, [option](const std::string& tag) { return namesEqual(tag, option); });
}

void Call::noteAllow(Branch& branch, const Message& message) {
  if (!message.allow.empty()) branch.allowsUpdate = hasOption(message.allow, toString(Method::Update));
}

std::optional<std::string> sdpOf(const Message& message) {
  if (message.body.empty() || message.body.size() > kBodyBytesMax || !isSdp(message.contentType)) return std::nullopt;
  return message.body;
}

Call::~Call() {
  if (serverInvite_) environment_.inviteTransactions.erase(serverInvite_->id);
}

void Call::moveTo(State next) {
  CROSSPOINT_CHECK(legalMove(state_, next));
  state_ = next;
  if (next == State::Established) phase_ = CallPhase::Established;
}

void Call::tell(Event event) {
  if (!ended_) environment_.emit(std::move(event));
}

Ended Call::endedBy(const Response& response, bool fromFarEnd) {
  Ended ended{.status = response.status, .reason = shownText(response.reason), .byRemote = fromFarEnd};
  if (ended.reason.empty()) ended.reason = standardReason(response.status);
  addReasons(ended, response.reasons);
  if (response.status >= 300 && response.status < 400) ended.redirectTo = shownAddresses(response.contacts);
  return ended;
}

// The Reason headers of whatever ended the call (RFC 3326).
void Call::addReasons(Ended& ended, const std::vector<Reason>& reasons) {
  ended.reasons = shownReasons(reasons);
  for (const auto& reason : ended.reasons) {
    if (ended.cause == 0) ended.cause = reason.cause;
    if (ended.reason.empty()) ended.reason = reason.text;
  }
}

void Call::finish(TimePoint now, Ended what) {
  if (ended_) return;
  for (; what.byRemote && !infosWaiting_.empty(); infosWaiting_.pop_front()) tell(InfoFailed{id_, 481});
  infosWaiting_.clear();
  if (what.status >= 300 && what.redirectTo.empty()) what.redirectTo = redirection_.contacts();
  what.call = id_;
  what.phase = phase_;
  tell(std::move(what));
  ended_ = true;
  waitingOffer_.reset();
  provisionalDueAt_.reset();
  reliable_.reset();
  pendingAccept_.reset();
  for (Branch& dialog : branches_) abandon(dialog);
  endRefersWithCall(now);
}

void Call::sendBye(TimePoint now, Branch& branch, std::optional<Reason> reason) {
  Request bye = branch.dialog.makeRequest(Method::Bye);
  if (reason) bye.reasons.push_back(*reason);
  requests_.send(now, std::move(bye), branch.dialog.destination());
}

void Call::finishWithBye(TimePoint now, Ended what, std::optional<Reason> reason) {
  finish(now, std::move(what));
  if (serverInvite_) refuseInvite(487);
  if (owedAck_) {  // the 2xx must be acknowledged before the BYE
    acknowledge(confirmed(), owedAck_->cseq, owedAck_->authorizations);
    owedAck_.reset();
  }
  awaitedAck_.reset();
  sendBye(now, confirmed(), std::move(reason));
  windDown(now);
}

void Call::windDown(TimePoint now) {
  moveTo(State::Ending);
  if (auto* reInvite = requests_.findUnanswered(Method::Invite)) requests_.cancel(now, *reInvite);
  settleDown();
}

bool Call::isFirstInvite(const Request& request) const {
  return outgoing_ && request.method == Method::Invite && request.cseq == seed_.cseq;
}

// RFC 3261 §13.2.2.4: for 64*T1 after the first 2xx another branch may answer, and must get its ACK and BYE even though
// the call is over. A branch that nothing was ever heard of is not waited for.
bool Call::awaitsForks() {
  if (!requests_.awaitsFurtherAnswers()) return false;
  return std::ranges::any_of(
      branches_, [this](const Branch& b) { return !b.lost && !b.over && !(confirmed_ && &b == &confirmed()); });
}

// After the end only what the far end could not do without is waited for.
void Call::settleDown() {
  if (state_ != State::Ending) return;
  if (requests_.findUnanswered(Method::Bye) != nullptr || requests_.findUnanswered(Method::Invite) != nullptr) return;
  if (referring() || awaitsForks()) return;  // RFC 5057 §5.2
  requests_.forgetAll();
  moveTo(State::Gone);
}

void Call::respond(const ServerTransactionId& id, Response response) {
  response.userAgent = environment_.config.userAgent;
  environment_.send(SendResponse{id, std::move(response)});
}

void Call::respond(const ServerTransactionId& id, const Request& request, int status, std::string_view reason) {
  respond(id, makeResponse(request, status, localTag_, reason));
}

Call::Branch* Call::branch(std::string_view remoteTag) {
  const auto found =
      std::ranges::find_if(branches_, [&](const Branch& b) { return b.dialog.remoteTag() == remoteTag; });
  return found == branches_.end() ? nullptr : &*found;
}

Call::Branch* Call::branchNumbered(std::uint32_t number) {
  const auto found = std::ranges::find(branches_, number, &Branch::number);
  return found == branches_.end() ? nullptr : &*found;
}

void Call::abandon(Branch& branch) {
  branch.owedPrack.reset();
  const auto asked = std::exchange(branch.asked, {});
  if (!asked) return;
  branch.offer.withdraw();
  respond(asked->id, asked->request, 487);
  tell(OfferWithdrawn{id_, 487, branch.number});
}

void Call::forgetBranches() {
  for (Branch& dialog : branches_) {
    abandon(dialog);
    if (waitingOffer_) giveWay(dialog);
  }
  branches_.clear();
}

// ---- Responses to our requests ----

void Call::handleResponse(TimePoint now, ClientTransactionId id, const Response& response) {
  auto* entry = requests_.find(id);
  if (entry == nullptr) return;
  const bool invite = entry->request.method == Method::Invite;
  const bool first = isFirstInvite(entry->request);
  if (response.status < 200) {
    if (entry->phase == ClientRequests::Phase::Answered) return;  // overtaken by the final one
    requests_.handleProvisional(now, *entry, now + environment_.config.timers.ringMax);
    if (!invite || response.status == 100) return;
    const Request request = entry->request;
    if (first) return handleInviteProvisional(now, request, response);
    return handleReInviteProvisional(now, request, response);
  }
  if (response.status < 300 && invite) {
    if (first) return handleInviteSuccess(now, id, response);
    return handleReInviteSuccess(now, id, response);
  }
  if (entry->phase == ClientRequests::Phase::Answered) return;
  if (response.status == 401 || response.status == 407) {
    Branch* dialog = first ? nullptr : branch(entry->request.to.tag);
    std::uint32_t& cseq = dialog != nullptr ? dialog->dialog.localCseq() : seed_.cseq;
    if ((first || dialog != nullptr) && !(ended_ && invite) &&
        requests_.retryWithCredentials(now, *entry, response, cseq)) {
      if (first) forgetBranches();
      if (entry->request.method == Method::Refer && sentRefer_) sentRefer_->cseq = entry->request.cseq;
      return;
    }
  }
  if (response.status == 422 && retryWithLongerSession(now, id, response)) return;
  handleFinal(now, id, response, true);
}

// RFC 4028 §7.4, for whatever begins or refreshes a session.
bool Call::retryWithLongerSession(TimePoint now, ClientTransactionId id, const Response& response) {
  const auto* entry = requests_.find(id);
  const bool first = isFirstInvite(entry->request);
  Branch* dialog = first ? nullptr : branch(entry->request.to.tag);
  if (ended_ || entry->cancelWanted || !entry->request.sessionExpires || (!first && dialog == nullptr)) return false;
  if (!timer_.raise(response)) return false;
  Request request = entry->request;
  const Uri destination = entry->destination;
  request.cseq = ++(first ? seed_.cseq : dialog->dialog.localCseq());
  timer_.fillRequest(request);
  requests_.forget(id);
  if (first) forgetBranches();
  requests_.send(now, std::move(request), destination);
  return true;
}

void Call::handleFailure(TimePoint now, ClientTransactionId id, int status, std::string_view reason) {
  const auto* entry = requests_.find(id);
  if (entry == nullptr || entry->phase == ClientRequests::Phase::Answered) return;
  Response response;
  response.status = status;
  response.reason = reason.empty() ? standardReason(status) : reason;
  handleFinal(now, id, response, false);
}

void Call::handleFinal(TimePoint now, ClientTransactionId id, const Response& response, bool fromFarEnd) {
  auto* entry = requests_.find(id);
  const Request request = std::move(entry->request);
  const Uri destination = std::move(entry->destination);
  requests_.forget(id);
  if (isFirstInvite(request)) {
    if (redirect(now, request, destination, response)) return;
    handleInviteFailure(now, response, fromFarEnd);
  } else if (request.method == Method::Invite) {
    handleReInviteFailure(now, request, response, fromFarEnd);
  } else if (request.method == Method::Update) {
    handleUpdateFinal(now, request, response, fromFarEnd);
  } else if (request.method == Method::Prack) {
    handlePrackFinal(request, response);
  } else if (request.method == Method::Bye) {
    handleByeFinal(now, request, response, fromFarEnd);
  } else {
    handleOtherFinal(now, request, response, fromFarEnd);
  }
  settleDown();
}

// ---- Time ----

void Call::handleExpired(TimePoint now, ClientRequests::Entry& entry) {
  if (entry.phase == ClientRequests::Phase::Answered) {
    requests_.forget(entry.id);
    return settleDown();
  }
  const bool ringing = entry.request.method == Method::Invite && entry.phase == ClientRequests::Phase::Proceeding;
  if (!ringing || entry.cancelWanted) return handleFailure(now, entry.id, 408);
  requests_.cancel(now, entry);
  if (state_ != State::Inviting) return;  // a re-INVITE: its own end decides
  moveTo(State::Cancelling);
  finish(now, {.status = 408, .reason = "No answer"});
}

void Call::handleTimeout(TimePoint now) {
  while (auto* entry = requests_.expired(now)) handleExpired(now, *entry);
  if (serverInvite_ && serverInvite_->deadline <= now) {
    if (state_ == State::Invited) {
      refuseInvite(480);
      finish(now, {.status = 480, .reason = "No answer"});
      moveTo(State::Gone);
    } else {
      withdrawServerInvite(504);
    }
  }
  handleReferTimeout(now);
  if (infoMayFollow() && infoFollowsAt_ <= now) sendNextInfo(now);
  if (provisionalDueAt_ && *provisionalDueAt_ <= now) sendProvisional(now, *lastProvisional_);
  if (awaitedAck_ && awaitedAck_->deadline <= now) {
    finishWithBye(now, {.status = 408, .reason = "The answer was never acknowledged"},
                  std::exchange(closingReason_, {}));
  }
  if (owedAck_ && owedAck_->deadline <= now)
    finishWithBye(now, {.status = 488, .reason = "The offer was not answered"});
  if (waitingOffer_ && waitingOffer_->dueAt && *waitingOffer_->dueAt <= now) {
    sendWaitingOffer(now);
  }
  handleReliableTimeout(now);
  handleSessionTimeout(now);
}

std::optional<TimePoint> Call::nextTimeout() const {
  auto next = earlier(requests_.nextDeadline(), provisionalDueAt_);
  if (serverInvite_) next = earlier(next, serverInvite_->deadline);
  if (infoMayFollow()) next = earlier(next, infoFollowsAt_);
  if (awaitedAck_) next = earlier(next, awaitedAck_->deadline);
  if (owedAck_) next = earlier(next, owedAck_->deadline);
  if (waitingOffer_) next = earlier(next, waitingOffer_->dueAt);
  if (reliable_) next = earlier(next, reliable_->nextTimeout());
  for (const Branch& dialog : branches_) {
    if (dialog.asked) next = earlier(next, dialog.asked->deadline);
    if (dialog.owedPrack) next = earlier(next, dialog.owedPrack->deadline);
  }
  if (state_ == State::Established) next = earlier(next, timer_.nextTimeout());
  return earlier(next, nextReferTimeout());
}

// ---- The owner hangs up ----

CommandResult Call::hangUp(TimePoint now, std::optional<Reason> reason) {
  if (reason) reason->text = withoutControls(reason->text);
  while (infoMayFollow()) sendNextInfo(now);  // what was said before it
  switch (state_) {
    case State::Inviting: {
      std::vector<Reason> reasons;
      if (reason) reasons.push_back(*reason);
      if (auto* invite = requests_.findUnanswered(Method::Invite)) requests_.cancel(now, *invite, std::move(reasons));
      moveTo(State::Cancelling);
      finish(now, {});
      break;
    }
    case State::Invited:
      refuseInvite(480, {}, std::move(reason));
      finish(now, {.status = 480});
      moveTo(State::Gone);
      break;
    case State::Accepted:
      closingReason_ = std::move(reason);
      moveTo(State::Closing);
      finish(now, {});
      break;
    case State::Established:
      finishWithBye(now, {}, std::move(reason));
      break;
    case State::Cancelling:
    case State::Closing:
    case State::Ending:
    case State::Gone:
      return std::unexpected(CommandError::UnknownCall);
  }
  return {};
}

}  // namespace crosspoint::sip
