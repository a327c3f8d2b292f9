// Runs tasks on a fixed number of threads.
//
// With max_queue set, the queue is bounded: TrySchedule refuses, Schedule waits for room.
// Tasks start in the order they were accepted. A task may call TrySchedule; calling Schedule or
// Wait from a task can deadlock. Thread-safe. Destruction finishes accepted tasks, then joins.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"

namespace fovea {

class ThreadPool {
 public:
  using Task = absl::AnyInvocable<void()>;

  struct Options {
    int threads = 1;            // at least 1
    int max_queue = 0;          // accepted tasks that have not started; 0 means unbounded
    std::string name = "pool";  // shown by top and gdb; the first 15 characters count
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Accepts the task, waiting while the queue is full.
  void Schedule(Task task);
  // Accepts the task, or returns false at once when the queue is full.
  [[nodiscard]] bool TrySchedule(Task task);
  // Returns when every task accepted so far has ended.
  void Wait();

  int threads() const { return static_cast<int>(threads_.size()); }
  // Accepted tasks that have not started.
  int queued() const;

 private:
  void Run();
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// Calls body(i) for each i in [0, n) on the pool's threads and the caller's, and returns when all
// have ended. Which thread takes which i is not fixed. Not to be called from a task of `pool`.
void ParallelFor(ThreadPool* pool, int64_t n, absl::FunctionRef<void(int64_t)> body);

}  // namespace fovea
