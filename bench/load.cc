// Measures what relaying calls costs; bench/run builds and starts it, docs/performance.md tells what it shows.
//
// In each round, for each number of calls, the floor and the gateway do the same work one after the other: 50 packets a
// second each way on every call, SRTP on the page's side and RTP on the other. Compare within a run, by ratio: machines
// are noisy, and a packet's cost falls as the load rises.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "bench/options.h"
#include "bench/target.h"
#include "bench/waiting.h"
#include "io/loop/clock.h"

namespace {

using namespace crosspoint;
using bench::Options;

constexpr Duration kWarmUp = std::chrono::seconds(2);
constexpr Duration kDrain = std::chrono::milliseconds(200);

struct Measured {
  double packet = 0;      // ns of CPU for one relayed packet
  double ratio = 1;       // of that, to the floor's in the same round
  double callSecond = 0;  // us of CPU
  double lost = 0;        // per cent
  double p50 = 0, p99 = 0;
  double memory = 0;    // kB resident for one call
  double setUps = 0;    // calls set up in one second
  double setUpCpu = 0;  // ms of CPU
  double others = 0;    // per cent of the machine that other programs used meanwhile: what makes a run noisy
};
constexpr double Measured::* kColumns[] = {
    &Measured::packet, &Measured::ratio,  &Measured::callSecond, &Measured::lost,     &Measured::p50,
    &Measured::p99,    &Measured::memory, &Measured::setUps,     &Measured::setUpCpu, &Measured::others};

double quantile(std::vector<std::uint32_t>& values, double part) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

enum class Program : std::uint8_t { Floor, FloorPorts, Gateway };
constexpr const char* kNames[] = {"floor", "floor/ports", "gateway"};

Measured measure(const Options& options, Program program, std::size_t calls) {
  bench::Media media;
  const auto target = program == Program::Gateway
                          ? bench::startGateway(options.gateway, options.cpu, media)
                          : bench::startFloor(options.floor, options.cpu, program == Program::FloorPorts);
  bench::Process& process = target->process();
  auto& tally = media.tally();
  const auto count = static_cast<double>(calls);
  Measured result;

  const double memory = process.residentKilobytes(), cpuBefore = process.cpuSeconds();
  const TimePoint before = loop::monotonicNow();
  target->setUp(media, calls);
  result.setUps = count / std::chrono::duration<double>(loop::monotonicNow() - before).count();
  result.setUpCpu = (process.cpuSeconds() - cpuBefore) * 1e3 / count;

  media.run(kWarmUp, true);
  tally.delays.clear();
  const auto received = tally.received;
  const double cpuStart = process.cpuSeconds(), othersStart = process.otherCpuSeconds();
  media.run(std::chrono::seconds(options.seconds), true);
  const double cpu = process.cpuSeconds() - cpuStart;
  result.packet = cpu * 1e9 / static_cast<double>(std::max<std::uint64_t>(1, tally.received - received));
  result.others = 100.0 * (process.otherCpuSeconds() - othersStart) / options.seconds / ::sysconf(_SC_NPROCESSORS_ONLN);
  result.callSecond = cpu * 1e6 / count / options.seconds;
  result.memory = (process.residentKilobytes() - memory) / count;

  media.run(kDrain, false);
  result.lost = 100.0 - 100.0 * static_cast<double>(tally.received) / static_cast<double>(tally.sent);
  result.p50 = quantile(tally.delays, 0.5);
  result.p99 = quantile(tally.delays, 0.99);
  return result;
}

void printHeader() {
  std::printf("%-11s %5s %9s %7s %9s %7s %7s %7s %8s %9s %8s %8s\n", "program", "calls", "ns/packet", "x floor",
              "us/call-s", "lost %", "p50 us", "p99 us", "kB/call", "set-ups/s", "ms/setup", "others %");
}

void print(Program program, std::size_t calls, const Measured& m) {
  std::printf("%-11s %5zu %9.0f %7.2f %9.0f %7.3f %7.0f %7.0f %8.1f %9.0f %8.2f %8.0f\n",
              kNames[static_cast<std::size_t>(program)], calls, m.packet, m.ratio, m.callSecond, m.lost, m.p50, m.p99,
              m.memory, m.setUps, m.setUpCpu, m.others);
  std::fflush(stdout);
}

Measured medians(const std::vector<Measured>& rounds) {
  Measured result;
  for (const auto column : kColumns) {
    std::vector<double> values;
    for (const auto& round : rounds) values.push_back(round.*column);
    result.*column = median(values);
  }
  return result;
}

// False if a packet was lost.
bool measureCalls(const Options& options) {
  std::vector<Program> programs = {Program::Floor};
  if (options.floorPorts) programs.push_back(Program::FloorPorts);
  programs.push_back(Program::Gateway);
  std::map<std::pair<std::size_t, Program>, std::vector<Measured>> all;
  bool lossless = true;
  printHeader();
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::size_t calls : options.calls) {
      double floor = 0;
      for (const Program program : programs) {
        Measured measured = measure(options, program, calls);
        if (program == Program::Floor) floor = measured.packet;
        measured.ratio = measured.packet / floor;
        lossless &= measured.lost == 0;
        print(program, calls, measured);
        all[{calls, program}].push_back(measured);
      }
    }
  }
  std::printf("\nMedians of %d rounds of %d s:\n", options.rounds, options.seconds);
  printHeader();
  for (const auto& [key, rounds] : all) print(key.second, key.first, medians(rounds));
  return lossless;
}

void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

int run(const Options& options) {
  pin(options.loadCpu);
  const bool lossless = options.calls.empty() || measureCalls(options);
  if (options.waiting > 0) {
    const auto waiting = bench::measureWaiting(options.gateway, options.cpu, options.waiting);
    std::printf("\n%zu waiting clients: %.1f kB each above %.0f kB idle; %.0f sign-ins/s one after the other\n",
                options.waiting, waiting.kilobytesPerClient, waiting.kilobytesIdle, waiting.signInsPerSecond);
  }
  if (options.lossless && !lossless) {
    std::fprintf(stderr, "load: packets were lost\n");
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(bench::parseOptions(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
}
