#include "core/data/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/data/sampler.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

// Examples with these targets and a pixel each.
InMemoryDataset Targets(const std::vector<std::vector<float>>& targets) {
  std::vector<Example> examples;
  for (const std::vector<float>& target : targets) {
    examples.push_back({{1, 1, 1, {0}}, target, std::to_string(examples.size())});
  }
  return *InMemoryDataset::Create(std::move(examples));
}

// Three classes of 12, 5 and 3 examples, mixed.
InMemoryDataset Imbalanced() {
  std::vector<std::vector<float>> targets;
  for (int i = 0; i < 20; ++i) {
    const int label = i % 4 == 1 ? 1 : i % 6 == 2 ? 2 : 0;
    targets.emplace_back(3);
    targets.back()[label] = 1;
  }
  return Targets(targets);
}

SamplingPlan Plan(Sampling kind, double power = 0) {
  const auto plan = PlanSampling(kind, power, Imbalanced());
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

std::vector<int64_t> Epoch(const SamplingPlan& plan, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(plan.EpochLength()));
  FillEpoch(plan, seed, epoch, absl::MakeSpan(order));
  return order;
}

// How often each example comes, by class.
std::vector<std::vector<int>> Uses(const SamplingPlan& plan, const std::vector<int64_t>& order) {
  std::map<int64_t, int> uses;
  for (const int64_t example : order) ++uses[example];
  std::vector<std::vector<int>> by_class;
  for (const std::vector<int64_t>& examples : plan.classes) {
    by_class.emplace_back();
    for (const int64_t example : examples) by_class.back().push_back(uses[example]);
  }
  return by_class;
}

int Sum(const std::vector<int>& uses) {
  int sum = 0;
  for (const int each : uses) sum += each;
  return sum;
}

TEST(IndexClasses, TakesTheRarestLabelOfEachExample) {
  // Support: 4, 2, 1. Equally rare ones: the first.
  const InMemoryDataset data = Targets({{1, 0, 0}, {1, 1, 0}, {1, 0, 1}, {1, 1, 0}, {0, 0, 0}});
  const auto index = IndexClasses(data);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_THAT(index->class_of, ElementsAre(0, 1, 2, 1, 3));
  EXPECT_THAT(index->counts, ElementsAre(1, 2, 1, 1));
}

// Classes of 12, 5 and 3: 1 − (1 − common) ln(n / 3) / ln(4), by hand.
TEST(RarityStrengths, FallWithTheLogarithmOfTheFrequency) {
  const auto index = IndexClasses(Imbalanced());
  ASSERT_TRUE(index.ok()) << index.status();
  const float expected[] = {.2f, .70521f, 1};
  const std::vector<float> strengths = RarityStrengths(*index, .2);
  for (size_t i = 0; i < strengths.size(); ++i) {
    EXPECT_NEAR(strengths[i], expected[index->class_of[i]], 1e-5) << i;
  }
  EXPECT_THAT(RarityStrengths(*index, 1), ::testing::Each(1));
  EXPECT_THAT(RarityStrengths({{0, 1}, {1, 1, 0}}, .2), ::testing::Each(1));
}

TEST(Sampling, CountsAnEpochByTheLargestOrSmallestClass) {
  EXPECT_EQ(Plan(Sampling::kUniform).EpochLength(), 20);
  const SamplingPlan over = Plan(Sampling::kOver);
  ASSERT_EQ(over.classes.size(), 3u);
  EXPECT_EQ(over.classes[0].size(), 12u);
  EXPECT_EQ(over.classes[1].size(), 5u);
  EXPECT_EQ(over.classes[2].size(), 3u);
  EXPECT_EQ(over.EpochLength(), 36);
  EXPECT_EQ(Plan(Sampling::kUnder).EpochLength(), 9);
  EXPECT_EQ(Plan(Sampling::kClassBalanced).EpochLength(), 20);
}

TEST(Sampling, RepeatsRareClassesEvenly) {
  const SamplingPlan plan = Plan(Sampling::kOver);
  const auto uses = Uses(plan, Epoch(plan, 7, 0));
  EXPECT_THAT(uses[0], ::testing::Each(1));
  EXPECT_THAT(uses[1], ::testing::Each(::testing::AnyOf(2, 3)));
  EXPECT_EQ(Sum(uses[1]), 12);
  EXPECT_THAT(uses[2], ::testing::Each(4));
}

TEST(Sampling, CutsFrequentClassesToANewPartEachEpoch) {
  const SamplingPlan plan = Plan(Sampling::kUnder);
  std::set<int64_t> seen;
  for (int64_t epoch = 0; epoch < 40; ++epoch) {
    const std::vector<int64_t> order = Epoch(plan, 7, epoch);
    const auto uses = Uses(plan, order);
    for (const std::vector<int>& of_class : uses) {
      EXPECT_EQ(Sum(of_class), 3);
      EXPECT_THAT(of_class, ::testing::Each(::testing::Le(1)));
    }
    seen.insert(order.begin(), order.end());
  }
  EXPECT_EQ(seen.size(), 20u);
}

// Kang et al. 2020, eq. 1, by hand for classes of 12, 5 and 3.
TEST(Sampling, DrawsClassesByTheirTemperedFrequency) {
  const struct {
    double power;
    double share[3];
  } cases[] = {{0, {1. / 3, 1. / 3, 1. / 3}},
               {.5, {3.4641 / 7.4322, 2.2361 / 7.4322, 1.7321 / 7.4322}},
               {1, {.6, .25, .15}}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.power);
    const SamplingPlan plan = Plan(Sampling::kClassBalanced, c.power);
    double drawn[3] = {};
    constexpr int kEpochs = 1000;
    for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
      const auto uses = Uses(plan, Epoch(plan, 3, epoch));
      for (int k = 0; k < 3; ++k) {
        drawn[k] += Sum(uses[k]);
        // Within a class nothing comes twice more often than something else.
        const auto [least, most] = std::minmax_element(uses[k].begin(), uses[k].end());
        EXPECT_LE(*most - *least, 1);
      }
    }
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(drawn[k] / (20 * kEpochs), c.share[k], .02) << k;
  }
}

TEST(Sampling, IsAFunctionOfSeedAndEpoch) {
  for (const Sampling kind : {Sampling::kOver, Sampling::kUnder, Sampling::kClassBalanced}) {
    const SamplingPlan plan = Plan(kind);
    EXPECT_EQ(Epoch(plan, 1, 4), Epoch(plan, 1, 4));
    EXPECT_NE(Epoch(plan, 1, 4), Epoch(plan, 1, 5));
    EXPECT_NE(Epoch(plan, 1, 4), Epoch(plan, 2, 4));
  }
}

TEST(Sampling, GoesOnFromAnyStepAsIfItHadNeverStopped) {
  for (const Sampling kind : {Sampling::kOver, Sampling::kUnder, Sampling::kClassBalanced}) {
    const auto plan = std::make_shared<const SamplingPlan>(Plan(kind));
    Sampler whole(5, plan, 4);
    EXPECT_EQ(whole.steps_per_epoch(), plan->EpochLength() / 4);
    std::vector<std::vector<int64_t>> batches;
    for (int64_t step = 0; step < 30; ++step) {
      const auto batch = whole.Batch(step);
      batches.emplace_back(batch.begin(), batch.end());
    }
    for (const int64_t from : {3, 10, 29}) {
      Sampler resumed(5, plan, 4);
      for (int64_t step = from; step < 30; ++step) {
        EXPECT_THAT(resumed.Batch(step), ::testing::ElementsAreArray(batches[step]));
      }
    }
  }
}

}  // namespace
}  // namespace fovea
