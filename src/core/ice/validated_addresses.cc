#include "core/ice/validated_addresses.h"

#include <algorithm>

#include "core/ice/limits.h"

namespace crosspoint::ice {

void ValidatedAddresses::add(const SelectedPair& address, std::uint32_t generation,
                             const std::optional<SelectedPair>& keep) {
  const auto known = std::ranges::find(entries_, address, &Entry::address);
  if (known != entries_.end()) {
    if (known->generation == generation) return;
    known->generation = generation;
    if (known->reported) ++unreported_;
    known->reported = false;
    return;
  }
  if (entries_.size() == kValidatedMax) {
    const auto oldest = std::ranges::find_if(entries_, [&keep](const Entry& entry) { return entry.address != keep; });
    ++refused_;
    if (oldest == entries_.end() || retired_.size() == kRetiredMax) return;
    retire(static_cast<std::size_t>(oldest - entries_.begin()));
  }
  std::erase(retired_, address);
  entries_.push_back({address, generation, false});
  ++unreported_;
}

void ValidatedAddresses::retire(std::size_t index) {
  if (entries_[index].reported) {
    retired_.push_back(entries_[index].address);
  } else {
    --unreported_;
  }
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
}

void ValidatedAddresses::retireBefore(std::uint32_t generation) {
  for (std::size_t i = entries_.size(); i-- > 0;) {
    if (entries_[i].generation < generation) retire(i);
  }
}

bool ValidatedAddresses::contains(const SelectedPair& address) const {
  return std::ranges::find(entries_, address, &Entry::address) != entries_.end();
}

std::optional<PairRetired> ValidatedAddresses::pollRetired() {
  if (retired_.empty()) return std::nullopt;
  const SelectedPair address = retired_.back();
  retired_.pop_back();
  return PairRetired{address.socket, address.remote};
}

std::optional<PairValidated> ValidatedAddresses::pollValidated() {
  if (unreported_ == 0) return std::nullopt;
  const auto entry = std::ranges::find(entries_, false, &Entry::reported);
  entry->reported = true;
  --unreported_;
  return PairValidated{entry->address.socket, entry->address.remote};
}

}  // namespace crosspoint::ice
