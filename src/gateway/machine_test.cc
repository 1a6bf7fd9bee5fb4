// What the program takes of the machine it runs on.
#include "gateway/machine.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

namespace crosspoint::gateway {
namespace {

TEST(Machine, ClientsAndPortsTogetherStayBelowTheDescriptorLimit) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (const unsigned workers : {1U, 2U, 64U}) {
    for (const std::size_t wanted : {100U, 12'000U, 1'000'000U}) {
      const auto budget = shareDescriptors(wanted, workers);
      EXPECT_LE(budget.connections, wanted);
      EXPECT_GT(budget.connections, 0U);
      EXPECT_GE(budget.socketsPerWorker, 10U);
      EXPECT_LE(budget.connections + workers * budget.socketsPerWorker,
                std::min<std::size_t>(limit.rlim_max, 1'000'000));
    }
  }
}

TEST(Machine, AConfiguredPageFolderIsTakenAsItIs) { EXPECT_EQ(findRoot("/some/folder"), "/some/folder"); }

TEST(Machine, ThePageIsFoundBelowTheCurrentFolder) {
  std::string name = (std::filesystem::temp_directory_path() / "crosspoint-root-XXXXXX").string();
  const std::filesystem::path folder = std::filesystem::canonical(::mkdtemp(name.data()));
  const auto before = std::filesystem::current_path();
  std::filesystem::create_directories(folder / "build/web");
  std::ofstream(folder / "build/web/index.html") << "page";
  std::filesystem::current_path(folder);
  const auto found = findRoot("");
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
  // A page that was built beside the test program goes first.
  EXPECT_TRUE(found == (folder / "build/web").string() || found.ends_with("/web")) << found;
}

}  // namespace
}  // namespace crosspoint::gateway
