// A UDP network in virtual time: loses, delays, reorders and duplicates.
#pragma once
#include <functional>
#include <unordered_map>

#include "base/address.h"
#include "base/random.h"
#include "tests/sim/clock.h"

namespace crosspoint::sim {

struct Weather {
  unsigned lossPermille = 10;
  unsigned duplicatePermille = 5;
  Duration delayMin = std::chrono::milliseconds(1);
  Duration delaySpread = std::chrono::milliseconds(40);  // so that datagrams overtake each other
};

class Network {
 public:
  using Receiver = std::function<void(const SocketAddress& from, Bytes)>;
  Network(Clock& clock, Random& random, const Weather& weather) : clock_(clock), random_(random), weather_(weather) {}

  void bind(const SocketAddress& address, Receiver receiver) { receivers_[address] = std::move(receiver); }
  void unbind(const SocketAddress& address) { receivers_.erase(address); }

  void send(const SocketAddress& from, const SocketAddress& to, Bytes bytes) {
    const int copies = random_.below(1000) < weather_.duplicatePermille ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      if (random_.below(1000) < weather_.lossPermille) continue;
      clock_.after(delay(), [this, from, to, copy = ByteVector(bytes.begin(), bytes.end())] {
        const auto receiver = receivers_.find(to);
        if (receiver != receivers_.end()) receiver->second(from, copy);
      });
    }
  }
  Duration delay() {
    return weather_.delayMin + Duration(static_cast<std::int64_t>(
                                   random_.below(static_cast<std::uint64_t>(weather_.delaySpread.count()) + 1)));
  }
  SocketAddress freeAddress() {
    const auto number = ++addresses_;
    return {IpAddress::v4(0x0a010000u + static_cast<std::uint32_t>(number >> 12)),
            static_cast<std::uint16_t>(10000 + (number & 0xfff) * 2)};
  }

 private:
  Clock& clock_;
  Random& random_;
  Weather weather_;
  std::uint64_t addresses_ = 0;
  std::unordered_map<SocketAddress, Receiver> receivers_;
};

}  // namespace crosspoint::sim
