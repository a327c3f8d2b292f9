#include "server/serving/decode_queue.h"

#include <pthread.h>

#include <utility>

namespace fovea {
namespace {

// Of so many tasks one is taken by its age, whatever its priority.
constexpr uint64_t kTasksByPriority = 8;

}  // namespace

DecodeQueue::DecodeQueue(Options options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { RunThread(); });
    pthread_setname_np(threads_.back().native_handle(), "decode");
  }
}

DecodeQueue::~DecodeQueue() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool DecodeQueue::TryAdd(Task task, Priority priority) {
  absl::MutexLock lock(&mutex_);
  std::deque<Accepted>& queue = queues_[static_cast<size_t>(priority)];
  if (queue.size() >= static_cast<size_t>(options_.max_queue)) return false;
  queue.push_back({std::move(task), accepted_++});
  ++size_;
  return true;
}

bool DecodeQueue::RunOne() {
  Task task = TakeNext();
  if (task == nullptr) return false;
  task();
  return true;
}

bool DecodeQueue::empty() const {
  absl::MutexLock lock(&mutex_);
  return size_ == 0;
}

DecodeQueue::Task DecodeQueue::TakeNext() {
  absl::MutexLock lock(&mutex_);
  if (size_ == 0) return nullptr;
  const bool by_age = ++taken_ % kTasksByPriority == 0;
  std::deque<Accepted>* next = nullptr;
  for (std::deque<Accepted>& queue : queues_) {
    if (queue.empty()) continue;
    if (next == nullptr || (by_age && queue.front().number < next->front().number)) next = &queue;
  }
  Task task = std::move(next->front().task);
  next->pop_front();
  --size_;
  return task;
}

bool DecodeQueue::HasTaskOrStops() const { return size_ > 0 || stopping_; }

void DecodeQueue::RunThread() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &DecodeQueue::HasTaskOrStops));
      if (size_ == 0) return;
    }
    const CpuSlots::HoldSpare hold(*options_.slots);
    RunOne();  // unless an executor was faster
  }
}

}  // namespace fovea
