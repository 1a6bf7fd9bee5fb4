#include "gateway/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace crosspoint::gateway {
namespace {

class Families {
 public:
  void counter(std::string name, std::string help, std::uint64_t value) {
    add(std::move(name) + "_total", std::move(help), prometheus::MetricType::Counter).counter.value =
        static_cast<double>(value);
  }
  void gauge(std::string name, std::string help, std::uint64_t value) {
    add(std::move(name), std::move(help), prometheus::MetricType::Gauge).gauge.value = static_cast<double>(value);
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  prometheus::ClientMetric& add(std::string name, std::string help, prometheus::MetricType type) {
    families_.push_back(
        {.name = "crosspoint_" + std::move(name), .help = std::move(help), .type = type, .metric = {{}}});
    return families_.back().metric.front();
  }
  std::vector<prometheus::MetricFamily> families_;
};

void addBridge(Families& out, const bridge::Counters& c) {
  out.gauge("sessions", "Pages that are signed in", c.sessions);
  out.gauge("calls", "Calls under way", c.calls);
  out.gauge("sip_server_unreachable", "Media workers whose OPTIONS the SIP server does not answer",
            c.sipServerUnreachable);
  out.counter("sign_ins", "Pages that signed in", c.signIns);
  out.counter("sign_ins_refused", "Pages whose sign-in was refused", c.signInsRefused);
  out.counter("sessions_expired", "Pages that vanished without a sign-out", c.sessionsExpired);
  out.counter("calls_started", "Calls that began, either way", c.callsStarted);
  out.counter("calls_answered", "Calls that were answered", c.callsAnswered);
  out.counter("calls_ended", "Calls that ended", c.callsEnded);
  out.counter("calls_failed", "Calls that ended without an answer, or by an error", c.callsFailed);
  out.counter("packets_from_browser", "Media packets from browsers", c.packetsFromBrowser);
  out.counter("packets_to_browser", "Media packets to browsers", c.packetsToBrowser);
  out.counter("packets_from_sip", "Media packets from SIP", c.packetsFromSip);
  out.counter("packets_to_sip", "Media packets to SIP", c.packetsToSip);
  out.counter("packets_dropped", "Packets of no flow, not authentic, not negotiated, or on hold", c.packetsDropped);
  out.counter("bad_messages", "Bodies from pages that were no message, JSON or SDP", c.badMessages);
  out.counter("limits_reached", "Times that a limit was reached", c.limitsReached);
}

void addUdp(Families& out, const UdpTotals& c) {
  out.counter("udp_received", "Datagrams received", c.received);
  out.counter("udp_received_batches", "Batches they came in", c.receivedBatches);
  out.counter("udp_received_too_long", "Datagrams dropped because of their length", c.receivedTooLong);
  out.counter("udp_sent", "Datagrams sent", c.sent);
  out.counter("udp_send_refused", "Datagrams that the kernel refused", c.sendRefused);
  out.counter("udp_out_dropped", "Datagrams dropped before the kernel", c.outDropped);
  out.gauge("udp_sockets", "Open UDP sockets", c.openSockets);
  out.counter("worker_wake_ups", "Wake-ups of the media workers", c.wakeUps);
  out.counter("worker_mailbox_refused", "Messages to workers that found a full mailbox", c.refusedPosts);
}

void addHttp(Families& out, const http::Counters& c) {
  out.gauge("http_connections", "Open HTTP connections", c.connections);
  out.gauge("http_waiting", "HTTP requests without their reply", c.waiting);
  out.counter("http_accepted", "HTTP connections accepted", c.accepted);
  out.counter("http_refused_at_limit", "HTTP connections beyond the limit", c.refusedAtLimit);
  out.counter("http_displaced", "HTTP connections without a request that gave way to newer ones", c.displaced);
  out.counter("http_requests", "HTTP requests", c.requests);
  out.counter("http_bad_requests", "HTTP requests that were none", c.badRequests);
  out.counter("http_timeouts", "HTTP clients that were too slow", c.timeouts);
  out.counter("http_closed_while_waiting", "HTTP clients that went away before their reply", c.closedWhileWaiting);
  out.gauge("http_sockets", "Open WebSockets", c.sockets);
  out.counter("http_sockets_opened", "WebSockets opened", c.socketsOpened);
  out.counter("http_socket_messages", "Messages of pages on WebSockets", c.socketMessages);
  out.counter("http_slow_readers", "WebSockets closed because their page did not read", c.slowReaders);
  out.counter("http_undelivered", "HTTP replies that did not reach their client", c.undelivered);
}

void addSip(Families& out, const sip::SipTransport::Stats& c) {
  out.counter("sip_requests_received", "SIP requests received", c.requestsReceived);
  out.counter("sip_responses_received", "SIP responses received", c.responsesReceived);
  out.counter("sip_requests_sent", "SIP requests sent", c.requestsSent);
  out.counter("sip_responses_sent", "SIP responses sent", c.responsesSent);
  out.counter("sip_malformed", "SIP messages that could not be read", c.malformed);
  out.counter("sip_refused", "SIP requests beyond the limit", c.refused);
  out.counter("sip_strangers", "SIP requests from addresses that may not send any", c.strangers);
  out.counter("sip_failovers", "Further SIP servers tried for a request", c.failovers);
  out.counter("sip_failed", "SIP transactions without a final response", c.failed);
  out.gauge("sip_client_transactions", "SIP client transactions", c.clientTransactions);
  out.gauge("sip_server_transactions", "SIP server transactions", c.serverTransactions);
}

}  // namespace

void add(bridge::Counters& sum, const bridge::Counters& part) {
  sum.sessions += part.sessions;
  sum.calls += part.calls;
  sum.sipServerUnreachable += part.sipServerUnreachable;
  sum.signIns += part.signIns;
  sum.signInsRefused += part.signInsRefused;
  sum.sessionsExpired += part.sessionsExpired;
  sum.callsStarted += part.callsStarted;
  sum.callsAnswered += part.callsAnswered;
  sum.callsEnded += part.callsEnded;
  sum.callsFailed += part.callsFailed;
  sum.packetsFromBrowser += part.packetsFromBrowser;
  sum.packetsToBrowser += part.packetsToBrowser;
  sum.packetsFromSip += part.packetsFromSip;
  sum.packetsToSip += part.packetsToSip;
  sum.packetsDropped += part.packetsDropped;
  sum.badMessages += part.badMessages;
  sum.limitsReached += part.limitsReached;
}

std::string metricsText(const Totals& totals) {
  Families out;
  addBridge(out, totals.bridge);
  addUdp(out, totals.udp);
  addHttp(out, totals.http);
  addSip(out, totals.sip);
  out.gauge("workers", "Media workers", totals.workers);
  return out.text();
}

}  // namespace crosspoint::gateway
