// What GET /metrics says, as Prometheus reads it.
#pragma once
#include <string>

#include "bridge/bridge.h"
#include "io/http/server.h"
#include "io/sip/sip_transport.h"

namespace crosspoint::gateway {

struct UdpTotals {
  std::uint64_t received = 0, receivedBatches = 0, receivedTooLong = 0, sent = 0, sendRefused = 0, outDropped = 0,
                openSockets = 0;
  std::uint64_t wakeUps = 0, refusedPosts = 0;
};

struct Totals {
  bridge::Counters bridge;  // summed over the workers
  UdpTotals udp;
  http::Counters http;
  sip::SipTransport::Stats sip;
  unsigned workers = 0;
};

void add(bridge::Counters& sum, const bridge::Counters& part);
std::string metricsText(const Totals& totals);

}  // namespace crosspoint::gateway
