// Runs the simulation: `sim [--seed N] [--seeds N] [--calls N] [--pages N] [--phones N] [--loss PERMILLE] [--trace]`.
// Exit status 0 only if nothing was broken and nothing is left over. A failure prints what replays it.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/world.h"

int main(int argc, char** argv) {
  using namespace crosspoint;
  sim::World::Config config;
  std::uint64_t seeds = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--trace") {
      config.trace = true;
      continue;
    }
    if (i + 1 == argc) {
      std::fprintf(stderr, "sim: %s needs a number\n", argv[i]);
      return 2;
    }
    const std::uint64_t value = std::strtoull(argv[++i], nullptr, 10);
    if (name == "--seed")
      config.seed = value;
    else if (name == "--seeds")
      seeds = value;
    else if (name == "--calls")
      config.calls = value;
    else if (name == "--pages")
      config.pages = value;
    else if (name == "--phones")
      config.phones = value;
    else if (name == "--loss") {
      config.weather.lossPermille = static_cast<unsigned>(value);
      config.sipLostPermille = static_cast<unsigned>(value) / 2;
      config.httpLostPermille = static_cast<unsigned>(value);
    } else {
      std::fprintf(stderr, "sim: unknown option %s\n", name.c_str());
      return 2;
    }
  }
  int failed = 0;
  for (std::uint64_t i = 0; i < seeds; ++i, ++config.seed) {
    const auto result = sim::World(config).run();
    const auto& counters = result.counters;
    std::printf("seed %" PRIu64 ": %zu calls begun, %" PRIu64 " answered, %" PRIu64 " failed, %" PRIu64
                " packets at pages, %" PRIu64 " at phones, %" PRIu64 " infos, %" PRIu64
                " talks checked, %.0f s in %" PRIu64 " steps: %s\n",
                config.seed, result.callsStarted, counters.callsAnswered, counters.callsFailed, result.packetsAtPages,
                result.packetsAtPhones, result.infos, result.talksChecked,
                std::chrono::duration<double>(result.time).count(), result.step,
                result.fault.empty() ? "ok" : "FAILED");
    if (result.fault.empty()) continue;
    ++failed;
    std::printf("  %s\n  at step %" PRIu64 "; again with: sim --seed %" PRIu64
                " --calls %zu --pages %zu --phones %zu --loss %u --trace\n",
                result.fault.c_str(), result.step, config.seed, config.calls, config.pages, config.phones,
                config.weather.lossPermille);
  }
  return failed == 0 ? 0 : 1;
}
