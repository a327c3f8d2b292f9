#include "core/base/scoped_width.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <thread>

namespace fovea {
namespace {

int ThreadsOfParallelRegion() {
  int threads = 0;
#pragma omp parallel
  {
#pragma omp single
    threads = omp_get_num_threads();
  }
  return threads;
}

TEST(ScopedWidth, SetsAndRestores) {
  const int before = ScopedWidth::Current();
  {
    ScopedWidth outer(3);
    EXPECT_EQ(ScopedWidth::Current(), 3);
    {
      ScopedWidth inner(1);
      EXPECT_EQ(ThreadsOfParallelRegion(), 1);
    }
    EXPECT_EQ(ScopedWidth::Current(), 3);
  }
  EXPECT_EQ(ScopedWidth::Current(), before);
}

TEST(ScopedWidth, LeavesOtherThreadsAlone) {
  ScopedWidth width(1);
  std::thread other([] {
    ScopedWidth two(2);
    EXPECT_EQ(ScopedWidth::Current(), 2);
  });
  other.join();
  EXPECT_EQ(ScopedWidth::Current(), 1);
}

// On a thread of its own, which ends with its helpers.
TEST(SpreadThreads, GivesEachItsCoreWhereTheProcessHasAsMany) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  const int cores = CPU_COUNT(&allowed);
  std::vector<int> affinity(static_cast<size_t>(cores));
  bool spread = false, spread_on_more = true;
  std::thread([&] {
    {
      const ScopedWidth width(cores);
      spread = SpreadThreads();
#pragma omp parallel num_threads(cores)
      {
        cpu_set_t own;
        sched_getaffinity(0, sizeof(own), &own);
        affinity[static_cast<size_t>(omp_get_thread_num())] = CPU_COUNT(&own);
      }
    }
    const ScopedWidth width(cores + 1);
    spread_on_more = SpreadThreads();
  }).join();
  EXPECT_EQ(spread, cores > 1);
  EXPECT_FALSE(spread_on_more);
  for (int allowed_cores : affinity) EXPECT_EQ(allowed_cores, 1);
}

}  // namespace
}  // namespace fovea
