// The program's log: one line per event on stderr, as key=value, in UTC, as far as the level's LineBudget allows. Any
// thread.
#pragma once
#include <array>
#include <memory>
#include <mutex>

#include "base/log.h"
#include "gateway/line_budget.h"

namespace spdlog {
class logger;
}

namespace crosspoint::gateway {

class EventLog final : public Log {
 public:
  explicit EventLog(LogLevel level);
  ~EventLog() override;
  void write(LogLevel level, std::string_view subject, std::string_view event) override;
  void flush();

 private:
  std::unique_ptr<spdlog::logger> logger_;
  std::mutex mutex_;
  std::array<LineBudget, 4> budgets_;  // by level
};

// `subject event="event"`: quotes and control characters, which a stranger may have chosen, are replaced.
std::string logLine(std::string_view subject, std::string_view event);

}  // namespace crosspoint::gateway
