// Measures what relaying calls costs: `load --calls 100,300 --rounds 3 [--seconds 10] [--gateway BINARY] [--floor BINARY]`.
//
// In each round, for each number of calls, the floor and the gateway do the same work one after the other: 50 packets a second each
// way on every call, SRTP on the page's side and RTP on the other. Compare within a run, by ratio: machines are noisy, and a packet's
// cost falls as the load rises. Printed: CPU a packet and a call-second, the ratio to the floor of the same round, loss, delay, memory a
// call, calls set up a second. The last table holds medians.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>

#include "bench/target.h"
#include "io/loop/clock.h"

namespace {

using namespace crosspoint;

struct Options {
  std::vector<std::size_t> calls = {100, 300};
  int rounds = 3;
  int seconds = 10;
  std::string gateway, floor;
  int cpu = 0;  // of the program under measurement
};

struct Measured {
  double nanosecondsPerPacket = 0, microsecondsPerCallSecond = 0, lost = 0, kilobytesPerCall = 0, setUpsPerSecond = 0;
  double setUpMilliseconds = 0;  // CPU of one call's setup
  std::uint32_t p50 = 0, p99 = 0;
};

std::uint32_t quantile(std::vector<std::uint32_t>& values, double part) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Measured measure(const Options& options, bool gateway, std::size_t calls) {
  bench::Media media;
  const auto target = gateway ? bench::startGateway(options.gateway, options.cpu, media) : bench::startFloor(options.floor, options.cpu);
  Measured result;
  const double residentBefore = target->process().residentKilobytes();
  const double cpuBefore = target->process().cpuSeconds();
  const TimePoint before = loop::monotonicNow();
  for (std::size_t i = 0; i < calls; ++i) target->setUp(media);
  target->begin(media);
  const double setUpSeconds = std::chrono::duration<double>(loop::monotonicNow() - before).count();
  result.setUpsPerSecond = static_cast<double>(calls) / setUpSeconds;
  result.setUpMilliseconds = (target->process().cpuSeconds() - cpuBefore) * 1e3 / static_cast<double>(calls);

  media.run(std::chrono::seconds(2), true);
  media.clearTallies();
  const double cpuStart = target->process().cpuSeconds();
  media.run(std::chrono::seconds(options.seconds), true);
  const double cpu = target->process().cpuSeconds() - cpuStart;
  media.run(std::chrono::milliseconds(200), false);
  auto& toFarEnd = media.toFarEnd();
  auto& toPage = media.toPage();
  const double packets = static_cast<double>(toFarEnd.received + toPage.received);
  result.nanosecondsPerPacket = cpu * 1e9 / std::max(1.0, packets);
  result.microsecondsPerCallSecond = cpu * 1e6 / static_cast<double>(calls) / options.seconds;
  result.lost = 1.0 - packets / static_cast<double>(toFarEnd.sent + toPage.sent);
  result.kilobytesPerCall = (target->process().residentKilobytes() - residentBefore) / static_cast<double>(calls);
  auto delays = toFarEnd.delays;
  delays.insert(delays.end(), toPage.delays.begin(), toPage.delays.end());
  result.p50 = quantile(delays, 0.5);
  result.p99 = quantile(delays, 0.99);
  return result;
}

void print(const char* name, std::size_t calls, const Measured& m, double ratio) {
  std::printf("%-8s %5zu %10.0f %8.2f %12.0f %8.2f %% %7u %7u %10.1f %10.0f %8.2f\n", name, calls, m.nanosecondsPerPacket, ratio,
              m.microsecondsPerCallSecond, m.lost * 100, m.p50, m.p99, m.kilobytesPerCall, m.setUpsPerSecond, m.setUpMilliseconds);
  std::fflush(stdout);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void run(const Options& options) {
  std::printf("%-8s %5s %10s %8s %12s %10s %7s %7s %10s %10s %8s\n", "program", "calls", "ns/packet", "x floor", "us/call-s", "lost",
              "p50 us", "p99 us", "kB/call", "setups/s", "ms/setup");
  std::map<std::size_t, std::vector<double>> ratios;
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::size_t calls : options.calls) {
      const Measured floor = measure(options, false, calls);
      print("floor", calls, floor, 1);
      const Measured gateway = measure(options, true, calls);
      const double ratio = gateway.nanosecondsPerPacket / floor.nanosecondsPerPacket;
      print("gateway", calls, gateway, ratio);
      ratios[calls].push_back(ratio);
    }
  }
  for (const auto& [calls, values] : ratios) std::printf("median at %zu calls: %.2f x floor\n", calls, median(values));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.floor = here / "floor";
  options.gateway = here.parent_path() / "crosspoint";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--rounds") options.rounds = std::atoi(value.c_str());
    else if (name == "--seconds") options.seconds = std::atoi(value.c_str());
    else if (name == "--cpu") options.cpu = std::atoi(value.c_str());
    else if (name == "--gateway") options.gateway = value;
    else if (name == "--floor") options.floor = value;
    else if (name == "--calls") {
      options.calls.clear();
      std::istringstream in(value);
      for (std::string number; std::getline(in, number, ',');) options.calls.push_back(std::stoul(number));
    } else {
      std::fprintf(stderr, "load: unknown option %s\n", name.c_str());
      return 2;
    }
  }
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
  return 0;
}
