#include "io/loop/system_random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace crosspoint::loop {
namespace {

void fillFromKernel(MutableBytes out) {
  while (!out.empty()) {
    const auto got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    CROSSPOINT_CHECK(got > 0);  // without randomness there are no keys: nothing sensible can go on
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace

void SystemRandom::fill(MutableBytes out) {
  if (out.size() >= buffer_.size()) {
    fillFromKernel(out);
    return;
  }
  while (!out.empty()) {
    if (used_ == buffer_.size()) {
      fillFromKernel(buffer_);
      used_ = 0;
    }
    const auto taken = MutableBytes(buffer_).subspan(used_).first(std::min(out.size(), buffer_.size() - used_));
    std::copy(taken.begin(), taken.end(), out.begin());
    std::fill(taken.begin(), taken.end(), std::uint8_t{0});
    used_ += taken.size();
    out = out.subspan(taken.size());
  }
}

}  // namespace crosspoint::loop
