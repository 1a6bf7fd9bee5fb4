#include "io/sip/sip_thread.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "io/loop/wake_up.h"
#include "io/sip/sofia.h"

namespace crosspoint::sip {
namespace {

// su_init() and su_deinit() keep a global state: once for the process.
void initialiseSofia() {
  static const bool done = [] {
    su_init();
    return true;
  }();
  (void)done;
}

}  // namespace

struct SipThread::Impl {
  std::mutex mutex;
  std::condition_variable changed;
  bool running = false;  // tasks are accepted
  bool started = false;  // the thread has said whether it could start
  std::vector<Task> tasks;
  loop::WakeUp wakeUp;
  std::thread thread;
  su_root_t* root = nullptr;

  void run();
  void runTasks();
  void report(bool up) {
    std::lock_guard lock(mutex);
    running = up;
    started = true;
    changed.notify_all();
  }
  static int woken(void*, su_wait_t*, void* self) {
    static_cast<Impl*>(self)->runTasks();
    return 0;
  }
};

void SipThread::Impl::runTasks() {
  std::vector<Task> batch;
  wakeUp.reset();
  {
    std::lock_guard lock(mutex);
    batch.swap(tasks);
  }
  for (Task& task : batch) task();
}

void SipThread::Impl::run() {
  root = su_root_create(nullptr);
  if (root) su_root_threading(root, 0);
  su_wait_t wait[1] = {};
  const bool up = root && su_wait_create(wait, wakeUp.fd(), SU_WAIT_IN) == 0;
  const int index = up ? su_root_register(root, wait, &Impl::woken, this, 0) : -1;
  report(index >= 0);
  if (index >= 0) {
    su_root_run(root);
    runTasks();
    su_root_deregister(root, index);
  }
  if (root) su_root_destroy(root);
  root = nullptr;
}

SipThread::SipThread() : impl_(std::make_unique<Impl>()) {}

SipThread::~SipThread() { stop(); }

bool SipThread::start() {
  if (impl_->thread.joinable()) return running();
  initialiseSofia();
  impl_->started = false;
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [this] { return impl_->started; });
  return impl_->running;
}

void SipThread::stop() {
  if (!impl_->thread.joinable()) return;
  post([impl = impl_.get()] { su_root_break(impl->root); });
  {
    std::lock_guard lock(impl_->mutex);
    impl_->running = false;
  }
  impl_->thread.join();
}

bool SipThread::running() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->running;
}

bool SipThread::post(Task task) {
  bool first = false;
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->running) return false;
    first = impl_->tasks.empty();
    impl_->tasks.push_back(std::move(task));
  }
  if (first) impl_->wakeUp.notify();
  return true;
}

bool SipThread::call(const Task& task) {
  std::mutex mutex;
  std::condition_variable finished;
  bool done = false;
  const bool posted = post([&] {
    task();
    std::lock_guard lock(mutex);
    done = true;
    finished.notify_one();
  });
  if (!posted) return false;
  std::unique_lock lock(mutex);
  finished.wait(lock, [&] { return done; });
  return true;
}

su_root_s* SipThread::root() const { return impl_->root; }

}  // namespace crosspoint::sip
