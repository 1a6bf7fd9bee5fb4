// How engines say what happened to one call. The sink belongs to the program; below io/ nothing formats times or opens
// files.
#pragma once
#include <cstdint>
#include <string_view>

namespace crosspoint {

enum class LogLevel : std::uint8_t { Error, Warning, Info, Debug };

// Never called on the packet path. Never given credentials or keys. May be called from the engine's own thread only.
class Log {
 public:
  virtual ~Log() = default;
  // `subject` names the call or session ("call=7f3a dn=1020"), `event` is one sentence without a line break.
  virtual void write(LogLevel level, std::string_view subject, std::string_view event) = 0;
};

}  // namespace crosspoint
