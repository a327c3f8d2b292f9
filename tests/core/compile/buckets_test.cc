#include "core/compile/buckets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitIntoBuckets, FillsTheLargestBucketsFirst) {
  EXPECT_THAT(SplitIntoBuckets(72, 32), ElementsAre(32, 32, 8));
}

TEST(SplitIntoBuckets, PadsTheRestWhenThatWastesAtMostAQuarter) {
  EXPECT_THAT(SplitIntoBuckets(3, 32), ElementsAre(4));
  EXPECT_THAT(SplitIntoBuckets(7, 32), ElementsAre(8));
}

TEST(SplitIntoBuckets, SplitsTheRestWhenPaddingWouldWasteMore) {
  EXPECT_THAT(SplitIntoBuckets(5, 32), ElementsAre(4, 1));
  EXPECT_THAT(SplitIntoBuckets(9, 32), ElementsAre(8, 1));
}

TEST(SplitIntoBuckets, OfNothingIsEmpty) { EXPECT_THAT(SplitIntoBuckets(0, 8), IsEmpty()); }

TEST(SplitIntoBuckets, CoversEveryCountWithFewPaddedExamples) {
  for (int max : {1, 2, 8, 32}) {
    for (int n = 1; n <= 100; ++n) {
      const std::vector<int> buckets = SplitIntoBuckets(n, max);
      const int sum = std::accumulate(buckets.begin(), buckets.end(), 0);
      EXPECT_GE(sum, n);
      EXPECT_LE(sum - n, buckets.back() / 4) << n << " examples, buckets up to " << max;
      EXPECT_LE(*std::max_element(buckets.begin(), buckets.end()), max);
    }
  }
}

}  // namespace
}  // namespace fovea
