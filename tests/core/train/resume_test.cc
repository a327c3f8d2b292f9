// A run that was interrupted, anywhere and in any way, goes on as if it had not been.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/format.h"
#include "core/train/trainer.h"
#include "tests/core/train/trainer_testing.h"
#include "tests/testing/faulty_file_system.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TrainingRun;

// 26 images make 3 steps of 8 an epoch.
const char kConfig[] =
    "mlp { hidden: 8 } batch_size: 8 epochs: 2 learning_rate: 0.05 dropout: 0.1 "
    "augmentation { pad_and_crop_pixels: 1 horizontal_flip: 0.5 }";
// Batch norm has states to lose; slower.
const char kNormConfig[] = "net: \"resnet8\" batch_size: 8 epochs: 2 learning_rate: 0.05";
constexpr int64_t kSteps = 6;

std::string ModelBytes(const TrainingRun& run) {
  const auto bytes = FileSystem::Real()->Read(run.folder() + "/model/model.onnx");
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

// What is reported of the epochs, but for the time they took.
std::vector<std::string> Epochs(TrainingRun& run) {
  std::vector<std::string> texts;
  for (v1::EpochReport epoch : run.sink.Epochs()) {
    epoch.clear_duration();
    epoch.clear_data_wait_share();
    texts.push_back(epoch.SerializeAsString());
  }
  return texts;
}

class Resume : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    uninterrupted_ = new TrainingRun(kConfig);
    const auto result = uninterrupted_->Attempt(false);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_THAT(uninterrupted_->losses, SizeIs(kSteps));
  }
  static void TearDownTestSuite() { delete std::exchange(uninterrupted_, nullptr); }
  static TrainingRun& Uninterrupted() { return *uninterrupted_; }

  static void ExpectSame(TrainingRun& run, TrainingRun& expected = *uninterrupted_) {
    EXPECT_EQ(run.losses, expected.losses);
    EXPECT_EQ(ModelBytes(run), ModelBytes(expected));
  }

 private:
  inline static TrainingRun* uninterrupted_ = nullptr;
};

