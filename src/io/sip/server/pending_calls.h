// Calls to `echo` and `music` whose 200 waits for its ACK, counted by where they came from: each holds lines until the
// endpoint gives it up, and costs whoever never means to acknowledge it one datagram. Sans-IO.
#pragma once
#include <map>
#include <string>

#include "base/address.h"
#include "base/time.h"

namespace crosspoint::sip {

class PendingCalls {
 public:
  static constexpr std::size_t kPerSourceMax = 50;                 // half of the lines; a gateway brings many calls
  static constexpr Duration kLifetime = std::chrono::seconds(40);  // 64*T1 and a little: the endpoint has given it up

  // False: the source has too many. The same call again (a repeated INVITE) counts once.
  bool add(TimePoint now, const IpAddress& source, const std::string& callId);
  // The ACK has come, or another request of the call: it is no longer pending.
  void confirm(const std::string& callId);
  std::size_t size() const { return calls_.size(); }

 private:
  struct Call {
    IpAddress source;
    TimePoint expires;
  };
  void forgetOld(TimePoint now);

  std::map<std::string, Call> calls_;  // by Call-ID; no more than sources times kPerSourceMax, for kLifetime
};

}  // namespace crosspoint::sip
