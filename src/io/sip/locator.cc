#include "io/sip/locator.h"

#include <algorithm>

#include "core/params/media.h"
#include "io/loop/clock.h"
#include "io/sip/sofia.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kEntriesMax = 64;  // transports and ports of the configured names

std::optional<IpAddress> numericHost(std::string_view host) {
  if (namesEqual(host, "localhost")) return IpAddress::v4(0x7f000001);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return IpAddress::parse(host);
}

std::string transportOf(const Uri& uri) {
  return uri.transport().empty() && uri.scheme == "sips" ? "tls" : uri.transport();
}

std::uint16_t defaultPort(std::string_view transport) { return transport == "tls" ? 5061 : 5060; }

std::string keyOf(const Uri& uri) {
  std::string host = uri.host;
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return host + ":" + std::to_string(uri.port) + ";" + transportOf(uri);
}

std::string serviceName(const std::string& transport, const std::string& host) {
  if (transport == "tls") return "_sips._tcp." + host;  // RFC 3263 §4.1
  return "_sip._" + transport + "." + host;
}

}  // namespace

struct Locator::Entry {
  std::vector<Hop> hops;
  std::string problem;
  TimePoint expires;
  bool asking = false;
  bool kept = false;
  std::vector<Found> waiting;
};

// One name on its way through the DNS.
struct Locator::Lookup {
  std::string key, host, transport;
  std::uint16_t port = 0;
  std::vector<std::string> transports;  // whose SRV is still to be asked for
  std::vector<dns::Service> services;   // whose addresses are still to be asked for, the next one last
  std::vector<Hop> hops;
  Duration lifetime{};
  bool dnsFailed = false;
};

// Hands the resolver's sockets to sofia-sip's loop.
class Locator::Watcher {
 public:
  Watcher(su_root_t* root, Locator& owner) : root_(root), owner_(owner) {}
  ~Watcher() {
    for (const auto& [fd, index] : indexes_) su_root_deregister(root_, index);
  }

  void watch(int fd, bool read, bool write) {
    if (const auto found = indexes_.find(fd); found != indexes_.end()) {
      su_root_deregister(root_, found->second);
      indexes_.erase(found);
    }
    const int events = (read ? SU_WAIT_IN : 0) | (write ? SU_WAIT_OUT : 0);
    su_wait_t wait[1] = {};
    if (events == 0 || su_wait_create(wait, fd, events) != 0) return;
    const int index = su_root_register(root_, wait, &Watcher::ready, this, 0);
    if (index > 0) indexes_[fd] = index;
  }

 private:
  static int ready(void*, su_wait_t* wait, void* self) {
    auto& watcher = *static_cast<Watcher*>(self);
    const int fd = wait->fd;
    const int events = su_wait_events(wait, fd);
    constexpr int kBroken = SU_WAIT_ERR | SU_WAIT_HUP;
    watcher.owner_.resolver_->handleReady(fd, (events & (SU_WAIT_IN | kBroken)) != 0, (events & SU_WAIT_OUT) != 0);
    watcher.owner_.armTimeout();
    return 0;
  }

  su_root_t* root_;
  Locator& owner_;
  std::map<int, int> indexes_;  // su_root's, by descriptor
};

Locator::Locator(su_root_t* root, TimerQueue& timers, Config config)
    : timers_(timers), config_(std::move(config)), watcher_(std::make_unique<Watcher>(root, *this)) {
  resolver_ =
      std::make_unique<dns::Resolver>(dns::Resolver::Config{.servers = config_.dnsServers},
                                      [this](int fd, bool read, bool write) { watcher_->watch(fd, read, write); });
}

Locator::~Locator() {
  timers_.cancel(timeout_);
  closing_ = true;  // the resolver calls back what is open; whoever waits for it is going, too
  resolver_.reset();
}

bool Locator::mayLocate(const Uri& destination) const {
  if (destination.scheme == "tel" || destination.host.empty()) return false;
  const auto& names = config_.names;
  return numericHost(destination.host) ||
         std::any_of(names.begin(), names.end(), [&](const auto& name) { return namesEqual(name, destination.host); });
}

void Locator::locate(const Uri& destination, Found found) {
  const std::string transport = transportOf(destination);
  if (!mayLocate(destination)) return found({}, "the name is not one of the configuration's");
  if (const auto ip = numericHost(destination.host)) {
    const std::string chosen = !transport.empty() ? transport : config_.udp ? "udp" : "tcp";
    const SocketAddress address{*ip, destination.port ? destination.port : defaultPort(chosen)};
    return found({Hop{.address = address, .transport = chosen, .name = chosen == "tls" ? nameAt(address) : ""}}, {});
  }
  const std::string key = keyOf(destination);
  const TimePoint now = loop::monotonicNow();
  if (!entries_.contains(key) && !makeRoom()) return found({}, "too many names are being looked up");
  Entry& entry = entries_[key];
  if (!entry.asking && now < entry.expires) return found(avoided_.sorted(now, entry.hops), entry.problem);
  entry.waiting.push_back(std::move(found));
  if (!entry.asking) ask(key, destination);
}

void Locator::keep(const Uri& destination) {
  locate(destination, [](const auto&, const auto&) {});
  if (const auto found = entries_.find(keyOf(destination)); found != entries_.end()) found->second.kept = true;
}

