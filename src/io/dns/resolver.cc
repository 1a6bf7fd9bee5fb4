#include "io/dns/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>

#include "io/loop/socket_address.h"

namespace crosspoint::dns {
namespace {

// RFC 2181 §8 allows 68 years; a site that moves its server does not want to wait for them.
constexpr std::chrono::seconds kLifetimeMax{3'600};

Error errorOf(int status) { return status == ARES_ENODATA || status == ARES_ENOTFOUND ? Error::None : Error::Failed; }

bool initializeLibrary() {
  static const bool good = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return good;
}

std::expected<std::vector<Service>, Error> servicesFrom(int status, const unsigned char* answer, int size) {
  if (status != ARES_SUCCESS) return std::unexpected(errorOf(status));
  ares_srv_reply* list = nullptr;
  const int parsed = ares_parse_srv_reply(answer, size, &list);
  const std::unique_ptr<ares_srv_reply, void (*)(ares_srv_reply*)> owned(list, [](auto* p) { ares_free_data(p); });
  if (parsed != ARES_SUCCESS) return std::unexpected(errorOf(parsed));
  std::vector<Service> services;
  for (const auto* one = list; one && services.size() < kServicesMax; one = one->next) {
    const std::string host = one->host ? one->host : "";
    if (!host.empty() && host != "." && one->port != 0)
      services.push_back({one->priority, one->weight, one->port, host});
  }
  if (services.empty()) return std::unexpected(Error::None);
  return services;
}

std::expected<Addresses, Error> addressesFrom(int status, const ares_addrinfo* info) {
  if (status != ARES_SUCCESS || !info) return std::unexpected(errorOf(status));
  Addresses addresses{.list = {}, .lifetime = kLifetimeMax};
  for (const auto* node = info->nodes; node && addresses.list.size() < kAddressesMax; node = node->ai_next) {
    if (node->ai_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(node->ai_addr);
      addresses.list.push_back(IpAddress::v4(ntohl(address->sin_addr.s_addr)));
    } else if (node->ai_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
      addresses.list.push_back(IpAddress::v6(Bytes(address->sin6_addr.s6_addr, 16)));
    } else {
      continue;
    }
    addresses.lifetime = std::min(addresses.lifetime, std::chrono::seconds(std::max(node->ai_ttl, 0)));
  }
  if (addresses.list.empty()) return std::unexpected(Error::None);
  return addresses;
}

}  // namespace

struct Resolver::Impl {
  explicit Impl(Watch watcher) : watch(std::move(watcher)) {}

  static void socketChanged(void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Impl*>(self)->watch(fd, readable != 0, writable != 0);
  }

  Watch watch;
  ares_channel channel = nullptr;
};

Resolver::Resolver(const Config& config, Watch watch) : impl_(std::make_unique<Impl>(std::move(watch))) {
  ares_options options{};
  options.timeout = static_cast<int>(config.timeout.count());
  options.tries = config.tries;
  options.sock_state_cb = &Impl::socketChanged;
  options.sock_state_cb_data = impl_.get();
  constexpr int kSet = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (!initializeLibrary() || ares_init_options(&impl_->channel, &options, kSet) != ARES_SUCCESS) {
    impl_->channel = nullptr;
    return;
  }
  std::string servers;
  for (const auto& server : config.servers) servers += (servers.empty() ? "" : ",") + server.toString();
  if (!servers.empty()) ares_set_servers_ports_csv(impl_->channel, servers.c_str());
}

Resolver::~Resolver() {
  if (impl_->channel) ares_destroy(impl_->channel);
}

void Resolver::findServices(const std::string& name, ServicesFound found) {
  if (!impl_->channel) return found(std::unexpected(Error::Failed));
  const auto answered = [](void* context, int status, int, unsigned char* answer, int size) {
    const std::unique_ptr<ServicesFound> callback(static_cast<ServicesFound*>(context));
    (*callback)(servicesFrom(status, answer, size));
  };
  ares_query(impl_->channel, name.c_str(), ns_c_in, ns_t_srv, answered, new ServicesFound(std::move(found)));
}

void Resolver::findAddresses(const std::string& name, bool v6, AddressesFound found) {
  if (!impl_->channel) return found(std::unexpected(Error::Failed));
  const auto answered = [](void* context, int status, int, ares_addrinfo* info) {
    const std::unique_ptr<AddressesFound> callback(static_cast<AddressesFound*>(context));
    const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> owned(info, [](auto* p) { ares_freeaddrinfo(p); });
    (*callback)(addressesFrom(status, info));
  };
  ares_addrinfo_hints hints{};
  hints.ai_family = v6 ? AF_INET6 : AF_INET;
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(impl_->channel, name.c_str(), nullptr, &hints, answered, new AddressesFound(std::move(found)));
}

void Resolver::handleReady(int fd, bool readable, bool writable) {
  if (!impl_->channel) return;
  ares_process_fd(impl_->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
}

void Resolver::handleTimeout() {
  if (impl_->channel) ares_process_fd(impl_->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

std::optional<Duration> Resolver::nextTimeout() const {
  timeval storage{};
  const timeval* left = impl_->channel ? ares_timeout(impl_->channel, nullptr, &storage) : nullptr;
  if (!left) return std::nullopt;
  return Duration(std::chrono::seconds(left->tv_sec)) + Duration(std::chrono::microseconds(left->tv_usec));
}

}  // namespace crosspoint::dns
