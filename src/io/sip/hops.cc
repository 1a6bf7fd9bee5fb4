#include "io/sip/hops.h"

#include <algorithm>

namespace crosspoint::sip {
namespace {

std::pair<std::string, std::string> keyOf(const Hop& hop) { return {hop.address.toString(), hop.transport}; }

}  // namespace

std::vector<dns::Service> inOrder(std::vector<dns::Service> services, Random& random) {
  std::stable_sort(services.begin(), services.end(), [](const dns::Service& a, const dns::Service& b) {
    return a.priority != b.priority ? a.priority<b.priority : (a.weight == 0)>(b.weight == 0);
  });
  for (auto next = services.begin(); next != services.end(); ++next) {
    const auto end =
        std::find_if(next, services.end(), [&](const auto& other) { return other.priority != next->priority; });
    std::uint64_t sum = 0;
    for (auto it = next; it != end; ++it) sum += it->weight;
    const std::uint64_t drawn = random.below(sum + 1);
    std::uint64_t running = 0;
    const auto chosen = std::find_if(next, end, [&](const auto& one) { return (running += one.weight) >= drawn; });
    std::rotate(next, chosen, chosen + 1);
  }
  return services;
}

void AvoidList::avoid(TimePoint now, const Hop& hop, Duration howLong) {
  until_[keyOf(hop)] = now + howLong;
  if (until_.size() <= kMax) return;
  until_.erase(
      std::min_element(until_.begin(), until_.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
}

void AvoidList::forgive(const Hop& hop) { until_.erase(keyOf(hop)); }

bool AvoidList::isAvoided(TimePoint now, const Hop& hop) const {
  const auto found = until_.find(keyOf(hop));
  return found != until_.end() && now < found->second;
}

std::vector<Hop> AvoidList::sorted(TimePoint now, std::vector<Hop> hops) const {
  std::stable_partition(hops.begin(), hops.end(), [&](const Hop& hop) { return !isAvoided(now, hop); });
  return hops;
}

}  // namespace crosspoint::sip
