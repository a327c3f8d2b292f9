#include "core/train/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "core/nets/net.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

// An untrained net for the bars, with its programs.
class EvaluateTest : public ::testing::Test {
 protected:
  void Make(Head head) {
    NetOptions options;
    options.name = "mlp";
    options.hidden = {4};
    options.width = options.height = testing::kSide;
    options.channels = 1;
    options.labels = testing::kLabels;
    const auto net = BuildNet(options, 1);
    ASSERT_TRUE(net.ok()) << net.status();
    auto weights = Weights::Create(**FindBackend("reference"), net->graph, {});
    ASSERT_TRUE(weights.ok()) << weights.status();
    ASSERT_TRUE(Initialize(*net, 1, **weights).ok());
    BucketPrograms::Options buckets;
    buckets.max_batch = 4;
    auto programs = BucketPrograms::Create(*WithHead(*net, head), *weights, buckets);
    ASSERT_TRUE(programs.ok()) << programs.status();
    programs_ = *programs;
    auto executor = BucketExecutor::Create(programs_);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
    options_.labels = testing::BarLabels();
  }

  std::shared_ptr<BucketPrograms> programs_;
  std::unique_ptr<BucketExecutor> executor_;
  EvaluateOptions options_;
};

TEST_F(EvaluateTest, MeasuresEveryExampleWhateverTheBatch) {
  Make(Head::kSoftmax);
  const InMemoryDataset bars = testing::Bars(11, v1::TASK_SINGLE_LABEL, 5);
  options_.batch = 4;
  const auto by_four = Evaluate(bars, options_, *programs_, *executor_);
  ASSERT_TRUE(by_four.ok()) << by_four.status();
  EXPECT_EQ(by_four->measures().examples(), 11);
  EXPECT_EQ(by_four->labels(0).support(), 4);
  EXPECT_EQ(by_four->labels(2).support(), 3);
  EXPECT_GT(by_four->seconds(), 0);
  EXPECT_GT(by_four->images_per_second(), 0);
  options_.batch = 1;
  const auto one_by_one = Evaluate(bars, options_, *programs_, *executor_);
  ASSERT_TRUE(one_by_one.ok()) << one_by_one.status();
  EXPECT_NEAR(one_by_one->measures().log_loss(), by_four->measures().log_loss(), 1e-6);
  EXPECT_EQ(one_by_one->measures().single_label().accuracy(),
            by_four->measures().single_label().accuracy());
}

TEST_F(EvaluateTest, MeasuresSeveralLabels) {
  Make(Head::kSigmoid);
  const InMemoryDataset bars = testing::Bars(8, v1::TASK_MULTI_LABEL, 5);
  options_.task = v1::TASK_MULTI_LABEL;
  options_.decisions.thresholds = {0, 0, 1};  // always, always, never
  const auto report = Evaluate(bars, options_, *programs_, *executor_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->labels(0).recall(), 1);
  EXPECT_EQ(report->labels(0).precision(), .5);
  EXPECT_EQ(report->labels(2).recall(), 0);
  EXPECT_EQ(report->measures().multi_label().hamming_loss(), .5);
}

TEST_F(EvaluateTest, RefusesADataSetOfOtherPicturesOrLabels) {
  Make(Head::kSoftmax);
  const InMemoryDataset bars = testing::Bars(4, v1::TASK_SINGLE_LABEL, 5);
  options_.labels.pop_back();
  const auto labels = Evaluate(bars, options_, *programs_, *executor_);
  EXPECT_EQ(labels.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(labels.status().message()), HasSubstr("3 labels, the model 2"));

  Example example;
  example.image = {2, 2, 1, std::vector<uint8_t>(4)};
  example.target = {1, 0, 0};
  const auto small = InMemoryDataset::Create({example});
  options_.labels = testing::BarLabels();
  const auto pixels = Evaluate(*small, options_, *programs_, *executor_);
  EXPECT_EQ(pixels.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EvaluateTest, StopsWhenCancelled) {
  Make(Head::kSoftmax);
  const InMemoryDataset bars = testing::Bars(4, v1::TASK_SINGLE_LABEL, 5);
  CancelToken cancel;
  cancel.Cancel();
  options_.cancel = &cancel;
  EXPECT_EQ(Evaluate(bars, options_, *programs_, *executor_).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace fovea