// Cancels a new run after step `stop`, resumes it, and compares it with one that went through.
void ExpectCancelDoesNotMatter(const char* config, int64_t stop, TrainingRun& expected) {
  TrainingRun run(config);
  CancelToken cancel;
  run.on_step = [&](const StepRecord& record) {
    if (record.step == stop) cancel.Cancel();
    return absl::OkStatus();
  };
  const auto cancelled = run.Attempt(false, &cancel);
  ASSERT_EQ(cancelled.status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(cancelled.status().message()), HasSubstr("kept for a resume"));
  ASSERT_THAT(run.losses, SizeIs(stop + 1));
  run.on_step = nullptr;
  const auto result = run.Attempt(true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(run.sink.started.step(), stop + 1);
  EXPECT_EQ(run.losses, expected.losses);
  EXPECT_EQ(ModelBytes(run), ModelBytes(expected));
  // The epoch that was cut in two reports the mean over both parts.
  EXPECT_EQ(Epochs(run).back(), Epochs(expected).back());
}

TEST_F(Resume, GivesTheSameLossesAndParametersWhereverItWasCancelled) {
  for (int64_t stop = 0; stop < kSteps; ++stop) {
    SCOPED_TRACE(stop);
    ExpectCancelDoesNotMatter(kConfig, stop, Uninterrupted());
  }
}

TEST_F(Resume, KeepsTheStatesOfBatchNorm) {
  TrainingRun whole(kNormConfig);
  ASSERT_TRUE(whole.Attempt(false).ok());
  ExpectCancelDoesNotMatter(kNormConfig, 3, whole);
}

// The rate has fallen and patience runs when it is cancelled; 3 steps an epoch.
TEST_F(Resume, KeepsWhatPlateauAndEarlyStoppingCounted) {
  const char config[] =
      "mlp { hidden: 8 } batch_size: 8 epochs: 20 learning_rate: 0.1 warmup_epochs: 0 "
      "reduce_on_plateau { factor: 0.5 patience: 1 cooldown: 1 min_delta: 0 } "
      "early_stopping { patience: 3 }";
  TrainingRun whole(config);
  ASSERT_TRUE(whole.Attempt(false).ok());
  const auto steps = static_cast<int64_t>(whole.losses.size());
  ASSERT_LT(steps, 60);
  ASSERT_THAT(whole.sink.Notes(), SizeIs(1));
  ASSERT_LT(whole.sink.steps.back().learning_rate, 0.1);
  for (int64_t stop = 0; stop < steps; ++stop) {
    SCOPED_TRACE(stop);
    ExpectCancelDoesNotMatter(config, stop, whole);
  }
}

// The checkpoint of the last epoch is there; the model is not.
TEST_F(Resume, TellsAgainThatItStoppedEarly) {
  const char config[] =
      "mlp { hidden: 8 } batch_size: 8 epochs: 30 learning_rate: 0.1 constant {} "
      "early_stopping { patience: 2 }";
  TrainingRun whole(config);
  ASSERT_TRUE(whole.Attempt(false).ok());
  TrainingRun run(config);
  run.on_event = [](const v1::JobEvent& event) {
    return event.has_note() ? absl::UnavailableError("nobody reads") : absl::OkStatus();
  };
  ASSERT_FALSE(run.Attempt(false).ok());
  run.on_event = nullptr;
  ASSERT_TRUE(run.Attempt(true).ok());
  EXPECT_THAT(run.sink.steps, IsEmpty());
  EXPECT_EQ(run.sink.Notes(), whole.sink.Notes());
  ExpectSame(run, whole);
}

// Whatever a rule remembers: slots that do not start at 0 or that start as the weights, gathered
// gradients, and averages of weights and of batch norm's states.
TEST_F(Resume, KeepsSlotsGatheredGradientsAndAverages) {
  for (const char* config :
       {"mlp { hidden: 8 } batch_size: 4 accumulate_batches: 2 epochs: 2 dropout: 0.1 "
        "adagrad { initial_accumulator: 0.1 } clip_norm: 0.5 average { decay: 0.8 }",
        "mlp { hidden: 8 } batch_size: 4 accumulate_batches: 2 epochs: 2 "
        "adagrad_da { l1: 0.001 } average { zero_debias: true }",
        "mlp { hidden: 8 } batch_size: 8 epochs: 2 ftrl { l1: 0.001 } clip_value: 0.1",
        "mlp { hidden: 8 } batch_size: 8 epochs: 2 rms_prop { centered: true momentum: 0.9 }"}) {
    SCOPED_TRACE(config);
    TrainingRun whole(config);
    ASSERT_TRUE(whole.Attempt(false).ok());
    ASSERT_THAT(whole.losses, SizeIs(kSteps));
    for (const int64_t stop : {0, 2, 4}) {
      SCOPED_TRACE(stop);
      ExpectCancelDoesNotMatter(config, stop, whole);
    }
  }
  const char states[] = "net: \"resnet8\" batch_size: 8 epochs: 2 average { decay: 0.9 }";
  TrainingRun whole(states);
  ASSERT_TRUE(whole.Attempt(false).ok());
  ExpectCancelDoesNotMatter(states, 3, whole);
}

TEST_F(Resume, GoesOnFromTheLastEpochAfterACrashAtAnyStep) {
  for (int64_t stop = 0; stop < kSteps; ++stop) {
    SCOPED_TRACE(stop);
    TrainingRun run(kConfig);
    run.on_step = [&](const StepRecord& record) {
      return record.step == stop ? absl::InternalError("crash") : absl::OkStatus();
    };
    ASSERT_EQ(run.Attempt(false).status().code(), absl::StatusCode::kInternal);
    run.on_step = nullptr;
    const auto result = run.Attempt(true);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(run.sink.started.step(), stop / 3 * 3);
    ExpectSame(run);
  }
}

TEST_F(Resume, StandsAnInterruptionAtAnyEvent) {
  for (size_t stop = 0; stop < Uninterrupted().sink.events.size(); ++stop) {
    SCOPED_TRACE(stop);
    TrainingRun run(kConfig);
    size_t events = 0;
    run.on_event = [&](const v1::JobEvent&) {
      return events++ == stop ? absl::UnavailableError("nobody reads") : absl::OkStatus();
    };
    const auto stopped = run.Attempt(false);
    run.on_event = nullptr;
    if (!stopped.ok()) {
      const auto result = run.Attempt(true);
      ASSERT_TRUE(result.ok()) << result.status();
    }
    ExpectSame(run);
  }
}

TEST_F(Resume, RepeatsAnInterruptedEvaluation) {
  TrainingRun run(kConfig);
  CancelToken cancel;
  run.on_validation = [&] { cancel.Cancel(); };
  ASSERT_EQ(run.Attempt(false, &cancel).status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(run.sink.Epochs(), IsEmpty());
  run.on_validation = nullptr;
  ASSERT_TRUE(run.Attempt(true).ok());
  EXPECT_EQ(run.sink.started.step(), 3);
  EXPECT_EQ(Epochs(run), Epochs(Uninterrupted()));
  ExpectSame(run);
}

TEST_F(Resume, StartsAnewWithoutACheckpoint) {
  TrainingRun run(kConfig);
  ASSERT_TRUE(run.Attempt(/*resume=*/true).ok());
  EXPECT_EQ(run.sink.started.step(), 0);
  ExpectSame(run);
}

TEST_F(Resume, AnswersAFinishedJobsModelAgain) {
  TrainingRun run(kConfig);
  const auto first = run.Attempt(false);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = run.Attempt(true);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->staged_folder(), first->staged_folder());
  EXPECT_THAT(run.sink.steps, IsEmpty());
}

TEST_F(Resume, WithoutItForgetsWhatWasThere) {
  TrainingRun run(kConfig);
  ASSERT_TRUE(run.Attempt(false).ok());
  ASSERT_TRUE(run.Attempt(false).ok());
  EXPECT_THAT(run.sink.steps, SizeIs(kSteps));
}

// Cancels a run after its first epoch.
void RunOneEpoch(TrainingRun& run) {
  CancelToken cancel;
  run.on_step = [&](const StepRecord& record) {
    if (record.step == 3) cancel.Cancel();
    return absl::OkStatus();
  };
  ASSERT_EQ(run.Attempt(false, &cancel).status().code(), absl::StatusCode::kCancelled);
  run.on_step = nullptr;
}

TEST_F(Resume, SkipsADamagedCheckpointAndSaysSo) {
  TrainingRun run(kConfig);
  RunOneEpoch(run);
  const std::string data = run.folder() + "/checkpoints/step-000000000004/data";
  std::string bytes = *FileSystem::Real()->Read(data);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(data, bytes).ok());
  const auto result = run.Attempt(true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(run.sink.started.step(), 3);
  EXPECT_THAT(run.sink.Notes(), ElementsAre(HasSubstr("skipped a checkpoint")));
  ExpectSame(run);
}

// Every kind of augmentation is a function of (seed, step, example), and how batches are loaded
// matters to nothing.
TEST_F(Resume, GivesTheSameLossesWithRichAugmentationAndAnotherLoader) {
  const char config[] =
      "mlp { hidden: 8 } batch_size: 8 epochs: 2 augmentation { alternating_flip: true "
      "random_resized_crop {} rotation {} color_jitter { brightness: 0.3 } gaussian_blur {} "
      "gaussian_noise {} rand_augment {} random_erasing {} cutout {} } mixup {} cutmix {}";
  TrainingRun whole(config), run(config);
  ASSERT_TRUE(whole.Attempt(false).ok());
  RunOneEpoch(run);
  run.job.mutable_config()->set_cache_bytes(1);
  run.job.mutable_config()->set_loader_threads(3);
  run.job.mutable_config()->set_prefetch_batches(5);
  const auto result = run.Attempt(true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(run.sink.started.step(), 0);
  EXPECT_EQ(run.losses, whole.losses);
}

TEST_F(Resume, RefusesTheCheckpointOfAnotherJobConfigurationOrRevision) {
  TrainingRun run(kConfig);
  RunOneEpoch(run);
  const v1::TrainerJob job = run.job;
  run.job.set_job_id("job-2");
  EXPECT_EQ(run.Attempt(true).status().code(), absl::StatusCode::kFailedPrecondition);
  run.job = job;
  run.job.set_dataset_revision(2);
  EXPECT_EQ(run.Attempt(true).status().code(), absl::StatusCode::kFailedPrecondition);
  run.job = job;
  run.job.mutable_config()->set_seed(2);
  EXPECT_EQ(run.Attempt(true).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(Resume, UsesTheRecordedExecutionAndSaysWhenItCannot) {
  TrainingRun run(kConfig);
  RunOneEpoch(run);
  v1::Execution recorded = run.sink.started.execution();
  recorded.set_cpu_model("Elbrus-8S");
  *run.job.mutable_execution() = recorded;
  ASSERT_TRUE(run.Attempt(true).ok());
  EXPECT_EQ(run.sink.started.execution().cpu_model(), "Elbrus-8S");
  EXPECT_THAT(run.sink.Notes(), ElementsAre(HasSubstr("Elbrus-8S")));
}

// ---- A full disk, and a crash at any change of the disk.

using testing::FaultyFileSystem;

void GoOnAfter(FaultyFileSystem::Fault fault, absl::StatusCode code,
               const std::function<void(TrainingRun&)>& expect_same) {
  bool finished = false;
  for (int change = 1; !finished; ++change) {
    SCOPED_TRACE(change);
    ASSERT_LT(change, 100);
    TrainingRun run(kConfig);
    FaultyFileSystem disk;
    disk.FailFrom(change, fault);
    run.files = &disk;
    const auto stopped = run.Attempt(false);
    finished = stopped.ok() && disk.changes() < change;
    if (!stopped.ok()) {
      EXPECT_EQ(stopped.status().code(), code) << stopped.status();
      run.files = FileSystem::Real();
      const auto result = run.Attempt(true);
      ASSERT_TRUE(result.ok()) << result.status();
    }
    expect_same(run);
    EXPECT_FALSE(FileSystem::Real()->Exists(run.folder() + "/checkpoints"));
  }
}

TEST_F(Resume, GoesOnAfterAFullDiskWhereverItWasFull) {
  GoOnAfter(FaultyFileSystem::Fault::kFullDisk, absl::StatusCode::kResourceExhausted,
            [](TrainingRun& run) { ExpectSame(run); });
}

TEST_F(Resume, GoesOnAfterACrashAtAnyChangeOfTheDisk) {
  GoOnAfter(FaultyFileSystem::Fault::kCrash, absl::StatusCode::kInternal,
            [](TrainingRun& run) { ExpectSame(run); });
}

}  // namespace
}  // namespace fovea
