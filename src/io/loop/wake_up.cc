#include "io/loop/wake_up.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

namespace crosspoint::loop {

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void WakeUp::notify() { ::eventfd_write(fd_.get(), 1); }

void WakeUp::reset() {
  eventfd_t ignored = 0;
  ::eventfd_read(fd_.get(), &ignored);
}

}  // namespace crosspoint::loop
