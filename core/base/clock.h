// Clock: where time comes from, so that a test decides what time it is.
//
// Now() is the wall clock, for what is stored or shown. Elapsed() never jumps, for durations and
// deadlines. Both are thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fovea {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
  // Time since an arbitrary origin; never decreases.
  virtual absl::Duration Elapsed() const = 0;

  // The machine's clocks; lives as long as the process.
  static const Clock* Real();
};

// A clock that moves only when told to.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time start = absl::UnixEpoch()) : start_(start) {}

  absl::Time Now() const override {
    absl::MutexLock lock(&mutex_);
    return start_ + elapsed_;
  }
  absl::Duration Elapsed() const override {
    absl::MutexLock lock(&mutex_);
    return elapsed_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    elapsed_ += by;
  }

 private:
  const absl::Time start_;
  mutable absl::Mutex mutex_;
  absl::Duration elapsed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fovea
