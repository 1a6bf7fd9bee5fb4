// The next deadline of each of many objects, and the earliest of all, in logarithmic time.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/time.h"

namespace crosspoint::sip {

template <typename Key>
class Deadlines {
 public:
  void set(const Key& key, std::optional<TimePoint> at) {
    const auto known = byKey_.find(key);
    if (known != byKey_.end()) {
      if (at == known->second) return;
      ordered_.erase({known->second, key});
      byKey_.erase(known);
    }
    if (!at) return;
    byKey_.emplace(key, *at);
    ordered_.emplace(*at, key);
  }
  std::optional<TimePoint> next() const {
    if (ordered_.empty()) return std::nullopt;
    return ordered_.begin()->first;
  }
  std::optional<Key> due(TimePoint now) const {
    if (ordered_.empty() || ordered_.begin()->first > now) return std::nullopt;
    return ordered_.begin()->second;
  }

 private:
  std::set<std::pair<TimePoint, Key>> ordered_;
  std::unordered_map<Key, TimePoint> byKey_;
};

}  // namespace crosspoint::sip
