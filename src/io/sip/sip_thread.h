// The thread on which sofia-sip lives: one su_root, its timers and sockets. A SipTransport and a SipServer may share
// one.
//
//     SipThread thread;
//     thread.start();
//     SipServer server(thread, {.port = 0});
//     SipTransport transport(thread, {}, route, deliver);
//     server.start();  transport.start();
//     …
//     transport.stop();  server.stop();  thread.stop();
//
// start() and stop() belong to one owner thread; post() and call() may be used from any other thread. What runs on the
// thread must not call stop() or call().
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

extern "C" struct su_root_s;

namespace crosspoint::sip {

class SipThread {
 public:
  using Task = std::function<void()>;

  SipThread();
  ~SipThread();  // stops
  SipThread(const SipThread&) = delete;
  SipThread& operator=(const SipThread&) = delete;

  bool start();  // false: the system gave no thread or no descriptors
  void stop();   // runs what was posted before, then ends and joins; harmless twice
  bool running() const;

  // Runs `task` on the thread, in order of posting. Does not wait; false (and the task is dropped) if it does not run.
  bool post(Task task);
  // Runs `task` on the thread and waits for its end. False if the thread does not run.
  bool call(const Task& task);

  // For objects that live on the thread; used on it only.
  su_root_s* root() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::sip
