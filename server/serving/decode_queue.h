// DecodeQueue: pictures that wait to be decoded, and who decodes them.
//
// Executors do it themselves, before they take a batch: they have a core, and what one thread
// decodes and computes needs no change of threads. Threads of the queue's own do it on slots that
// nobody else wants, so that an image is decoded while executors sleep, and several side by side.
// High priorities go first; but every eighth picture is the one that waits longest, so that none
// waits forever. Each priority has a bounded queue of its own. Thread-safe. Destruction finishes
// accepted tasks, then joins the threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "server/serving/batch_policy.h"
#include "server/serving/cpu_slots.h"

namespace fovea {

class DecodeQueue {
 public:
  // Runs once, on a thread that holds a slot.
  using Task = absl::AnyInvocable<void()>;

  struct Options {
    int threads = 1;
    int max_queue = 1024;       // tasks of one priority
    CpuSlots* slots = nullptr;  // outlives the queue
  };
  explicit DecodeQueue(Options options);
  ~DecodeQueue();
  DecodeQueue(const DecodeQueue&) = delete;
  DecodeQueue& operator=(const DecodeQueue&) = delete;

  // Accepts the task, or returns false when the queue of its priority is full.
  [[nodiscard]] bool TryAdd(Task task, Priority priority);
  // Runs the next task on the caller's thread, which holds a slot; false when there is none.
  bool RunOne();
  bool empty() const;

 private:
  struct Accepted {
    Task task;
    uint64_t number = 0;  // in the order of acceptance
  };

  void RunThread();
  // Null when there is none.
  Task TakeNext();
  bool HasTaskOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::array<std::deque<Accepted>, kPriorities> queues_ ABSL_GUARDED_BY(mutex_);
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;  // of all queues
  uint64_t accepted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace fovea
