// The pages' messages on their way to sessions and calls.
#include "bridge/bridge_impl.h"

#include <utility>

#include "bridge/statistics.h"

namespace crosspoint::bridge {
namespace {

bool hasControlCharacter(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// For this long a BYE that has come ahead of its OFFER is remembered: both were posted at the same time, on two
// connections. Nobody dials again as soon as that.
constexpr Duration kByeAheadMax = std::chrono::milliseconds(200);

// For this long an OFFER of a call that has ended may still be on its way: longer if the page repeats what it has no
// confirmation of.
constexpr Duration kOfferLateMax = std::chrono::seconds(5);
constexpr Duration kRepeatedOfferLateMax = std::chrono::seconds(30);

}  // namespace

void Bridge::Impl::handlePage(TimePoint now, PageRequest&& request) {
  std::visit(
      [&](auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, PageMessage> || std::is_same_v<What, SocketMessage>)
          handleMessage(now, what);
        else
          sessions_.handle(now, std::move(what));
      },
      request);
  settle(now);
}

void Bridge::Impl::handleMessage(TimePoint now, PageMessage& message) {
  auto reply = [&](int status, std::string body) {
    sessions_.replies().push_back({.request = message.request, .status = status, .body = std::move(body)});
  };
  Session* session = sessions_.find(message.ssid);
  if (session == nullptr || !session->signedIn) {
    // It may have gone a moment ago: dropped, and no reason to send it again. Who counts hears that it was not taken: a
    // load balancer may have brought it to the wrong gateway.
    return reply(message.number ? 404 : 200, "There is no such session");
  }
  sessions_.seen(now, *session);
  reply(200, "");
  if (!message.number || session->taken.take(*message.number)) take(now, *session, message.to, message.body);
}

void Bridge::Impl::handleMessage(TimePoint now, SocketMessage& message) {
  Session* session = sessions_.findSocket(message.socket);
  if (session == nullptr) return;
  sessions_.seen(now, *session);
  if (message.acknowledged) session->queue.handleAcknowledged(*message.acknowledged);
  if (!message.number) return;
  sessions_.replies().push_back({.request = message.socket, .form = PageReply::Form::Frame, .taken = message.number});
  if (session->taken.take(*message.number)) take(now, *session, message.to, message.body);
}

void Bridge::Impl::take(TimePoint now, Session& session, const std::string& to, const std::string& text) {
  auto body = roap::parsePageBody(text);
  if (body) return handleBody(now, session, to == session.ssid ? "self" : to, *body);
  ++counters_.badMessages;
  roap::Message error{.type = roap::MessageType::Error};
  error.errorType = roap::ErrorType::Failed;
  error.sipStatus = 400;
  error.reason = body.error().message;
  session.tell(roap::toPage(error), session.call != nullptr ? session.call->peerName() : "gateway");
  // It may have been the OFFER of a new call: then the page would wait for an answer.
  if (session.call == nullptr && text.starts_with("RSMP")) session.tell("BYE", "gateway");
}

void Bridge::Impl::handleBody(TimePoint now, Session& session, const std::string& to, roap::PageBody& body) {
  Call* call = session.call;
  if (auto* message = std::get_if<roap::Message>(&body)) {
    if (isOfEndedCall(now, session, to, *message)) {
      session.roap.pass(*message);
      // One that does not acknowledge may have missed our BYE, and waits.
      const bool waits = call == nullptr && !session.queue.counts() && !session.queue.awaits("BYE");
      if (waits) session.tell("BYE", peerName(to));
      return;
    }
    if (message->type == roap::MessageType::Answer && (call == nullptr || !call->isWith(to)))
      session.handleLateAnswer(to, *message);
    if (message->type == roap::MessageType::Ok) session.droppedPeer.clear();  // the page is in its own call
    session.roap.handleMessage(now, *message);
    drainRoap(now, session, to);
  } else if (std::holds_alternative<roap::Bye>(body)) {
    handleBye(now, session, to);
  } else if (const auto* transfer = std::get_if<roap::Transfer>(&body)) {
    if (call != nullptr)
      call->transferByPage(now, *transfer);
    else
      session.tell(progressMessage("transfer-failed", 481, "There is no call to transfer"), "gateway");
  } else if (call == nullptr) {
    return;
  } else if (auto* mapped = std::get_if<roap::InfoMap>(&body)) {
    call->sendInfo(now, "application/x-www-form-urlencoded", std::move(mapped->content));
  } else if (auto* peer = std::get_if<roap::InfoPeer>(&body)) {
    call->sendInfo(now, "application/octet-stream", std::move(peer->content));
  } else if (std::holds_alternative<roap::GetStats>(body)) {
    session.tell("PUT-STATS " + statisticsJson(now, config_.wallClock, *call), call->peerName(),
                 PageQueue::Kind::Chatter);
  }
  if (session.call != nullptr) touched_.push_back(session.call->slot());
}

void Bridge::Impl::handleBye(TimePoint now, Session& session, const std::string& to) {
  Call* call = session.call;
  const bool named = !to.empty() && to != "null";
  if (call != nullptr && (!named || call->isWith(to))) {
    call->hangUpByPage(now);
  } else if (named && to != session.lastPeer) {
    session.byeAhead = Session::ByeAhead{to, now};
  }
  // The page's OFFER was so late that it had hung up already: what came in meanwhile rings there, or was answered.
  const std::string dropped = std::exchange(session.droppedPeer, {});
  if (dropped.empty()) return;
  session.tell("BYE", dropped);
  session.droppedTold = dropped;
}

void Bridge::Impl::handleOffer(TimePoint now, Session& session, const std::string& to,
                               const roap::Session::OfferReceived& offer) {
  if (session.call != nullptr && !session.call->takesOfferTo(to)) {
    touched_.push_back(session.call->slot());
    session.droppedPeer = session.call->mayRing() ? session.call->peerName() : "";
    session.call->handleReplaced(now);
  }
  if (session.call == nullptr)
    startCall(now, session, to, offer);
  else
    session.call->handlePageOffer(now, offer.content);
}

// An OFFER that crosses a BYE changes a call that has ended.
bool Bridge::Impl::isOfEndedCall(TimePoint now, const Session& session, const std::string& to,
                                 const roap::Message& message) {
  if (message.type != roap::MessageType::Offer || session.roap.hasSeen(message)) return false;
  const Duration lateMax = session.queue.counts() ? kRepeatedOfferLateMax : kOfferLateMax;
  const roap::SessionId& id = message.offererSessionId;
  const auto named = [&](const Session::EndedCall& ended) {
    return ended.peer == to && ended.pageId.matches(id) && now - ended.at <= lateMax;
  };
  const bool may = !id.isNull() && !id.matches(session.roap.pageId());
  if (may && std::ranges::any_of(session.endedCalls, named)) return true;
  if (session.lastPeer.empty() || to != session.lastPeer) return false;
  if (session.call != nullptr && session.call->takesOfferTo(to)) return false;
  return message.seq.value_or(1) > 1 || (session.call == nullptr && session.queue.awaits("BYE"));
}

void Bridge::Impl::startCall(TimePoint now, Session& session, const std::string& to,
                             const roap::Session::OfferReceived& offer) {
  const auto cancelled = std::exchange(session.byeAhead, std::nullopt);
  const bool byeWasQuicker = cancelled && cancelled->to == to && now - cancelled->at <= kByeAheadMax;
  if (byeWasQuicker) {
    session.roap.endCall(now);
    session.tell("BYE", peerName(to));  // it may have meant another call: then the page waits
    return;
  }
  const std::string told = std::exchange(session.droppedTold, {});
  if (!told.empty() && session.queue.awaits("BYE")) session.droppedPeer = told;
  session.queue.forgetUnread();  // of the call before: its BYE would end this one at the page
  const bool self = to == "self";
  if (to.empty() || to == "null" || to.size() > Sessions::kUserBytesMax || hasControlCharacter(to)) {
    return refuseCall(now, session, roap::ErrorType::NoMatch, 404, "There is nobody of that name to call");
  }
  Call* call = make(now, self ? Call::Kind::PageToSelf : Call::Kind::PageToSip, session, peerName(to), to);
  if (call == nullptr) {
    return refuseCall(now, session, roap::ErrorType::Failed, 503, "The gateway carries as many calls as it can");
  }
  call->handlePageOffer(now, offer.content);
}

void Bridge::Impl::refuseCall(TimePoint now, Session& session, roap::ErrorType error, std::uint16_t sipStatus,
                              std::string reason) {
  session.roap.refuse(now, error, sipStatus, std::move(reason));
  session.tell("BYE", "gateway");
}

void Bridge::Impl::drainRoap(TimePoint now, Session& session, const std::string& to) {
  while (auto output = session.roap.pollOutput()) {
    Call* call = session.call;
    if (auto* send = std::get_if<roap::Session::Send>(&*output)) {
      session.tell(roap::toPage(send->message), call != nullptr ? call->peerName() : "gateway");
    } else if (auto* offer = std::get_if<roap::Session::OfferReceived>(&*output)) {
      handleOffer(now, session, to, *offer);
    } else if (call == nullptr) {
      continue;
    } else if (auto* answer = std::get_if<roap::Session::AnswerReceived>(&*output)) {
      if (answer->moreComing)
        call->handlePageProvisionalAnswer(now, answer->content);
      else
        call->handlePageAnswer(now, answer->content);
    } else if (const auto* failed = std::get_if<roap::Session::OfferFailed>(&*output)) {
      call->handlePageOfferFailed(now, failed->error);
    } else if (std::holds_alternative<roap::Session::OfferPossible>(*output)) {
      call->handleOfferPossible(now);
    } else if (std::holds_alternative<roap::Session::ShutdownReceived>(*output)) {
      call->hangUpByPage(now);
    }
  }
  roapDeadlines_.set(&session, session.roap.nextTimeout());
}

}  // namespace crosspoint::bridge
