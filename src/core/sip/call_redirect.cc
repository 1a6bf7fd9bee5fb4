// A redirected INVITE goes to the next contact, as part of the same call (RFC 3261 §8.1.3.4).
#include <utility>

#include "core/sip/call.h"

namespace crosspoint::sip {

// After a final response to the first INVITE. True: another one is on its way, with the same Call-ID, From and To and
// the next sequence number; its first hop is that of the first.
bool Call::redirect(TimePoint now, const Request& refused, const Uri& destination, const Response& response) {
  if (state_ != State::Inviting || !environment_.config.followRedirects) return false;
  if (Redirection::follows(response.status)) {
    redirection_.handle(response);
  } else if (!redirection_.redirected() || response.status < 400 || response.status >= 600) {
    return false;  // §21.6: after a 6xx no other contact is tried
  }
  auto target = redirection_.next();
  if (!target) return false;
  ++environment_.counters.redirects;
  seed_.target = std::move(*target);
  forgetBranches();
  Request invite = refused;
  invite.uri = seed_.target;
  invite.cseq = ++seed_.cseq;
  invite.authorizations.clear();
  requests_.send(now, std::move(invite), destination);
  return true;
}

}  // namespace crosspoint::sip
