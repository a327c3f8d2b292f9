#include "core/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/model/format.h"
#include "core/train/measure.h"
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

// A net of one's own with residual branches that are dropped at random: the model that is published
// is the one that was measured.
TEST(Trainer, LearnsWithANetInTextFormAndStochasticDepth) {
  TrainingRun run(
      "net_text: \"conv 8 stride=2 pad=1\\nbatch_norm\\nsilu\\n"
      "residual {\\nconv 8 pad=1\\nbatch_norm\\nsqueeze_excite reduction=2 hard\\n}\\n"
      "prelu\\nl2_pool\\ndense 16\\ngelu\" "
      "initializer: INITIALIZER_ORTHOGONAL zero_last_gamma: true stochastic_depth: 0.2 "
      "batch_size: 8 epochs: 8 learning_rate: 0.05");
  const auto result = run.Attempt(/*resume=*/false);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LT(run.losses.back(), run.losses.front() / 2);
  const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_GE(manifest->report().measures().single_label().accuracy(), 0.9);
  const auto bytes = ModelBytes(run);
  EXPECT_THAT(bytes, HasSubstr("squeeze_excite1.fc1.weight"));
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
    EXPECT_TRUE(epochs[i].data_wait_share() >= 0 && epochs[i].data_wait_share() <= 1);
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

// Nets of another seed learn the bars in other ways; this one has learned them after few epochs.
const char kStopping[] =
    "mlp { hidden: 8 } batch_size: 8 epochs: 30 learning_rate: 0.1 constant {} "
    "early_stopping { patience: 2 }";

TEST(Trainer, StopsEarlyAndPublishesTheBestEpoch) {
  TrainingRun run(kStopping);
  const auto result = run.Attempt(false);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<v1::EpochReport> epochs = run.sink.Epochs();
  ASSERT_LT(epochs.size(), 30);
  ASSERT_GT(epochs.size(), 2);
  // The last two are no better than the best before them, and all before were in time.
  double best = -1;
  size_t best_epoch = 0, without = 0;
  for (size_t i = 0; i < epochs.size(); ++i) {
    EXPECT_LT(without, 2) << "should have stopped before epoch " << i + 1;
    const double accuracy = epochs[i].validation().single_label().accuracy();
    ++without;
    if (accuracy <= best) continue;
    best = accuracy;
    best_epoch = i + 1;
    without = 0;
  }
  EXPECT_EQ(without, 2);
  ASSERT_THAT(run.sink.Notes(), SizeIs(1));
  EXPECT_THAT(run.sink.Notes()[0],
              HasSubstr(absl::StrCat("after epoch ", epochs.size(), " of 30")));
  // Of equal accuracies the log loss chose.
  const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_GE(manifest->training().epoch(), best_epoch);
  const uint32_t published = manifest->training().epoch();
  EXPECT_EQ(epochs[published - 1].validation().single_label().accuracy(), best);
}

TEST(Trainer, EndsTheProgressWhereItStoppedEarly) {
  TrainingRun run(kStopping);
  ASSERT_TRUE(run.Attempt(false).ok());
  v1::Progress last;
  for (const v1::JobEvent& event : run.sink.events) {
    if (event.has_progress()) last = event.progress();
  }
  EXPECT_EQ(run.sink.started.total_steps(), 90);
  EXPECT_EQ(last.step(), run.losses.size());
  EXPECT_EQ(last.total_steps(), last.step());
  EXPECT_EQ(last.total_epochs(), run.sink.Epochs().size());
  EXPECT_EQ(last.eta().seconds() + last.eta().nanos(), 0);
}

TEST(Trainer, ChoosesTheBestEpochByTheNamedMeasure) {
  // The rate is so high that the log loss grows while decisions come right.
  for (const char* measure : {"accuracy", "log_loss"}) {
    TrainingRun run(absl::StrCat(
        "mlp { hidden: 8 } batch_size: 8 epochs: 6 learning_rate: 1 constant {} warmup_epochs: 0 "
        "sgd { momentum: 0 } best_measure: \"",
        measure, "\""));
    const auto result = run.Attempt(false);
    ASSERT_TRUE(result.ok()) << result.status();
    const NamedMeasure& named = *FindMeasure(v1::TASK_SINGLE_LABEL, measure);
    size_t best = 0;
    const std::vector<v1::EpochReport> epochs = run.sink.Epochs();
    for (size_t i = 1; i < epochs.size(); ++i) {
      if (IsBetter(named, epochs[i].validation(), epochs[best].validation())) best = i;
    }
    const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(manifest->training().epoch(), best + 1) << measure;
  }
}

TEST(Trainer, LowersTheRateOnAPlateau) {
  TrainingRun run(
      "mlp { hidden: 8 } batch_size: 8 epochs: 12 learning_rate: 0.1 warmup_epochs: 0 "
      "reduce_on_plateau { factor: 0.5 patience: 1 min_delta: 0 }");
  ASSERT_TRUE(run.Attempt(false).ok());
  double rate = 0.1, best = -1;
  for (const v1::EpochReport& epoch : run.sink.Epochs()) {
    EXPECT_DOUBLE_EQ(epoch.learning_rate(), rate) << "epoch " << epoch.epoch();
    const double accuracy = epoch.validation().single_label().accuracy();
    if (accuracy > best) {
      best = accuracy;
    } else {
      rate /= 2;
    }
  }
  EXPECT_LT(rate, 0.1);
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
