// JobFeed: wakes those who watch a job, and keeps each running job's latest progress.
//
// What must survive is in the JobStore; this holds only what is live. Watchers are told that
// something is new and then read it themselves, at their own pace: a slow one misses progress,
// never a stored event. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "fovea/v1/jobs.pb.h"

namespace fovea {

class JobFeed {
 public:
  // Ends when destroyed; the callback does not run afterwards. Not longer than the feed.
  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class JobFeed;
    Subscription(JobFeed* feed, std::string job, uint64_t key)
        : feed_(feed), job_(std::move(job)), key_(key) {}
    JobFeed* const feed_;
    const std::string job_;
    const uint64_t key_;
  };

  // `wake` runs at each change of the job and when the feed closes. It runs under the feed's lock:
  // it schedules work and calls nothing of the feed.
  std::unique_ptr<Subscription> Subscribe(const std::string& job, std::function<void()> wake);

  // A stored event is there to be read.
  void Changed(const std::string& job);
  // Replaces the job's latest progress: an event of kind Progress. `sequence` tells a watcher
  // whether it has seen this one.
  void SetProgress(const std::string& job, v1::JobEvent event);
  struct Latest {
    v1::JobEvent event;
    uint64_t sequence = 0;  // grows with every SetProgress of any job
  };
  // Absent when the job is not running or has not reported yet.
  std::optional<Latest> Progress(const std::string& job) const;
  // Forgets the job's progress, at its end.
  void ClearProgress(const std::string& job);

  // The server stops: every watcher is woken and sees closed().
  void Close();
  bool closed() const;

 private:
  void WakeLocked(const std::string& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, std::map<uint64_t, std::function<void()>>> watchers_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Latest> progress_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_key_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 1;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fovea
