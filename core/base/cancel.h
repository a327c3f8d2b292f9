// CancelToken: one side asks for a stop, the other sees it at its next step.
//
// A token goes from "not cancelled" to "cancelled" once and never back. Functions take a
// `const CancelToken*`; null means "never cancelled". The owner keeps the token alive longer than
// the work that looks at it. Thread-safe; not for signal handlers (Cancel locks a mutex).
#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fovea {

class CancelToken {
 public:
  CancelToken() = default;
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  // Asks for a stop and wakes every WaitFor. May be called many times.
  void Cancel() {
    absl::MutexLock lock(&mutex_);
    cancelled_.store(true, std::memory_order_release);
    changed_.SignalAll();
  }

  // Cheap enough for every step of a loop: one atomic load.
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  // Waits until cancelled or until `timeout` has passed; returns cancelled().
  bool WaitFor(absl::Duration timeout) const {
    const absl::Time deadline = absl::Now() + timeout;
    absl::MutexLock lock(&mutex_);
    while (!cancelled()) {
      if (changed_.WaitWithDeadline(&mutex_, deadline)) break;
    }
    return cancelled();
  }

 private:
  std::atomic<bool> cancelled_ = false;
  mutable absl::Mutex mutex_;  // orders Cancel with the sleep in WaitFor
  mutable absl::CondVar changed_;
};

// Cancelled when `token` was cancelled, OK otherwise or when it is null.
inline absl::Status CheckNotCancelled(const CancelToken* token) {
  return token != nullptr && token->cancelled() ? absl::CancelledError("cancelled")
                                                : absl::OkStatus();
}

}  // namespace fovea
