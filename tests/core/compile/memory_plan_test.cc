#include "core/compile/memory_plan.h"

#include <gtest/gtest.h>

#include "core/base/random.h"

namespace fovea {
namespace {

TEST(MemoryPlan, LetsBuffersOfDifferentTimesShareTheSameBytes) {
  const MemoryPlan plan = PlanMemory({{{0, 1, 640}, {2, 3, 640}}});
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.total_bytes, 640u);
}

TEST(MemoryPlan, SeparatesBuffersThatMeetInOneStep) {
  const MemoryPlan plan = PlanMemory({{{0, 2, 640}, {2, 3, 640}}});
  EXPECT_NE(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.total_bytes, 1280u);
}

TEST(MemoryPlan, PlacesASmallBufferInTheGapBetweenTwoLargeOnes) {
  // 0 and 1 overlap and stack; 0 ends, and 2 takes its place below 1.
  const MemoryPlan plan = PlanMemory({{{0, 1, 1280}, {0, 5, 640}, {2, 5, 128}}});
  EXPECT_EQ(plan.total_bytes, 1920u);
}

TEST(MemoryPlan, RoundsOffsetsToCacheLines) {
  const MemoryPlan plan = PlanMemory({{{0, 1, 1}, {0, 1, 1}}});
  for (size_t offset : plan.offsets) EXPECT_EQ(offset % 64, 0u);
  EXPECT_EQ(plan.total_bytes, 128u);
}

TEST(MemoryPlan, OfNothingIsEmpty) { EXPECT_EQ(PlanMemory({}).total_bytes, 0u); }

TEST(MemoryPlan, NeverOverlapsLiveBuffersInRandomPrograms) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Usage> usages;
    size_t sum = 0;
    for (int i = 0; i < 40; ++i) {
      const int first = static_cast<int>(random.Below(30));
      usages.push_back({first, first + static_cast<int>(random.Below(8)), 1 + random.Below(5000)});
      sum += usages.back().bytes + 63;
    }
    const MemoryPlan plan = PlanMemory(usages);
    EXPECT_LE(plan.total_bytes, sum);
    for (size_t a = 0; a < usages.size(); ++a) {
      EXPECT_LE(plan.offsets[a] + usages[a].bytes, plan.total_bytes);
      for (size_t b = 0; b < a; ++b) {
        if (usages[a].last < usages[b].first || usages[b].last < usages[a].first) continue;
        const bool apart = plan.offsets[a] + usages[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + usages[b].bytes <= plan.offsets[a];
        ASSERT_TRUE(apart) << "buffers " << a << " and " << b << " overlap in round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace fovea