// A far end may put any port and transport to a configured name: what runs out first gives way.
bool Locator::makeRoom() {
  if (entries_.size() < kEntriesMax) return true;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.asking || it->second.kept) continue;
    if (oldest == entries_.end() || it->second.expires < oldest->second.expires) oldest = it;
  }
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

// A Record-Route names our server by its address, too.
std::string Locator::nameAt(const SocketAddress& address) const {
  if (config_.certificateName && config_.certificateName->first == address.ip) return config_.certificateName->second;
  for (const auto& [key, entry] : entries_) {
    const auto same = [&](const Hop& hop) { return hop.transport == "tls" && hop.address == address; };
    const auto hop = std::find_if(entry.hops.begin(), entry.hops.end(), same);
    if (hop != entry.hops.end()) return hop->name;
  }
  return {};
}

void Locator::ask(const std::string& key, const Uri& destination) {
  entries_[key].asking = true;
  auto lookup = std::make_shared<Lookup>();
  lookup->key = key;
  lookup->host = destination.host;
  lookup->port = destination.port;
  lookup->transport = transportOf(destination);
  lookup->lifetime = config_.lifetimeMax;
  if (destination.port == 0) {  // the next one last
    if (!lookup->transport.empty()) lookup->transports = {lookup->transport};
    if (lookup->transport.empty()) lookup->transports = {"tcp"};
    if (lookup->transport.empty() && config_.udp) lookup->transports = {"tcp", "udp"};
  }
  askServices(lookup);
  armTimeout();
}

void Locator::askServices(const std::shared_ptr<Lookup>& lookup) {
  if (lookup->transports.empty()) {  // no SRV, or none was to be asked for: the name's own addresses
    if (lookup->transport.empty()) lookup->transport = config_.udp ? "udp" : "tcp";
    const auto port = lookup->port ? lookup->port : defaultPort(lookup->transport);
    lookup->services = {{.priority = 0, .weight = 0, .port = port, .host = lookup->host}};
    return askAddresses(lookup);
  }
  const std::string transport = lookup->transports.back();
  lookup->transports.pop_back();
  resolver_->findServices(serviceName(transport, lookup->host), [this, lookup, transport](auto services) {
    if (closing_) return;
    if (!services) {
      lookup->dnsFailed |= services.error() == dns::Error::Failed;
      return askServices(lookup);
    }
    lookup->transport = transport;
    lookup->services = inOrder(std::move(*services), random_);
    std::ranges::reverse(lookup->services);
    askAddresses(lookup);
  });
}

void Locator::askAddresses(const std::shared_ptr<Lookup>& lookup) {
  if (lookup->services.empty() || lookup->hops.size() >= kHopsMax) {
    const std::string problem = lookup->dnsFailed ? "the DNS does not answer for " : "the DNS has no address for ";
    return finish(lookup->key, std::move(lookup->hops), lookup->lifetime, problem + lookup->host);
  }
  const dns::Service service = std::move(lookup->services.back());
  lookup->services.pop_back();
  const auto add = [this, lookup, port = service.port](const IpAddress& ip) {
    if (lookup->hops.size() >= kHopsMax || ip.isV6() != config_.v6) return;
    lookup->hops.push_back({.address = {ip, port}, .transport = lookup->transport, .name = lookup->host});
  };
  if (const auto ip = IpAddress::parse(service.host)) {
    add(*ip);
    return askAddresses(lookup);
  }
  resolver_->findAddresses(service.host, config_.v6, [this, lookup, add](auto addresses) {
    if (closing_) return;
    if (addresses) {
      lookup->lifetime = std::min(lookup->lifetime, Duration(addresses->lifetime));
      for (const auto& ip : addresses->list) add(ip);
    } else {
      lookup->dnsFailed |= addresses.error() == dns::Error::Failed;
    }
    askAddresses(lookup);
  });
}

void Locator::finish(const std::string& key, std::vector<Hop> hops, Duration lifetime, const std::string& problem) {
  const TimePoint now = loop::monotonicNow();
  Entry& entry = entries_[key];
  entry.asking = false;
  entry.expires = now + (hops.empty() ? config_.retryAfterFailure : std::max(lifetime, config_.lifetimeMin));
  if (!hops.empty()) entry.hops = std::move(hops);
  entry.problem = entry.hops.empty() ? problem : std::string();
  auto waiting = std::move(entry.waiting);
  entry.waiting.clear();
  const auto sorted = avoided_.sorted(now, entry.hops);
  const std::string said = entry.problem;
  for (const auto& found : waiting) found(sorted, said);
}

void Locator::failed(const Hop& hop, Duration avoidFor) {
  if (hop.name.empty()) return;
  avoided_.avoid(loop::monotonicNow(), hop, avoidFor > Duration(0) ? avoidFor : config_.avoidFor);
}

bool Locator::isLocated(const IpAddress& address) const {
  const auto& names = config_.names;
  if (std::any_of(names.begin(), names.end(), [&](const auto& name) { return numericHost(name) == address; }))
    return true;
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    const auto& hops = entry.second.hops;
    return std::any_of(hops.begin(), hops.end(), [&](const auto& t) { return t.address.ip == address; });
  });
}

void Locator::armTimeout() {
  timers_.cancel(timeout_);
  const auto left = resolver_ ? resolver_->nextTimeout() : std::nullopt;
  if (!left) return;
  timeout_ = timers_.after(*left + std::chrono::milliseconds(1), [this] {
    timeout_ = TimerQueue::Id::None;
    resolver_->handleTimeout();
    armTimeout();
  });
}

}  // namespace crosspoint::sip
