#include "core/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/model/format.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TrainingRun;

// 26 images make 3 steps of 8 an epoch.
const char kMlp[] = "mlp { hidden: 8 } batch_size: 8 epochs: 3 learning_rate: 0.05";

std::string ModelBytes(const TrainingRun& run) {
  const auto bytes = FileSystem::Real()->Read(run.folder() + "/model/model.onnx");
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

TEST(Trainer, LearnsAndStagesAModelWithAnHonestReport) {
  TrainingRun run("mlp { hidden: 16 } batch_size: 8 epochs: 8 learning_rate: 0.05");
  const auto result = run.Attempt(/*resume=*/false);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_THAT(run.losses, SizeIs(24));
  EXPECT_LT(run.losses.back(), run.losses.front() / 2);

  const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->name(), "bars");
  EXPECT_EQ(manifest->task(), v1::TASK_SINGLE_LABEL);
  EXPECT_EQ(manifest->labels_size(), 3);
  EXPECT_EQ(manifest->preprocessing().width(), testing::kSide);
  EXPECT_EQ(manifest->preprocessing().mean_size(), 1);
  EXPECT_EQ(manifest->thresholds_size(), 0);
  EXPECT_GT(manifest->layers_size(), 3);
  EXPECT_EQ(manifest->training().job_id(), "job-1");
  EXPECT_GE(manifest->training().epoch(), 1);
  EXPECT_EQ(manifest->training().execution().backend(), v1::BACKEND_REFERENCE);
  EXPECT_TRUE(manifest->has_create_time());
  const v1::Report& report = manifest->report();
  EXPECT_EQ(report.split(), v1::SPLIT_TEST);
  EXPECT_EQ(report.dataset(), "bars");
  EXPECT_EQ(report.dataset_revision(), 1);
  EXPECT_EQ(report.measures().examples(), 12);
  EXPECT_EQ(report.measures().single_label().accuracy(), 1);
  EXPECT_EQ(report.choices_size(), run.job.choices_size());
  EXPECT_GT(report.images_per_second(), 0);
}

TEST(Trainer, LearnsSeveralLabels) {
  TrainingRun run("mlp { hidden: 16 } batch_size: 8 epochs: 12 learning_rate: 0.2",
                  v1::TASK_MULTI_LABEL);
  const auto result = run.Attempt(false);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_THAT(manifest->thresholds(), ::testing::ElementsAre(.5, .5, .5));
  EXPECT_LE(manifest->report().measures().multi_label().hamming_loss(), .1);
}

TEST(Trainer, ReportsEveryEpochOnceAndKeepsNoCheckpoint) {
  TrainingRun run(kMlp);
  ASSERT_TRUE(run.Attempt(false).ok());
  EXPECT_EQ(run.sink.started.step(), 0);
  EXPECT_EQ(run.sink.started.total_steps(), 9);
  const std::vector<v1::EpochReport> epochs = run.sink.Epochs();
  ASSERT_THAT(epochs, SizeIs(3));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(epochs[i].epoch(), i + 1);
    const double mean = (run.losses[3 * i] + run.losses[3 * i + 1] + run.losses[3 * i + 2]) / 3;
    EXPECT_NEAR(epochs[i].train_loss(), mean, 1e-12);
    EXPECT_EQ(epochs[i].validation().examples(), 12);
  }
  for (const v1::JobEvent& event : run.sink.events) {
    EXPECT_EQ(event.job_id(), "job-1");
    EXPECT_EQ(event.attempt(), 1);
    EXPECT_TRUE(event.has_time());
  }
  EXPECT_FALSE(FileSystem::Real()->Exists(run.folder() + "/checkpoints"));
}

TEST(Trainer, PublishesTheBestEpoch) {
  // The rate jumps so high in the second epoch that the first stays the best.
  TrainingRun run(
      "mlp { hidden: 8 } batch_size: 8 epochs: 3 learning_rate: 30 constant {} "
      "warmup_epochs: 3 sgd { momentum: 0 }");
  std::vector<v1::CheckpointSaved> saved;
  run.on_event = [&](const v1::JobEvent& event) {
    if (event.has_checkpoint()) saved.push_back(event.checkpoint());
    return absl::OkStatus();
  };
  const auto result = run.Attempt(false);
  ASSERT_TRUE(result.ok()) << result.status();
  uint32_t best = 0;
  for (const v1::CheckpointSaved& checkpoint : saved) {
    if (checkpoint.best()) best = checkpoint.epoch();
  }
  const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->training().epoch(), best);
}

