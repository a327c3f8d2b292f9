// Interrupt: how Ctrl-C reaches a command that is under way.
//
// main() waits for the signal on a thread of its own and calls Trigger(), so nothing here runs in
// a signal handler. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fovea::cli {

class Interrupt {
 public:
  // Once triggered, stays so. Runs the action.
  void Trigger() {
    absl::MutexLock lock(&mutex_);
    triggered_ = true;
    if (action_) action_();
  }
  bool triggered() const { return triggered_; }

  // What Trigger() runs; null for nothing. Runs at once when triggered already. When this returns,
  // the action before it is not running and will not run.
  void SetAction(std::function<void()> action) {
    absl::MutexLock lock(&mutex_);
    action_ = std::move(action);
    if (triggered_ && action_) action_();
  }

 private:
  std::atomic<bool> triggered_ = false;
  absl::Mutex mutex_;
  std::function<void()> action_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fovea::cli
