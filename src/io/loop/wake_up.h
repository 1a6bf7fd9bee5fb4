// An eventfd that gets a sleeping thread out of epoll, poll, Asio or su_root.
#pragma once
#include "io/loop/file_descriptor.h"

namespace crosspoint::loop {

class WakeUp {
 public:
  // Throws std::system_error when the process has no file descriptor left: only objects made at start have one.
  WakeUp();

  // Readable from the first notify() on until reset(). Any number of notifications count as one.
  int fd() const { return fd_.get(); }
  void notify();  // any thread
  void reset();   // the woken thread

 private:
  FileDescriptor fd_;
};

}  // namespace crosspoint::loop
