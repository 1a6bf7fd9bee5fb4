#include "gateway/machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>

namespace crosspoint::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDescriptorsReserved = 200;  // loops, mailboxes, SIP, logs, files

}  // namespace

std::string findRoot(const std::string& configured) {
  if (!configured.empty()) return configured;
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error).parent_path();
  const auto current = fs::current_path(error);
  for (const auto& folder : {program / "../web", program / "../share/crosspoint/web", current / "build/web"}) {
    if (fs::is_regular_file(folder / "index.html", error)) return fs::canonical(folder, error).string();
  }
  return {};
}

DescriptorBudget shareDescriptors(std::size_t connectionsWanted, unsigned workers) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto total = std::min<std::size_t>(limit.rlim_cur, 1'000'000);
  const auto free = total > kDescriptorsReserved + 100 ? total - kDescriptorsReserved : 100;
  const auto connections = std::min(connectionsWanted, free * 6 / 10);
  return {.connections = connections, .socketsPerWorker = std::max<std::size_t>((free - connections) / workers, 10)};
}

}  // namespace crosspoint::gateway