TEST(Trainer, MeasuresOnValidationWithoutATestSplitAndPublishesTheLastWithoutValidation) {
  TrainingRun no_test(kMlp, v1::TASK_SINGLE_LABEL, /*validation=*/12, /*test=*/0);
  const auto on_validation = no_test.Attempt(false);
  ASSERT_TRUE(on_validation.ok()) << on_validation.status();
  auto manifest = ReadManifest(FileSystem::Real(), on_validation->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->report().split(), v1::SPLIT_VALIDATION);

  TrainingRun no_validation(kMlp, v1::TASK_SINGLE_LABEL, /*validation=*/0, /*test=*/12);
  const auto last = no_validation.Attempt(false);
  ASSERT_TRUE(last.ok()) << last.status();
  manifest = ReadManifest(FileSystem::Real(), last->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->training().epoch(), 3);
  EXPECT_FALSE(no_validation.sink.Epochs()[0].has_validation());
}

TEST(Trainer, GivesTheSameLossesForTheSameSeedAndOthersForAnother) {
  TrainingRun first(kMlp), second(kMlp), third(std::string(kMlp) + " seed: 2");
  ASSERT_TRUE(first.Attempt(false).ok());
  ASSERT_TRUE(second.Attempt(false).ok());
  ASSERT_TRUE(third.Attempt(false).ok());
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(ModelBytes(first), ModelBytes(second));
  EXPECT_NE(first.losses, third.losses);
}

TEST(Trainer, ThrottlesProgressAndTellsTheEnd) {
  TrainingRun run(kMlp);
  ASSERT_TRUE(run.Attempt(false).ok());
  std::vector<v1::Progress> progress;
  for (const v1::JobEvent& event : run.sink.events) {
    if (event.has_progress()) progress.push_back(event.progress());
  }
  ASSERT_THAT(progress, ::testing::Not(IsEmpty()));
  EXPECT_EQ(progress.back().step(), 9);
  EXPECT_EQ(progress.back().total_steps(), 9);
  EXPECT_EQ(progress.back().attempt_images(), 72);
  EXPECT_GT(progress.back().attempt_flops(), 0);
  EXPECT_GT(progress.back().images_per_second(), 0);
  EXPECT_FALSE(progress.back().has_share_of_peak());
}

TEST(Trainer, StopsWithAClearErrorWhenTheLossIsNotFinite) {
  TrainingRun run(
      "mlp { hidden: 8 } batch_size: 8 epochs: 3 learning_rate: 1e30 warmup_epochs: 0 "
      "constant {}");
  const auto result = run.Attempt(false);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.status().message(), HasSubstr("expected a finite number"));
  EXPECT_THAT(result.status().message(), HasSubstr("config.learning_rate"));
}

TEST(Trainer, RefusesATrainingSplitBelowABatch) {
  TrainingRun run(kMlp);
  run.job.mutable_config()->set_batch_size(27);
  EXPECT_EQ(run.Attempt(false).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Trainer, NeedsSomethingToMeasureOn) {
  TrainingRun run(kMlp, v1::TASK_SINGLE_LABEL, 0, 12);
  Trainer::Options options;
  const InMemoryDataset bars = testing::Bars(26, v1::TASK_SINGLE_LABEL, 1);
  options.job = run.job;
  options.train = &bars;
  const auto trainer = Trainer::Create(std::move(options));
  EXPECT_EQ(trainer.status().code(), absl::StatusCode::kFailedPrecondition);
}

// ---- A net with batch norm, dropout and Adam trains as well.

TEST(Trainer, TrainsAConvolutionalNetWithStates) {
  TrainingRun run("net: \"resnet8\" batch_size: 8 epochs: 2 learning_rate: 0.05");
  ASSERT_TRUE(run.Attempt(false).ok());
  EXPECT_LT(run.losses.back(), run.losses.front());
}

TEST(Trainer, TrainsWithAdamAndDropout) {
  TrainingRun run(
      "net: \"lenet\" adam {} learning_rate: 0.005 dropout: 0.25 batch_size: 8 epochs: 4");
  ASSERT_TRUE(run.Attempt(false).ok());
  EXPECT_LT(run.losses.back(), run.losses.front());
}

}  // namespace
}  // namespace fovea
