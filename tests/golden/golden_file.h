// Compares a text with the expectation that lies in a file under tests/golden, or replaces the file when told to.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace crosspoint::test {

// The inputs of one folder of tests/golden with this extension, by name without it, sorted.
std::vector<std::string> goldenNames(const std::string& folder, const std::string& extension);
std::string readGolden(const std::string& folder, const std::string& file);
// A failure of the running test if `actual` is not, byte for byte, what the file holds.
void expectGolden(const std::string& folder, const std::string& file, const std::string& actual);

}  // namespace crosspoint::test
