// From a URI to the places where a request for it may go (RFC 3263 §4.1, §4.2).
//
//   numeric host             -> that one
//   name with a port         -> its addresses
//   name without a port      -> SRV of the transport; of UDP, then TCP, if the URI names none; without any: its
//   addresses a name that is not in Config::names -> nothing, without a question: see SipTransport::Config
//
// What was found is used for `lifetimeMin` to `lifetimeMax`, always in the same order, so that a call goes to the
// server that has the registration. If a later lookup fails, what was found before is used on. NAPTR is not asked for:
// the transport is the configuration's to choose.
//
// On the SIP thread only.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/sip/uri.h"
#include "io/dns/resolver.h"
#include "io/loop/system_random.h"
#include "io/sip/hops.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

class Locator {
 public:
  struct Config {
    std::vector<std::string> names;  // that may be asked for; "localhost" is 127.0.0.1 and needs no entry
    std::vector<SocketAddress> dnsServers;
    // What the certificate of a server that is configured by its address must be for.
    std::optional<std::pair<IpAddress, std::string>> certificateName;
    bool udp = true, v6 = false;
    Duration lifetimeMin = std::chrono::seconds(5), lifetimeMax = std::chrono::seconds(60);
    Duration retryAfterFailure = std::chrono::seconds(2);  // a name that was not found is not asked for again before
    Duration avoidFor = std::chrono::seconds(30);          // a target that has failed
  };
  // Empty: there is none, and `problem` says why. The avoided ones stand last.
  using Found = std::function<void(std::vector<Hop> hops, const std::string& problem)>;

  // `timers` must outlive this object.
  Locator(su_root_t* root, TimerQueue& timers, Config config);
  ~Locator();
  Locator(const Locator&) = delete;
  Locator& operator=(const Locator&) = delete;

  // Whether the DNS may be asked, or need not be, for this host.
  bool mayLocate(const Uri& destination) const;
  // Calls back once, within this call if nothing must be asked.
  void locate(const Uri& destination, Found found);
  // Looks it up now, and never forgets what was found: that of all others gives way to newer ones.
  void keep(const Uri& destination);

  // Told of numeric destinations, too, which have no other place to go: those are not remembered.
  void failed(const Hop& hop, Duration avoidFor);  // 0: for as long as Config says
  void worked(const Hop& hop) {
    if (!hop.name.empty()) avoided_.forgive(hop);
  }

  // Whether a configured name is this address, or has led to it when it was last located: it may send to us.
  bool isLocated(const IpAddress& address) const;

 private:
  struct Entry;
  struct Lookup;
  class Watcher;

  // The name whose certificate a TLS server at this address has; empty if none is known.
  std::string nameAt(const SocketAddress& address) const;
  bool makeRoom();
  void ask(const std::string& key, const Uri& destination);
  void askServices(const std::shared_ptr<Lookup>& lookup);
  void askAddresses(const std::shared_ptr<Lookup>& lookup);
  void finish(const std::string& key, std::vector<Hop> hops, Duration lifetime, const std::string& problem);
  void armTimeout();

  TimerQueue& timers_;
  Config config_;
  loop::SystemRandom random_;
  AvoidList avoided_;
  std::map<std::string, Entry> entries_;  // by host, port and transport
  std::unique_ptr<Watcher> watcher_;
  std::unique_ptr<dns::Resolver> resolver_;
  TimerQueue::Id timeout_ = TimerQueue::Id::None;
  bool closing_ = false;
};

}  // namespace crosspoint::sip
