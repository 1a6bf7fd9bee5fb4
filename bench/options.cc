#include "bench/options.h"

#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

namespace crosspoint::bench {
namespace {

std::vector<std::size_t> numbers(const std::string& list) {
  std::vector<std::size_t> result;
  std::istringstream in(list);
  for (std::string number; std::getline(in, number, ',');) {
    if (number == "0") continue;
    result.push_back(std::stoul(number));
  }
  return result;
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  Options options;
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.floor = here / "floor";
  options.gateway = here.parent_path() / "crosspoint";
  const std::map<std::string, std::function<void(const std::string&)>> known = {
      {"--calls", [&](auto& value) { options.calls = numbers(value); }},
      {"--rounds", [&](auto& value) { options.rounds = std::stoi(value); }},
      {"--seconds", [&](auto& value) { options.seconds = std::stoi(value); }},
      {"--waiting", [&](auto& value) { options.waiting = std::stoul(value); }},
      {"--gateway", [&](auto& value) { options.gateway = value; }},
      {"--floor", [&](auto& value) { options.floor = value; }},
      {"--floor-ports", [&](auto& value) { options.floorPorts = value == "yes"; }},
      {"--lossless", [&](auto& value) { options.lossless = value == "yes"; }},
      {"--cpu", [&](auto& value) { options.cpu = std::stoi(value); }},
      {"--load-cpu", [&](auto& value) { options.loadCpu = std::stoi(value); }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto found = known.find(argv[i]);
    if (found == known.end()) throw std::invalid_argument("unknown option " + std::string(argv[i]));
    if (i + 1 == argc) throw std::invalid_argument(found->first + " wants a value");
    try {
      found->second(argv[i + 1]);
    } catch (const std::logic_error&) {
      throw std::invalid_argument(found->first + ": not a number: " + argv[i + 1]);
    }
  }
  if (options.rounds < 1 || options.seconds < 1) throw std::invalid_argument("--rounds and --seconds are at least 1");
  return options;
}

}  // namespace crosspoint::bench
