// Many deadlines, one for each key, of which only the earliest matters. Setting one again is cheap; that is what
// happens after nearly every event of a call.
#pragma once
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "base/time.h"

namespace crosspoint::bridge {

template <typename Key>
class Deadlines {
 public:
  // Replaces the key's deadline; nothing: it has none.
  void set(Key key, std::optional<TimePoint> when) {
    const auto found = current_.find(key);
    if (found != current_.end() && found->second == when) return;
    if (!when) {
      if (found != current_.end()) current_.erase(found);
      return;
    }
    current_[key] = *when;
    heap_.push({*when, key});
  }
  void remove(Key key) { current_.erase(key); }

  std::optional<TimePoint> next() {
    skipStale();
    return heap_.empty() ? std::nullopt : std::optional(heap_.top().when);
  }
  // Takes one key whose deadline has come.
  std::optional<Key> take(TimePoint now) {
    skipStale();
    if (heap_.empty() || heap_.top().when > now) return std::nullopt;
    const Key key = heap_.top().key;
    heap_.pop();
    current_.erase(key);
    return key;
  }

 private:
  struct Entry {
    TimePoint when;
    Key key;
    bool operator>(const Entry& other) const { return when > other.when; }
  };
  // An entry that is no longer its key's deadline is left in the heap until it comes up.
  void skipStale() {
    while (!heap_.empty()) {
      const auto found = current_.find(heap_.top().key);
      if (found != current_.end() && found->second == heap_.top().when) return;
      heap_.pop();
    }
  }

  std::unordered_map<Key, TimePoint> current_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

}  // namespace crosspoint::bridge
