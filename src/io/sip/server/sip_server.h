// The embedded SIP server: a registrar and a record-routing proxy for trying things out and for small sites, with an
// `echo` and a `music` number. A SIP party of its own, spoken to over its own sockets, so that the path of a call is
// the same as with any other server.
//
//     SipServer server(thread, {.bindAddress = "127.0.0.1", .port = 5060});
//     if (auto started = server.start(); !started) fail(started.error());
//
// Any user part is a user of this server, whatever the domain, if the domain is one of `domains` or the bound address.
// A call to a registered user goes to all its contacts at once (parallel forking); a user that is not registered gets
// 480 if it is in the password table or was registered before, 404 otherwise.
//
// Threads: everything runs on the SipThread. start(), stop(), boundAddress(), stats() belong to other threads.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "io/sip/sip_thread.h"

namespace crosspoint::sip {

class SipServer {
 public:
  struct Config {
    std::string bindAddress = "127.0.0.1";  // numeric
    std::uint16_t port = 0;                 // 0: any; UDP and TCP get the same
    bool udp = true;
    bool tcp = true;
    std::vector<std::string> domains;  // names that mean this server, besides its address ("localhost" always does)

    // Digest (MD5, qop auth, RFC 2617) is asked for when either is set. The table goes first.
    std::string realm = "crosspoint";
    std::string sharedPassword;                    // of every user that is not in the table
    std::map<std::string, std::string> passwords;  // user -> password; without a shared password nobody else registers
    bool challengeCalls = true;                    // calls too, not registrations only (407)

    std::string echoUser = "echo";    // empty: none
    std::string musicUser = "music";  // empty: none

    std::chrono::seconds expiresDefault{3600}, expiresMin{10}, expiresMax{7200};
    std::chrono::milliseconds t1{500}, t2{4000}, t4{5000};
    std::chrono::milliseconds timerC{180'000};  // RFC 3261 §16.6: how long a call may ring

    std::size_t usersMax = 10'000;            // beyond: 503
    std::size_t contactsPerUserMax = 8;       // beyond: the oldest is forgotten
    std::size_t transactionsMax = 20'000;     // proxied at a time; beyond: 503
    std::size_t mediaCallsMax = 100;          // echo and music; beyond: 486
    std::chrono::seconds mediaCallMax{3600};  // an echo or music call that nobody ends is ended
  };

  struct Stats {
    std::uint64_t requests = 0, malformed = 0, refused = 0, unauthorized = 0;
    std::uint64_t mediaPackets = 0;
    std::size_t registeredUsers = 0, contacts = 0, transactions = 0, mediaCalls = 0;
  };

  SipServer(SipThread& thread, Config config);  // the thread must outlive this object
  ~SipServer();                                 // stops
  SipServer(const SipServer&) = delete;
  SipServer& operator=(const SipServer&) = delete;

  std::expected<void, std::string> start();
  void stop();  // drops everything without a word to the network
  SocketAddress boundAddress() const;
  Stats stats() const;  // not from the SIP thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::sip
