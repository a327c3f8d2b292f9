// The trainer on the tasks that are no classification among several labels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/compile/buckets.h"
#include "core/model/format.h"
#include "core/train/evaluate.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using testing::TrainingRun;

const char kMlp[] =
    "mlp { hidden: 16 } batch_size: 8 epochs: 20 augmentation { "
    "pad_and_crop_pixels: 0 } ";

Model Train(TrainingRun& run) {
  const auto result = run.Attempt(/*resume=*/false);
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  auto model = ReadModel(FileSystem::Real(), result->staged_folder());
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : Model();
}

// What the published model itself says of the test split, without what the trainer knows.
v1::Report EvaluatePublished(const Model& model, v1::Task task) {
  const auto weights = MakeWeights(model, **FindBackend("reference"));
  EXPECT_TRUE(weights.ok()) << weights.status();
  auto programs = BucketPrograms::Create(model.graph, *weights, {.max_batch = 4, .compile = {}});
  EXPECT_TRUE(programs.ok()) << programs.status();
  auto executor = BucketExecutor::Create(*programs);
  EvaluateOptions options;
  options.task = task;
  options.labels.assign(model.manifest.labels().begin(), model.manifest.labels().end());
  options.decisions.thresholds.assign(model.manifest.thresholds().begin(),
                                      model.manifest.thresholds().end());
  const auto report = Evaluate(testing::Bars(12, task, 3), options, **programs, **executor);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : v1::Report();
}

TEST(TrainerTasks, LearnsABinaryTask) {
  TrainingRun run(std::string(kMlp) + "tuned_thresholds { f1 {} }", v1::TASK_BINARY);
  const Model model = Train(run);
  EXPECT_EQ(model.manifest.task(), v1::TASK_BINARY);
  EXPECT_EQ(model.manifest.labels_size(), 2);
  EXPECT_EQ(model.manifest.thresholds_size(), 1);
  const v1::BinaryMeasures& binary = model.manifest.report().measures().binary();
  EXPECT_EQ(binary.roc_auc(), 1);
  EXPECT_EQ(binary.f1(), 1);
  EXPECT_EQ(binary.threshold(), model.manifest.thresholds(0));
  EXPECT_EQ(EvaluatePublished(model, v1::TASK_BINARY).measures().binary().f1(), 1);
}

TEST(TrainerTasks, WeighsBinaryExamplesByClass) {
  TrainingRun plain(kMlp, v1::TASK_BINARY);
  TrainingRun ones(std::string(kMlp) + "class_weights { by_label { key: 'positive' value: 1 } }",
                   v1::TASK_BINARY);
  TrainingRun weighted(
      std::string(kMlp) + "class_weights { by_label { key: 'positive' value: 9 } }",
      v1::TASK_BINARY);
  Train(plain);
  Train(ones);
  Train(weighted);
  EXPECT_EQ(ones.losses, plain.losses);
  EXPECT_NE(weighted.losses, plain.losses);
}

// Targets around 100 with a spread of some tens, which only standardised ones are learned from.
TEST(TrainerTasks, LearnsARegressionInTheUnitsOfItsTargets) {
  TrainingRun run(kMlp, v1::TASK_REGRESSION);
  const Model model = Train(run);
  EXPECT_EQ(model.manifest.task(), v1::TASK_REGRESSION);
  EXPECT_EQ(model.manifest.thresholds_size(), 0);
  EXPECT_EQ(model.graph.value(model.graph.outputs()[0]).name, "values");
  const v1::RegressionMeasures& measured = model.manifest.report().measures().regression();
  EXPECT_GT(measured.r2(), .9);
  EXPECT_EQ(model.manifest.report().targets_size(), 2);
  const v1::RegressionMeasures published =
      EvaluatePublished(model, v1::TASK_REGRESSION).measures().regression();
  EXPECT_NEAR(published.mse(), measured.mse(), 1e-3 * measured.mse());
  for (const v1::JobEvent& event : run.sink.events) EXPECT_FALSE(event.progress().has_accuracy());
}

TEST(TrainerTasks, LearnsNumbersBetweenZeroAndOne) {
  TrainingRun run(std::string(kMlp) + "learning_rate: 0.1", v1::TASK_UNIT_REGRESSION);
  const Model model = Train(run);
  const v1::RegressionMeasures& measured = model.manifest.report().measures().regression();
  EXPECT_GT(measured.r2(), .6);
  EXPECT_NEAR(EvaluatePublished(model, v1::TASK_UNIT_REGRESSION).measures().regression().mse(),
              measured.mse(), 1e-6);
}

}  // namespace
}  // namespace fovea
