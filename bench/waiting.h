// Memory of the gateway for each page that waits: signed in, a hanging GET open, no call.
#pragma once
#include <cstddef>
#include <string>

namespace crosspoint::bench {

struct Waiting {
  double kilobytesIdle = 0;       // resident, before anybody has come
  double kilobytesPerClient = 0;  // resident; what the kernel holds for the connection is not in it
  double signInsPerSecond = 0;    // one after the other
};

// Throws std::runtime_error if a client does not get through or is not held.
Waiting measureWaiting(const std::string& gateway, int cpu, std::size_t clients);

}  // namespace crosspoint::bench
