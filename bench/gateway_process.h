// A gateway under measurement: a release build of `crosspoint` on ports that the system chooses, with one media worker.
#pragma once
#include <string>

#include "base/address.h"
#include "bench/process.h"

namespace crosspoint::bench {

class GatewayProcess {
 public:
  // `settings`: each a line for --set, "section.key=value". Throws std::runtime_error if the gateway does not start.
  GatewayProcess(const std::string& binary, int cpu, const std::vector<std::string>& settings);

  Process& process() { return process_; }
  const SocketAddress& http() const { return http_; }

 private:
  Process process_;
  SocketAddress http_;
};

}  // namespace crosspoint::bench
