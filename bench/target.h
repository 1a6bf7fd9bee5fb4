// What can be measured: a program that relays calls, and how calls are set up through it.
#pragma once
#include <memory>
#include <string>

#include "bench/media.h"
#include "bench/process.h"

namespace crosspoint::bench {

class Target {
 public:
  virtual ~Target() = default;
  virtual Process& process() = 0;
  // Sets up that many calls and adds their flows to `media`. Throws std::runtime_error if one fails.
  virtual void setUp(Media& media, std::size_t calls) = 0;
};

// `ports`: with a socket for each call towards SIP; else one for all.
std::unique_ptr<Target> startFloor(const std::string& binary, int cpu, bool ports);
// A release build of `crosspoint`; the load program is its SIP server and all of its pages.
std::unique_ptr<Target> startGateway(const std::string& binary, int cpu, Media& media);

}  // namespace crosspoint::bench
