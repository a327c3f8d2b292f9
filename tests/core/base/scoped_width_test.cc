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

}  // namespace
}  // namespace fovea
