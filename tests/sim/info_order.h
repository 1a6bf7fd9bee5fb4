// INFOs say who sends them and their number: nobody gets one twice, or after a later one.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace crosspoint::sim {

class InfoOrder {
 public:
  // The body of the next one.
  std::string next(const std::string& sender) { return "of=" + sender + "&n=" + std::to_string(++sent_); }

  // False: it came twice, or after a later one.
  bool take(std::string_view body) {
    const std::size_t end = body.find("&n=");
    if (!body.starts_with("of=") || end == std::string_view::npos) return false;
    std::uint64_t number = 0;
    std::from_chars(body.data() + end + 3, body.data() + body.size(), number);
    std::uint64_t& last = last_[std::string(body.substr(0, end))];
    const bool fresh = number > last;
    last = std::max(last, number);
    return fresh;
  }

 private:
  std::uint64_t sent_ = 0;
  std::map<std::string, std::uint64_t> last_;  // by sender
};

}  // namespace crosspoint::sim
