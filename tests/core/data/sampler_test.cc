#include "core/data/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

namespace fovea {
namespace {

using ::testing::ElementsAreArray;

std::vector<int64_t> Copy(absl::Span<const int64_t> batch) { return {batch.begin(), batch.end()}; }

TEST(ShuffleEpoch, IsAPermutation) {
  std::vector<int64_t> order(1000), sorted(1000);
  ShuffleEpoch(1, 0, absl::MakeSpan(order));
  std::iota(sorted.begin(), sorted.end(), 0);
  EXPECT_NE(order, sorted);
  EXPECT_THAT(order, ::testing::UnorderedElementsAreArray(sorted));
}

TEST(ShuffleEpoch, DependsOnSeedAndEpoch) {
  std::vector<int64_t> a(100), b(100), c(100), again(100);
  ShuffleEpoch(1, 0, absl::MakeSpan(a));
  ShuffleEpoch(1, 1, absl::MakeSpan(b));
  ShuffleEpoch(2, 0, absl::MakeSpan(c));
  ShuffleEpoch(1, 0, absl::MakeSpan(again));
  EXPECT_NE(a, b);
  EXPECT_NE(a, c);
  EXPECT_EQ(a, again);
}

// Every machine must shuffle alike: a changed list breaks the resuming of old jobs.
TEST(ShuffleEpoch, StaysAsItWas) {
  std::vector<int64_t> order(8);
  ShuffleEpoch(1, 0, absl::MakeSpan(order));
  EXPECT_THAT(order, ElementsAreArray({6, 1, 0, 3, 5, 7, 2, 4}));
}

TEST(Sampler, UsesEachExampleAtMostOnceAnEpoch) {
  Sampler sampler(3, 10, 3);
  EXPECT_EQ(sampler.steps_per_epoch(), 3);
  std::set<int64_t> seen;
  for (int64_t step = 0; step < 3; ++step) {
    for (int64_t i : sampler.Batch(step)) EXPECT_TRUE(seen.insert(i).second);
  }
  EXPECT_EQ(seen.size(), 9u);
}

TEST(Sampler, LetsTheRemainderTakePartLater) {
  Sampler sampler(3, 10, 3);
  std::map<int64_t, int> uses;
  for (int64_t step = 0; step < 300; ++step) {
    for (int64_t i : sampler.Batch(step)) ++uses[i];
  }
  ASSERT_EQ(uses.size(), 10u);
  for (const auto& [example, count] : uses) EXPECT_NEAR(count, 90, 12) << example;
}

TEST(Sampler, AnswersTheSameFromAnyStepOn) {
  Sampler whole(5, 103, 8);
  std::vector<std::vector<int64_t>> batches;
  for (int64_t step = 0; step < 40; ++step) batches.push_back(Copy(whole.Batch(step)));
  for (int64_t from : {0, 7, 12, 13, 39}) {
    Sampler resumed(5, 103, 8);
    for (int64_t step = from; step < 40; ++step) {
      EXPECT_THAT(resumed.Batch(step), ElementsAreArray(batches[static_cast<size_t>(step)]));
    }
  }
  EXPECT_THAT(whole.Batch(2), ElementsAreArray(batches[2]));
}

TEST(Sampler, TakesBatchesOfAllExamples) {
  Sampler sampler(5, 4, 4);
  EXPECT_EQ(sampler.steps_per_epoch(), 1);
  EXPECT_EQ(sampler.EpochOf(6), 6);
  EXPECT_THAT(sampler.Batch(6), ::testing::UnorderedElementsAre(0, 1, 2, 3));
}

}  // namespace
}  // namespace fovea
