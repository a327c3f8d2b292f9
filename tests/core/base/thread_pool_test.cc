#include "core/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"

namespace fovea {
namespace {

TEST(ThreadPool, FinishesAcceptedTasksAtDestruction) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool({.threads = 2, .max_queue = 0, .name = "test"});
    for (int i = 0; i < 100; ++i) pool.Schedule([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

TEST(ThreadPool, RefusesWhenTheQueueIsFull) {
  ThreadPool pool({.threads = 1, .max_queue = 1, .name = "test"});
  absl::Notification started, release;
  pool.Schedule([&] {
    started.Notify();
    release.WaitForNotification();
  });
  started.WaitForNotification();
  EXPECT_TRUE(pool.TrySchedule([] {}));
  EXPECT_EQ(pool.queued(), 1);
  EXPECT_FALSE(pool.TrySchedule([] {}));
  release.Notify();
  pool.Wait();
  EXPECT_TRUE(pool.TrySchedule([] {}));
}

TEST(ThreadPool, StartsTasksInOrder) {
  std::vector<int> order;
  ThreadPool pool({.threads = 1, .max_queue = 0, .name = "test"});
  for (int i = 0; i < 10; ++i) pool.Schedule([&order, i] { order.push_back(i); });
  pool.Wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(ThreadPool, TakesMoveOnlyTasks) {
  ThreadPool pool({});
  auto value = std::make_unique<int>(7);
  int seen = 0;
  pool.Schedule([value = std::move(value), &seen] { seen = *value; });
  pool.Wait();
  EXPECT_EQ(seen, 7);
}

TEST(ParallelFor, VisitsEachIndexOnce) {
  ThreadPool pool({.threads = 3, .max_queue = 0, .name = "test"});
  std::vector<std::atomic<int>> visits(1000);
  ParallelFor(&pool, 1000, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; });
  for (const std::atomic<int>& count : visits) EXPECT_EQ(count, 1);
  ParallelFor(&pool, 0, [](int64_t) { FAIL(); });
}

}  // namespace
}  // namespace fovea
