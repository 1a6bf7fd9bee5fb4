// The addresses from which the peer has proven itself, as the owner's demultiplexer knows them.
#pragma once
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/ice/types.h"

namespace crosspoint::ice {

class ValidatedAddresses {
 public:
  // `keep` never has to make room. In a newer generation a known address is reported once more.
  void add(const SelectedPair& address, std::uint32_t generation, const std::optional<SelectedPair>& keep);
  void retireBefore(std::uint32_t generation);
  bool contains(const SelectedPair& address) const;

  std::optional<PairRetired> pollRetired();  // to be drained before pollValidated()
  std::optional<PairValidated> pollValidated();

  std::uint64_t refused() const { return refused_; }

 private:
  struct Entry {
    SelectedPair address;
    std::uint32_t generation = 0;
    bool reported = false;
  };
  void retire(std::size_t index);

  std::vector<Entry> entries_;
  std::vector<SelectedPair> retired_;  // not yet polled
  std::size_t unreported_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace crosspoint::ice
