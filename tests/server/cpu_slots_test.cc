#include "server/serving/cpu_slots.h"

#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

// Threads that wait for slots, and the order in which they got them.
class Queue {
 public:
  explicit Queue(CpuSlots& slots) : slots_(slots) {}
  // Returns once `name` waits in turn.
  void Wait(int name, int count) {
    const int waiting = slots_.waiting();
    threads_.emplace_back([this, name, count] {
      const CpuSlots::Hold hold(slots_, count);
      Note(name);
    });
    while (slots_.waiting() == waiting) std::this_thread::yield();
  }
  void WaitForASpareOne(int name) {
    threads_.emplace_back([this, name] {
      const CpuSlots::HoldSpare hold(slots_);
      Note(name);
    });
  }
  std::vector<int> Order() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    absl::MutexLock lock(&mutex_);
    return order_;
  }

 private:
  void Note(int name) {
    absl::MutexLock lock(&mutex_);
    order_.push_back(name);
  }

  CpuSlots& slots_;
  std::vector<std::thread> threads_;
  absl::Mutex mutex_;
  std::vector<int> order_ ABSL_GUARDED_BY(mutex_);
};

TEST(CpuSlots, FirstComeFirstServed) {
  CpuSlots slots(1);
  Queue queue(slots);
  {
    const CpuSlots::Hold hold(slots, 1);
    EXPECT_FALSE(slots.IsContended());
    queue.Wait(1, 1);
    queue.Wait(2, 1);
    queue.Wait(3, 1);
    EXPECT_TRUE(slots.IsContended());
  }
  EXPECT_THAT(queue.Order(), ElementsAre(1, 2, 3));
  EXPECT_TRUE(slots.AllFree());
}

TEST(CpuSlots, WhoWaitsForSeveralIsNotOvertaken) {
  CpuSlots slots(2);
  Queue queue(slots);
  {
    const CpuSlots::Hold hold(slots, 1);
    queue.Wait(1, 2);
    queue.Wait(2, 1);
    EXPECT_FALSE(CpuSlots::TryHoldAll(slots).held());
  }
  EXPECT_THAT(queue.Order(), ElementsAre(1, 2));
}

TEST(CpuSlots, ASpareSlotIsOneThatNobodyWaitsFor) {
  CpuSlots slots(2);
  Queue queue(slots);
  {
    const CpuSlots::Hold hold(slots, 1);
    queue.Wait(1, 2);
    queue.WaitForASpareOne(2);  // one is free, but 1 waits for it
  }
  EXPECT_THAT(queue.Order(), ElementsAre(1, 2));
  queue.WaitForASpareOne(3);
  EXPECT_THAT(queue.Order(), ElementsAre(1, 2, 3));
}

TEST(CpuSlots, AllAreTakenOnlyWhenNobodyHasOrWaitsForOne) {
  CpuSlots slots(2);
  {
    const CpuSlots::TryHoldAll all(slots);
    EXPECT_TRUE(all.held());
    EXPECT_FALSE(slots.AllFree());
    EXPECT_FALSE(CpuSlots::TryHoldAll(slots).held());
  }
  const CpuSlots::Hold hold(slots, 1);
  EXPECT_FALSE(CpuSlots::TryHoldAll(slots).held());
}

}  // namespace
}  // namespace fovea
