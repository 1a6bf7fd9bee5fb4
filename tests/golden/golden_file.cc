#include "tests/golden/golden_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace crosspoint::test {
namespace {

std::filesystem::path goldenPath(const std::string& folder) {
  return std::filesystem::path(CROSSPOINT_SOURCE_DIR) / "tests/golden" / folder;
}

}  // namespace

std::vector<std::string> goldenNames(const std::string& folder, const std::string& extension) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(goldenPath(folder))) {
    if (entry.path().extension() == extension) names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string readGolden(const std::string& folder, const std::string& file) {
  std::ifstream in(goldenPath(folder) / file, std::ios::binary);
  EXPECT_TRUE(in.good()) << "cannot read " << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

void expectGolden(const std::string& folder, const std::string& file, const std::string& actual) {
  if (std::getenv("CROSSPOINT_UPDATE_GOLDEN")) {
    std::ofstream(goldenPath(folder) / file, std::ios::binary) << actual;
    return;
  }
  EXPECT_EQ(actual, readGolden(folder, file)) << "tests/golden/" << folder << "/" << file;
}

}  // namespace crosspoint::test
