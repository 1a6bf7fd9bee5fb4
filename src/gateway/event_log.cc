#include "gateway/event_log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "io/loop/clock.h"

namespace crosspoint::gateway {
namespace {

spdlog::level::level_enum levelOf(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Debug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

void append(std::string& line, std::string_view text, bool quoted) {
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    line += control ? '?' : quoted && c == '"' ? '\'' : c;
  }
}

}  // namespace

std::string logLine(std::string_view subject, std::string_view event) {
  std::string line;
  line.reserve(subject.size() + event.size() + 10);
  append(line, subject, false);
  if (!line.empty()) line += ' ';
  line += "event=\"";
  append(line, event, true);
  line += '"';
  return line;
}

EventLog::EventLog(LogLevel level)
    : logger_(std::make_unique<spdlog::logger>("crosspoint", std::make_shared<spdlog::sinks::stderr_sink_mt>())),
      budgets_{LineBudget(loop::monotonicNow()), LineBudget(loop::monotonicNow()), LineBudget(loop::monotonicNow()),
               LineBudget(loop::monotonicNow())} {
  logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v",
                                                                     spdlog::pattern_time_type::utc));
  logger_->set_level(levelOf(level));
}

EventLog::~EventLog() = default;

void EventLog::write(LogLevel level, std::string_view subject, std::string_view event) {
  const auto spdlogLevel = levelOf(level);
  if (!logger_->should_log(spdlogLevel)) return;
  const auto verdict = [&] {
    const std::lock_guard lock(mutex_);
    return budgets_[static_cast<std::size_t>(level)].take(loop::monotonicNow());
  }();
  if (verdict.leftOut > 0) {
    const std::string note =
        std::to_string(verdict.leftOut) + " lines of this level were left out: there were too many";
    logger_->log(spdlogLevel, spdlog::string_view_t(logLine("log", note)));
  }
  if (verdict.written) logger_->log(spdlogLevel, spdlog::string_view_t(logLine(subject, event)));
}

void EventLog::flush() { logger_->flush(); }

}  // namespace crosspoint::gateway
