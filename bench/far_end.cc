#include "bench/far_end.h"

#include <stdexcept>

#include "core/sdp/sdp.h"
#include "io/loop/clock.h"

namespace crosspoint::bench {
namespace {

constexpr std::size_t kMailboxMax = 65536;

std::string answer(std::uint16_t port) {
  SessionDescription description;
  description.originAddress = IpAddress::v4(0x7f000001);
  description.connection = description.originAddress;
  MediaSection section;
  section.port = port;
  section.codecs = {{.payloadType = 0, .name = "PCMU", .clockRate = 8000}};
  description.sections = {section};
  return sdp::write(description);
}

}  // namespace

FarEnd::FarEnd() : mailbox_(kMailboxMax) {
  if (!thread_.start()) throw std::runtime_error("the SIP thread does not start");
  transport_ = std::make_unique<sip::SipTransport>(
      thread_, sip::SipTransport::Config{.tcp = false}, [](const sip::Request&) { return 0u; },
      [this](unsigned, sip::Incoming&& incoming) { mailbox_.post(std::move(incoming)); });
  if (const auto started = transport_->start(); !started) throw std::runtime_error(started.error());
  sip::Config config;
  config.contact = sip::Uri::parse("sip:" + address()).value();
  config.server = config.contact;
  config.limits.calls = 100'000;
  agent_ = std::make_unique<sip::UserAgent>(config, random_, loop::monotonicNow());
}

FarEnd::~FarEnd() {
  transport_->stop();
  thread_.stop();
}

std::optional<std::uint16_t> FarEnd::gatewayPort(const std::string& number) const {
  const auto found = gatewayPorts_.find(number);
  return found == gatewayPorts_.end() ? std::nullopt : std::optional(found->second);
}

void FarEnd::tick(TimePoint now) {
  if (mailbox_.take(incoming_)) {
    for (auto& message : incoming_) agent_->handle(now, std::move(message));
  }
  if (const auto due = agent_->nextTimeout(); due && *due <= now) agent_->handleTimeout(now);
  while (auto output = agent_->pollOutput()) {
    if (auto* outgoing = std::get_if<sip::Outgoing>(&*output)) {
      transport_->send(0, std::move(*outgoing));
    } else if (const auto* call = std::get_if<sip::IncomingCall>(&std::get<sip::Event>(*output))) {
      accept(now, *call);
    }
  }
}

void FarEnd::accept(TimePoint now, const sip::IncomingCall& call) {
  const auto offer = sdp::parse(call.sdp.value_or(""));
  const auto port = ports_.find(call.toUser);
  if (!offer || offer->sections.empty() || port == ports_.end()) {
    static_cast<void>(agent_->reject(now, call.call, 488));
    return;
  }
  gatewayPorts_[call.toUser] = offer->sections[0].port;
  static_cast<void>(agent_->accept(now, call.call, answer(port->second)));
}

}  // namespace crosspoint::bench
