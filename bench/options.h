// The load program's command line.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace crosspoint::bench {

struct Options {
  std::vector<std::size_t> calls = {100, 300};
  int rounds = 3;
  int seconds = 10;
  std::size_t waiting = 0;     // clients with a hanging GET; none: not measured
  std::string gateway, floor;  // programs
  bool floorPorts = false;     // measure also a floor with a socket for each call towards SIP
  bool lossless = false;       // a lost packet is a failure
  int cpu = 0;                 // of the program under measurement; -1: any
  int loadCpu = 1;             // of this program
};

// Throws std::invalid_argument with a sentence.
Options parseOptions(int argc, char** argv);

}  // namespace crosspoint::bench
