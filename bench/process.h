// A program under measurement: started, spoken to by its standard input and output, measured from /proc, ended by pid.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace crosspoint::bench {

class Process {
 public:
  // `cpu`: the processor it is pinned to; -1: none. Throws std::runtime_error if it cannot be started.
  Process(const std::vector<std::string>& command, int cpu);
  ~Process();  // kills it: nobody is left to end its calls with
  Process(const Process&) = delete;

  std::string readLine();
  void writeLine(const std::string& line);
  pid_t pid() const { return pid_; }
  // Of all its threads so far, from the scheduler's own clock.
  double cpuSeconds() const;
  // Of everything else that runs on this machine, but for the caller. Only differences mean something.
  double otherCpuSeconds() const;
  double residentKilobytes() const;

 private:
  pid_t pid_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
};

}  // namespace crosspoint::bench
