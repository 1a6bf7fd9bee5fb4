// The SIP user agent's events on their way to sessions and calls.
#include "bridge/bridge_impl.h"

namespace crosspoint::bridge {

std::string peerName(std::string_view user) {
  std::string name;
  for (const char c : user.substr(0, Sessions::kUserBytesMax)) {
    const bool plain = static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f && c != ',' &&
                       c != '&' && c != '#';
    name += plain ? c : '_';
  }
  return name.empty() ? "anonymous" : name;
}

void Bridge::Impl::handleIncomingCall(TimePoint now, const sip::IncomingCall& incoming) {
  if (incoming.replaces) return handleReplacement(now, incoming);
  Session* session = sessions_.findUser(incoming.toUser);
  if (session == nullptr) {
    static_cast<void>(agent_.reject(now, incoming.call, 404));
    return;
  }
  if (session->call != nullptr && !session->call->ended()) {  // one call for each session (`spec/signalling.md` §4)
    static_cast<void>(agent_.reject(now, incoming.call, 486));
    return;
  }
  const auto kind = incoming.sdp ? Call::Kind::SipToPage : Call::Kind::SipToPageWithoutOffer;
  Call* call = make(now, kind, *session, peerName(incoming.fromUser));
  if (call == nullptr) {
    static_cast<void>(agent_.reject(now, incoming.call, 503));
    return;
  }
  bySip_[incoming.call] = call->slot();
  call->startFromSip(now, incoming);
}

// A call of ours moves to another far end (RFC 3891), whoever the request is addressed to.
void Bridge::Impl::handleReplacement(TimePoint now, const sip::IncomingCall& incoming) {
  Call* call = find(*incoming.replaces);
  if (call == nullptr) {
    static_cast<void>(agent_.reject(now, incoming.call, 481));
    return;
  }
  bySip_[incoming.call] = call->slot();
  call->handleReplacement(now, incoming);
  touched_.push_back(call->slot());
}

void Bridge::Impl::handle(TimePoint now, const sip::Event& event) {
  std::visit(
      [&](const auto& what) {
        using Event = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<Event, sip::IncomingCall>) {
          handleIncomingCall(now, what);
        } else if constexpr (std::is_same_v<Event, sip::RegistrationSucceeded> ||
                             std::is_same_v<Event, sip::RegistrationFailed> ||
                             std::is_same_v<Event, sip::RegistrationLost>) {
          sessions_.handle(now, what);
        } else if constexpr (std::is_same_v<Event, sip::ServerReachable>) {
          handleReachable(now, what);
        } else if constexpr (requires { what.call; }) {
          if (Call* call = find(what.call)) {
            call->handle(now, what.call, event);
            touched_.push_back(call->slot());
          }
          if constexpr (std::is_same_v<Event, sip::Ended>) bySip_.erase(what.call);
        }
      },
      event);
}

void Bridge::Impl::handleReachable(TimePoint, const sip::ServerReachable& event) {
  counters_.sipServerUnreachable = event.reachable ? 0 : 1;
  sessions_.setServerReachable(event.reachable);
  dependencies_.log.write(event.reachable ? LogLevel::Info : LogLevel::Error, "sip-server",
                          event.reachable ? "it answers again: registrations are renewed"
                                          : "it cannot be reached (" + std::to_string(event.status) +
                                                "): sign-ins are refused until it answers");
}

}  // namespace crosspoint::bridge
