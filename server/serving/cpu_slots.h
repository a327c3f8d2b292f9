// CpuSlots: the cores that serving may use at a time, shared by decoding and all model versions.
//
// Every version has an executor thread per core and the decode queue as many, but only as many of
// them run as there are slots: decode + executors × width stays within the CPU budget however many
// models are served. First come, first served. Two kinds wait until nobody else wants slots: who
// needs all of them at once takes them only when nobody has or waits for one, so that no core
// idles meanwhile; who does what others would do themselves takes one that is spare. Thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fovea {

class CpuSlots {
 public:
  explicit CpuSlots(int slots) : total_(slots), free_(slots) {}

  // Holds `count` slots (at most all of them) for its life; waits for them.
  class Hold {
   public:
    Hold(CpuSlots& slots, int count) : slots_(slots), count_(std::min(count, slots.total_)) {
      slots_.Acquire(count_);
    }
    ~Hold() { slots_.Release(count_); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    CpuSlots& slots_;
    const int count_;
  };

  // Holds one slot for its life, one that is free while nobody waits; waits for it.
  class HoldSpare {
   public:
    explicit HoldSpare(CpuSlots& slots) : slots_(slots) { slots_.AcquireSpare(); }
    ~HoldSpare() { slots_.Release(1); }
    HoldSpare(const HoldSpare&) = delete;
    HoldSpare& operator=(const HoldSpare&) = delete;

   private:
    CpuSlots& slots_;
  };

  // Holds all slots for its life where all are free and nobody waits for one; else none.
  class TryHoldAll {
   public:
    explicit TryHoldAll(CpuSlots& slots) : slots_(slots), held_(slots.TryAcquireAll()) {}
    ~TryHoldAll() {
      if (held_) slots_.Release(slots_.total_);
    }
    TryHoldAll(const TryHoldAll&) = delete;
    TryHoldAll& operator=(const TryHoldAll&) = delete;
    bool held() const { return held_; }

   private:
    CpuSlots& slots_;
    const bool held_;
  };

  int total() const { return total_; }
  // Those who wait for slots in turn.
  int waiting() const {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(next_ticket_ - serving_);
  }
  bool IsContended() const { return waiting() > 0; }
  // Whether TryHoldAll would hold them now.
  bool AllFree() const {
    absl::MutexLock lock(&mutex_);
    return AllFreeLocked();
  }

 private:
  void Acquire(int count) {
    absl::MutexLock lock(&mutex_);
    const uint64_t ticket = next_ticket_++;
    while (ticket != serving_ || free_ < count) changed_.Wait(&mutex_);
    free_ -= count;
    ++serving_;
    changed_.SignalAll();
  }
  void AcquireSpare() {
    absl::MutexLock lock(&mutex_);
    while (free_ == 0 || serving_ != next_ticket_) changed_.Wait(&mutex_);
    --free_;
  }
  bool TryAcquireAll() {
    absl::MutexLock lock(&mutex_);
    if (!AllFreeLocked()) return false;
    free_ = 0;
    return true;
  }
  bool AllFreeLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return free_ == total_ && serving_ == next_ticket_;
  }
  void Release(int count) {
    absl::MutexLock lock(&mutex_);
    free_ += count;
    changed_.SignalAll();
  }

  const int total_;
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  int free_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t serving_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fovea
