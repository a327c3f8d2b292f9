// RepositoryPoller: has somebody look at the repository again and again, on a thread of its own.
#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fovea {

class RepositoryPoller {
 public:
  // Calls `look` each time `interval` has passed since it last returned.
  RepositoryPoller(absl::Duration interval, std::function<void()> look);
  // Waits for a look under way.
  ~RepositoryPoller();
  RepositoryPoller(const RepositoryPoller&) = delete;
  RepositoryPoller& operator=(const RepositoryPoller&) = delete;

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<void()> look_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fovea
