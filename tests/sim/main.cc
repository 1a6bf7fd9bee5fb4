// Runs the simulation: `sim [--seed N] [--seeds N] [--calls N] [--pages N] [--phones N] [--loss PERMILLE] [--trace]`.
// Exit status 0 only if nothing was broken and nothing is left over. A failure prints what replays it.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/world.h"

namespace {

void print(std::uint64_t seed, const crosspoint::sim::World::Result& result) {
  const auto& sum = result.statistics;
  const auto item = [](std::uint64_t count, const char* what) { std::printf(" %" PRIu64 " %s,", count, what); };
  std::printf("seed %" PRIu64 ": %zu calls begun,", seed, result.callsStarted);
  item(sum.gateway.callsAnswered, "answered");
  item(sum.gateway.callsFailed, "failed");
  item(sum.packetsAtPages, "packets at pages");
  item(sum.packetsAtPhones, "at phones");
  item(sum.pages.infos + sum.phones.infos, "infos");
  item(sum.talksChecked, "talks checked");
  item(sum.lines.byPoll, "messages down by poll");
  item(sum.lines.bySocket, "by socket");
  item(sum.lines.posted, "up by POST");
  item(sum.lines.sent, "by socket");
  item(sum.lines.repeated, "repeated");
  item(sum.web.socketsOpened, "sockets");
  item(sum.web.socketsCut, "cut");
  item(sum.web.framesLost, "frames lost");
  item(sum.lines.switches, "switches");
  item(sum.lines.resumed, "resumed");
  item(sum.lines.probes, "probes");
  const auto of = [](std::uint64_t done, std::uint64_t asked, const char* what) {
    std::printf(" %" PRIu64 "/%" PRIu64 " %s,", done, asked, what);
  };
  of(sum.pages.blindDone, sum.pages.blindAsked, "blind transfers by pages");
  of(sum.pages.attendedDone, sum.pages.attendedAsked, "attended");
  of(sum.phones.blindDone, sum.phones.blindAsked, "blind by phones");
  of(sum.phones.attendedDone, sum.phones.attendedAsked, "attended");
  item(sum.sip.forks, "forks");
  item(sum.sip.forwards, "forwarded");
  item(sum.sip.cancelledBranches, "branches cancelled");
  item(sum.sip.branchEnds, "199");
  item(sum.sip.challenges, "challenges");
  item(sum.sip.redirects, "redirections");
  item(sum.sip.answersInPlace, "answers in place");
  item(sum.sip.responsesLost, "responses lost");
  item(sum.sip.restarts, "server restarts");
  item(sum.sip.probesAnswered, "OPTIONS");
  item(sum.sip.sdpAnswersChecked, "SDP answers checked");
  item(sum.phones.refersServed, "REFERs served");
  item(sum.phones.replacesServed, "calls replaced at phones");
  item(sum.phones.takenOver, "calls taken over");
  item(sum.phones.lateOffers, "late offers");
  item(sum.phones.earlyUpdates, "early UPDATEs");
  item(sum.phones.offersRefused, "offers refused");
  std::printf(" %.0f s in %" PRIu64 " steps: %s\n", std::chrono::duration<double>(result.time).count(), result.step,
              result.fault.empty() ? "ok" : "FAILED");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace crosspoint;
  sim::World::Config config;
  std::uint64_t seeds = 1;
  std::string loss;  // as it was asked for: it sets more than one rate, and the defaults are no such set
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
      loss = " --loss " + std::to_string(value);
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
    print(config.seed, result);
    if (result.fault.empty()) continue;
    ++failed;
    std::printf("  %s\n  at step %" PRIu64 "; again with: sim --seed %" PRIu64
                " --calls %zu --pages %zu --phones %zu%s --trace\n",
                result.fault.c_str(), result.step, config.seed, config.calls, config.pages, config.phones,
                loss.c_str());
  }
  return failed == 0 ? 0 : 1;
}
