#include "core/base/thread_pool.h"

#include <pthread.h>

#include <atomic>
#include <utility>

#include "absl/synchronization/blocking_counter.h"
#include "core/base/check.h"

namespace fovea {

ThreadPool::ThreadPool(Options options) : options_(std::move(options)) {
  CHECK(options_.threads >= 1);
  CHECK(options_.max_queue >= 0);
  threads_.reserve(static_cast<size_t>(options_.threads));
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), options_.name.substr(0, 15).c_str());
  }
}

ThreadPool::~ThreadPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Schedule(Task task) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &ThreadPool::HasRoom));
  queue_.push_back(std::move(task));
}

bool ThreadPool::TrySchedule(Task task) {
  absl::MutexLock lock(&mutex_);
  if (!HasRoom()) return false;
  queue_.push_back(std::move(task));
  return true;
}

void ThreadPool::Wait() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &ThreadPool::IsIdle));
}

int ThreadPool::queued() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(queue_.size());
}

bool ThreadPool::HasRoom() const {
  return options_.max_queue == 0 || queue_.size() < static_cast<size_t>(options_.max_queue);
}

bool ThreadPool::HasWorkOrStops() const { return !queue_.empty() || stopping_; }

bool ThreadPool::IsIdle() const { return queue_.empty() && running_ == 0; }

void ThreadPool::Run() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ThreadPool::HasWorkOrStops));
      if (queue_.empty()) return;
      ++running_;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    std::move(task)();
    task = nullptr;  // what it captured goes before the pool counts as idle
    absl::MutexLock lock(&mutex_);
    --running_;
  }
}

void ParallelFor(ThreadPool* pool, int64_t n, absl::FunctionRef<void(int64_t)> body) {
  std::atomic<int64_t> next = 0;
  const auto work = [&] {
    for (int64_t i = next++; i < n; i = next++) body(i);
  };
  absl::BlockingCounter helpers(pool->threads());
  for (int t = 0; t < pool->threads(); ++t) {
    pool->Schedule([&] {
      work();
      helpers.DecrementCount();
    });
  }
  work();
  helpers.Wait();
}

}  // namespace fovea
