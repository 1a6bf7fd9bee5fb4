#include "bench/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "io/loop/clock.h"

namespace crosspoint::bench {

Process::Process(const std::vector<std::string>& command, int cpu) {
  int toChild[2], fromChild[2];
  if (pipe2(toChild, O_CLOEXEC) != 0 || pipe2(fromChild, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (cpu >= 0) {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(cpu, &set);
      sched_setaffinity(0, sizeof set, &set);
    }
    dup2(toChild[0], STDIN_FILENO);
    dup2(fromChild[1], STDOUT_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(toChild[0]);
  close(fromChild[1]);
  in_ = fdopen(toChild[1], "w");
  out_ = fdopen(fromChild[0], "r");
}

Process::~Process() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  std::fclose(in_);
  std::fclose(out_);
}

std::string Process::readLine() {
  char* line = nullptr;
  std::size_t room = 0;
  const auto size = getline(&line, &room, out_);
  std::string text = size > 0 ? std::string(line, static_cast<std::size_t>(size) - 1) : std::string();
  std::free(line);
  if (size <= 0) throw std::runtime_error("the program under measurement ended before it was ready");
  return text;
}

void Process::writeLine(const std::string& line) {
  std::fputs((line + "\n").c_str(), in_);
  std::fflush(in_);
}

double Process::cpuSeconds() const {
  double total = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
    std::ifstream in(task.path() / "schedstat");
    double nanoseconds = 0;
    in >> nanoseconds;
    total += nanoseconds / 1e9;
  }
  return total;
}

double Process::otherCpuSeconds() const {
  std::ifstream in("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, softInterrupts = 0, stolen = 0;
  in >> name >> user >> nice >> system >> idle >> waiting >> interrupts >> softInterrupts >> stolen;
  rusage ours{};
  ::getrusage(RUSAGE_SELF, &ours);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const double own = seconds(ours.ru_utime) + seconds(ours.ru_stime);
  // What was not idle: the kernel counts idle time exactly and busy time by samples.
  const double passed = std::chrono::duration<double>(loop::monotonicNow().time_since_epoch()).count();
  const double unused = (idle + waiting + stolen) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return passed * static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN)) - unused - own - cpuSeconds();
}

double Process::residentKilobytes() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/smaps_rollup");
  for (std::string word; in >> word;) {
    if (word == "Rss:") {
      double kilobytes = 0;
      in >> kilobytes;
      return kilobytes;
    }
  }
  return 0;
}

}  // namespace crosspoint::bench
