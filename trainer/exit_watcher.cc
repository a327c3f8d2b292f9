#include "trainer/exit_watcher.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "trainer/exit_code.h"

namespace fovea {
namespace {

// What a cancelled run may take to save its checkpoint once nobody listens.
constexpr absl::Duration kOrphanGrace = absl::Seconds(30);

}  // namespace

ExitWatcher::ExitWatcher(int events_fd, CancelToken* cancel)
    : events_fd_(events_fd), cancel_(cancel) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  CHECK(signal_fd_ >= 0 && stop_fd_ >= 0);
  thread_ = std::thread([this] { Run(); });
}

ExitWatcher::~ExitWatcher() {
  const uint64_t one = 1;
  CHECK(write(stop_fd_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
  close(signal_fd_);
  close(stop_fd_);
}

void ExitWatcher::Run() {
  absl::Time end = absl::InfiniteFuture();
  while (true) {
    // A pipe's write end reports an error, asked for or not, when its last reader has closed.
    pollfd entries[] = {{stop_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}, {events_fd_, 0, 0}};
    const absl::Duration left = end - absl::Now();
    const int timeout_ms = left == absl::InfiniteDuration()
                               ? -1
                               : static_cast<int>(absl::ToInt64Milliseconds(left) + 1);
    poll(entries, 3, timeout_ms);
    if (entries[0].revents != 0) return;
    if (entries[1].revents != 0) OnSignal();
    if (entries[2].revents != 0) {
      LogWarning("nobody reads the events any more; the run ends with a checkpoint");
      events_fd_ = -1;
      cancel_->Cancel();
      end = absl::Now() + kOrphanGrace;
    }
    if (absl::Now() >= end) _exit(kExitCancelled);
  }
}

void ExitWatcher::OnSignal() {
  signalfd_siginfo info;
  if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) return;
  if (cancel_->cancelled()) _exit(kExitCancelled);
  LogInfo("stopping after the current step", {{"signal", info.ssi_signo}});
  cancel_->Cancel();
}

}  // namespace fovea
