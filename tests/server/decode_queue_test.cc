#include "server/serving/decode_queue.h"

#include <optional>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

class DecodeQueueTest : public ::testing::Test {
 protected:
  bool Add(int name, Priority priority = Priority::kNormal) {
    return queue_.TryAdd([this, name] { order_.push_back(name); }, priority);
  }

  std::vector<int> order_;
  CpuSlots slots_{1};
  std::optional<CpuSlots::Hold> executor_{std::in_place, slots_, 1};  // so the thread sleeps
  DecodeQueue queue_{{.threads = 1, .max_queue = 9, .slots = &slots_}};
};

TEST_F(DecodeQueueTest, WhoHasASlotRunsTasksItself) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_FALSE(queue_.RunOne());
  EXPECT_TRUE(Add(1) && Add(2));
  EXPECT_TRUE(queue_.RunOne());
  EXPECT_THAT(order_, ElementsAre(1));
  EXPECT_FALSE(queue_.empty());
  EXPECT_TRUE(queue_.RunOne());
  EXPECT_FALSE(queue_.RunOne());
  EXPECT_THAT(order_, ElementsAre(1, 2));
  executor_.reset();
}

TEST_F(DecodeQueueTest, ItsThreadsTakeASpareSlot) {
  absl::Notification done;
  bool held = false;
  EXPECT_TRUE(queue_.TryAdd(
      [&] {
        held = !slots_.AllFree();
        done.Notify();
      },
      Priority::kNormal));
  executor_.reset();
  done.WaitForNotification();
  EXPECT_TRUE(held);
}

TEST_F(DecodeQueueTest, HighPrioritiesGoFirstButEveryEighthTaskIsTheOldest) {
  EXPECT_TRUE(Add(20, Priority::kLow) && Add(21, Priority::kLow));
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(Add(10 + i));
  EXPECT_TRUE(Add(0, Priority::kHigh));
  while (queue_.RunOne()) {
  }
  EXPECT_THAT(order_, ElementsAre(0, 10, 11, 12, 13, 14, 15, 20, 16, 17, 18, 21));
  executor_.reset();
}

TEST_F(DecodeQueueTest, EveryPriorityHasRoomOfItsOwn) {
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(Add(i));
  EXPECT_FALSE(Add(9));
  EXPECT_TRUE(Add(10, Priority::kHigh));
  executor_.reset();
}

TEST(DecodeQueue, FinishesWhatItHasAcceptedBeforeItEnds) {
  CpuSlots slots(2);
  int done = 0;
  absl::Mutex mutex;
  {
    DecodeQueue queue({.threads = 2, .slots = &slots});
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(queue.TryAdd(
          [&] {
            absl::MutexLock lock(&mutex);
            ++done;
          },
          Priority::kNormal));
    }
  }
  EXPECT_EQ(done, 100);
}

}  // namespace
}  // namespace fovea
