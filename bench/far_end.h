// The SIP server that the gateway calls through and every phone behind it: answers each INVITE at once.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "core/sip/user_agent.h"
#include "io/loop/mailbox.h"
#include "io/loop/system_random.h"
#include "io/sip/sip_transport.h"

namespace crosspoint::bench {

class FarEnd {
 public:
  FarEnd();  // throws std::runtime_error if SIP cannot be started
  ~FarEnd();

  std::string address() const { return transport_->boundAddress().toString(); }
  // Calls to this number get an answer that names this RTP port.
  void expect(const std::string& number, std::uint16_t rtpPort) { ports_[number] = rtpPort; }
  // The gateway's RTP port of the call to this number; nothing before its INVITE has come.
  std::optional<std::uint16_t> gatewayPort(const std::string& number) const;
  // Handles what has come. To be called often.
  void tick(TimePoint now);

 private:
  void accept(TimePoint now, const sip::IncomingCall& call);

  loop::SystemRandom random_;
  loop::Mailbox<sip::Incoming> mailbox_;
  std::vector<sip::Incoming> incoming_;
  sip::SipThread thread_;
  std::unique_ptr<sip::SipTransport> transport_;
  std::unique_ptr<sip::UserAgent> agent_;
  std::unordered_map<std::string, std::uint16_t> ports_, gatewayPorts_;
};

}  // namespace crosspoint::bench
