// One sofia-sip agent: its sockets, its transactions, and the check that every new request passes before it gets one.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "io/sip/sofia.h"
#include "io/sip/tls_files.h"

namespace crosspoint::sip {

struct AgentConfig {
  std::string bindAddress;    // numeric, IPv6 without brackets
  std::string publicAddress;  // what Via says; empty: the bound one
  std::uint16_t port = 0;
  bool udp = true, tcp = true;
  bool userAgent = false;  // nta repeats our 2xx and takes its ACK; otherwise it behaves as a proxy's transaction layer
  std::chrono::milliseconds t1{500}, t2{4000}, t4{5000};
  std::size_t messageBytesMax = 128 * 1024;
  std::size_t udpBytesMax = 4000;
  std::chrono::milliseconds idle{600'000};
  std::chrono::milliseconds keepAlive{0};  // of connections, RFC 5626 §3.5.1 (without waiting for the answer); 0: none
  std::optional<TlsConfig> tls;            // listens for TLS, too
  std::uint16_t tlsPort = 0;
};

struct AgentDeleter {
  void operator()(nta_agent_t* agent) const { nta_agent_destroy(agent); }
};
using AgentPointer = std::unique_ptr<nta_agent_t, AgentDeleter>;

// On the SIP thread. `handle` gets every message that belongs to no transaction and owns it.
std::expected<AgentPointer, std::string> createAgent(su_root_t* root, const AgentConfig& config, nta_message_f* handle,
                                                     void* context);

// The address in our Via, and the port that was bound.
SocketAddress boundAddress(const nta_agent_t* agent);
// The same of TLS; port 0 if there is none.
SocketAddress tlsAddress(const nta_agent_t* agent);
// All addresses of ours that Vias may name; several if the agent is bound to 0.0.0.0 or [::].
std::vector<IpAddress> ownAddresses(const nta_agent_t* agent);

// Where a received message came from. Nothing if it is no IP address.
std::optional<SocketAddress> sourceOf(msg_t* message);
SocketAddress fromSofia(const su_sockaddr_t& address);
// The transport ("udp", "tcp") over which it came.
std::string transportOf(nta_agent_t* agent, msg_t* message);

// Whether a new request may get a transaction. False for what nta could only answer in ways that harm us: responses to
// addresses that cannot be sent to, headers that a response (which repeats them) could not carry.
bool mayBeAnswered(const sip_t* message);

// A received message as it may be sent on: what the parser could not read, or found twice where there may be one, is
// taken out of it (sending it would end in an assertion of sofia-sip). Gives a copy, or nothing.
MessagePointer copyForForwarding(msg_t* message);

// Numbers that nta keeps itself, as totals.
struct AgentCounters {
  std::uint64_t malformed = 0, requestsReceived = 0, responsesReceived = 0, requestsSent = 0, responsesSent = 0;
};
// Server transactions of nta, with those that have their answer and stay for 64*T1, to meet repetitions (RFC 3261
// §17.2.2).
std::size_t serverTransactionsOf(nta_agent_t* agent);
AgentCounters countersOf(nta_agent_t* agent);

// Sends CANCEL for a pending INVITE transaction to `destination`, which is where the INVITE went. nta's own function
// ends an INVITE transaction over TCP before its final response (487) has come; this one leaves it alone. `reason` may
// be empty: it is the value of a Reason header.
bool sendCancel(nta_agent_t* agent, nta_outgoing_t* invite, const url_t* destination, const std::string& reason);

}  // namespace crosspoint::sip
