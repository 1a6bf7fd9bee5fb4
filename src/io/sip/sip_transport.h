// The gateway's door to the SIP network: transactions and sockets of sofia-sip (`nta`, `tport`, `msg`), spoken to in
// the plain values of core/sip/message.h. It knows no dialog.
//
//     SipTransport transport(thread, {.bindAddress = "127.0.0.1", .port = 0}, route, deliver);
//     if (auto started = transport.start(); !started) fail(started.error());
//     transport.send(worker, sip::SendRequest{.id = …, .request = …, .destination = …});
//
// Every transaction belongs to a worker (a number below Config::workers): client transactions to the one that sent
// them, server transactions to the one that `route` chose when the request came. ClientTransactionIds need be unique
// per worker only. A worker hears of a transaction in the order of events; when its last event was handed up the id is
// forgotten:
//   - client: the final response (for an INVITE answered with 2xx: 64*T1 later, without a further event), or
//   TransactionFailed
//   - server: after the final response was sent (INVITE with 2xx: after its ACK or 64*T1)
// What arrives for a forgotten id is dropped and counted.
//
// An INVITE's 2xx is repeated here until the ACK comes (RFC 3261 §13.3.1.4); if it never comes the core learns nothing
// from here: it watches for the ACK itself (AckReceived). A repeated 2xx is handed up each time, so that the core sends
// its ACK again (§13.2.2.4).
//
// Threads: `deliver` and `route` are called on the SipThread only; they must not block nor call stop(). send() may be
// called from any thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "core/sip/message.h"
#include "io/sip/access.h"
#include "io/sip/sip_thread.h"
#include "io/sip/tls_files.h"

namespace crosspoint::sip {

class SipTransport {
 public:
  struct Config {
    std::string bindAddress = "127.0.0.1";  // numeric
    std::string publicAddress;              // numeric, what Via says behind a 1:1 NAT; empty: the bound one
    std::uint16_t port = 0;                 // 0: any; UDP and TCP get the same
    bool udp = true;
    bool tcp = true;
    std::string userAgent = "Crosspoint";  // User-Agent and Server where the core names none
    unsigned workers = 1;

    // TLS in both directions, on a port of its own; nothing: none. sofia-sip checks a server's certificate: its chain,
    // its dates, and that it is for the host that is configured (subjectAltName DNS or URI, or CN; no wildcards, RFC
    // 5922 §7.2). It sends no server_name, and of our certificate's file only the first certificate.
    std::optional<TlsConfig> tls;
    std::uint16_t tlsPort = 0;
    std::string certificateName;  // of a `server` that is written as an address; empty: the address, as CN

    // Where requests go whose destination names a host that may not be looked up: to whoever can (a far end's Contact,
    // a Record-Route). Without it such a request fails at once (Transport). Looked up and kept warm from start() on.
    std::optional<Uri> server;
    // Names that may be asked for in the DNS (RFC 3263), besides `server`: those of the configuration. The resolver is
    // not for names that a far end chose. "localhost" is 127.0.0.1.
    std::vector<std::string> resolvableHosts;
    std::vector<SocketAddress> dnsServers;  // empty: the system's
    // A hop that is silent for so long is left for the next one, if there is one (RFC 3263 §4.3 leaves it at 64*T1, too
    // long for somebody who waits for a sign-in), and stands behind the others for `hopAvoided`.
    std::chrono::milliseconds hopTimeout{5'000}, hopAvoided{30'000};

    // Who may send requests that belong to no dialog. Empty: the addresses to which `server` and `resolvableHosts`
    // lead, and `alsoFrom`. From elsewhere such a request gets 403 without the core. A request with a To tag is the
    // core's to judge, from wherever it comes: it answers 481 unless the dialog, whose tags no stranger can guess,
    // exists.
    std::vector<AddressRange> acceptFrom;
    std::vector<IpAddress> alsoFrom;
    bool acceptAll = true;  // neither of the two counts

    std::size_t mailboxMax = 65536;             // messages on their way to the SIP thread
    std::size_t clientTransactionsMax = 50000;  // beyond: TransactionFailed at once
    // Those that are answered count until no repetition can come any more. Beyond: 503 without the core; for a quarter
    // of it if the request comes from where none outside a dialog is accepted.
    std::size_t serverTransactionsMax = 50000;
    std::size_t messageBytesMax = 128 * 1024;  // a longer message is answered 413 or ends its TCP connection
    // A longer request goes over TCP where the far end takes it, by UDP if it refuses or does not answer for T4 (RFC
    // 3261 §18.1.1).
    std::size_t udpBytesMax = 1300;
    std::chrono::milliseconds connectionIdleMax{600'000};  // then an unused connection is closed
    std::chrono::milliseconds keepAlive{60'000};           // CRLF CRLF on connections (RFC 5626 §3.5.1)
    std::size_t connectionsMax = 2'000;                // TCP connections made to us; beyond: the silent ones are closed
    std::chrono::milliseconds connectionsLook{2'000};  // how often they are counted

    // RFC 3261 §17.1.1.1. Shorter ones are for tests.
    std::chrono::milliseconds t1{500}, t2{4000}, t4{5000};
    // A final response that never comes after a provisional one: RFC 3261 §16.6 timer C, here as a guard.
    std::chrono::milliseconds inviteMax{600'000};
  };

  // Totals since start, and what is held now.
  struct Stats {
    std::uint64_t requestsReceived = 0, responsesReceived = 0, requestsSent = 0, responsesSent = 0;
    std::uint64_t malformed = 0;            // unreadable datagrams and requests answered with 400
    std::uint64_t refused = 0;              // requests beyond serverTransactionsMax
    std::uint64_t strangers = 0;            // requests from addresses that may not send any
    std::uint64_t failovers = 0;            // further hops that were tried for a request
    std::uint64_t failed = 0;               // client transactions that ended with TransactionFailed
    std::uint64_t mailboxOverflows = 0;     // send() that returned false
    std::uint64_t unknownTransactions = 0;  // outputs of the core for an id that is not (or no longer) known
    std::uint64_t strayAcks = 0;            // ACKs that belong to no INVITE of ours
    std::size_t clientTransactions = 0, serverTransactions = 0;
  };

  using Deliver = std::function<void(unsigned worker, Incoming&&)>;
  // Which worker a new request goes to. A number that is too high gets the request a 503.
  using Route = std::function<unsigned(const Request&)>;

  SipTransport(SipThread& thread, Config config, Route route, Deliver deliver);  // the thread must outlive this object
  ~SipTransport();                                                               // stops
  SipTransport(const SipTransport&) = delete;
  SipTransport& operator=(const SipTransport&) = delete;

  // Binds the sockets; the thread must run. The error says what could not be had ("127.0.0.1:5060: address in use").
  std::expected<void, std::string> start();
  // Drops every transaction without a word to the network or the core. No call of `deliver` after the return.
  void stop();

  // Valid after start().
  SocketAddress boundAddress() const;
  SocketAddress tlsAddress() const;  // port 0: no TLS

  // Never blocks on the network. False if the mailbox is full or the transport does not run: nothing was sent and no
  // event will come; whoever sent a request treats it as TransactionFailed (Transport).
  bool send(unsigned worker, Outgoing&& message);

  // Not from the SIP thread.
  Stats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::sip
