#include "bench/waiting.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/gateway_process.h"
#include "bench/http_client.h"
#include "io/loop/clock.h"

namespace crosspoint::bench {
namespace {

void raiseDescriptorLimit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string anonymous(std::size_t number) {
  char id[37];
  std::snprintf(id, sizeof id, "anon%032zx", number);
  return id;
}

}  // namespace

Waiting measureWaiting(const std::string& gateway, int cpu, std::size_t clients) {
  raiseDescriptorLimit();
  GatewayProcess process(gateway, cpu, {"http.poll-hold=600", "http.session-timeout=1200"});
  Waiting result{.kilobytesIdle = process.process().residentKilobytes()};
  std::vector<HttpClient> waiting;
  waiting.reserve(clients);
  const TimePoint begin = loop::monotonicNow();
  for (std::size_t i = 0; i < clients; ++i) {
    HttpClient client(process.http());
    const std::string ssid = ssidOf(client.get("/sign_in?" + anonymous(i)));
    client.beginGet("/wait?id=" + ssid);
    waiting.push_back(std::move(client));
  }
  const std::chrono::duration<double> took = loop::monotonicNow() - begin;
  result.signInsPerSecond = static_cast<double>(clients) / took.count();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  for (auto& client : waiting) {
    if (client.tryRead()) throw std::runtime_error("a hanging GET came back at once");
  }
  const double grown = process.process().residentKilobytes() - result.kilobytesIdle;
  result.kilobytesPerClient = grown / static_cast<double>(clients);
  return result;
}

}  // namespace crosspoint::bench
