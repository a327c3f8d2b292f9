// What the trainer makes of sampling, tuned thresholds and open-set rejection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/model/format.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing::TrainingRun;

v1::ModelManifest Train(TrainingRun& run) {
  const auto result = run.Attempt(/*resume=*/false);
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  const auto model = ReadModel(FileSystem::Real(), result->staged_folder());
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? model->manifest : v1::ModelManifest();
}

TEST(TrainerDecisions, StoresTunedThresholdsAndMeasuresWithThem) {
  // Too few steps to be sure of anything: tuned thresholds are far from 0.5.
  const std::string config = "mlp { hidden: 8 } batch_size: 8 epochs: 1 learning_rate: 0.02 ";
  TrainingRun given(config, v1::TASK_MULTI_LABEL, /*validation=*/24, /*test=*/0);
  TrainingRun tuned(config + "tuned_thresholds { f1 {} }", v1::TASK_MULTI_LABEL, 24, 0);
  const v1::ModelManifest at_half = Train(given);
  const v1::ModelManifest manifest = Train(tuned);
  ASSERT_EQ(manifest.thresholds_size(), 3);
  double gained = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(manifest.report().labels(i).threshold(), manifest.thresholds(i));
    // Without a test split the report is of the validation split: tuning cannot have cost F1.
    gained += manifest.report().labels(i).f1() - at_half.report().labels(i).f1();
    EXPECT_GE(manifest.report().labels(i).f1(), at_half.report().labels(i).f1());
  }
  EXPECT_GT(gained, 0);
  EXPECT_EQ(tuned.losses, given.losses);
}

TEST(TrainerDecisions, SetsAnOpenSetRuleThatAcceptsTheShare) {
  for (const char* score : {"maximum_probability {}", "energy { temperature: 2 }"}) {
    SCOPED_TRACE(score);
    TrainingRun run(std::string("mlp { hidden: 8 } batch_size: 8 epochs: 2 learning_rate: 0.05 "
                                "open_set { accepted_share: 0.75 ") +
                        score + " }",
                    v1::TASK_SINGLE_LABEL, /*validation=*/24, /*test=*/0);
    const v1::ModelManifest manifest = Train(run);
    ASSERT_TRUE(manifest.has_open_set());
    EXPECT_EQ(manifest.open_set().accepted_share(), .75);
    const v1::SingleLabelMeasures& measures = manifest.report().measures().single_label();
    ASSERT_TRUE(measures.has_open_set());
    EXPECT_EQ(measures.open_set().coverage(), .75);
    EXPECT_EQ(measures.open_set().threshold(), manifest.open_set().threshold());
    EXPECT_TRUE(measures.open_set().has_accepted_accuracy());
  }
}

// Of 26 examples, labels 0 and 1 have 9, label 2 has 8.
TEST(TrainerDecisions, MakesEpochsOfWhatSamplingGives) {
  const struct {
    const char* sampling;
    size_t steps;  // of 4 examples
  } cases[] = {{"", 6},
               {"over_sampling {}", 6},
               {"under_sampling {}", 6},
               {"class_balanced_sampling { power: 0.5 }", 6}};
  std::vector<std::vector<double>> losses;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.sampling);
    TrainingRun run(std::string("mlp { hidden: 8 } batch_size: 4 epochs: 1 ") + c.sampling);
    Train(run);
    EXPECT_THAT(run.losses, SizeIs(c.steps));
    losses.push_back(run.losses);
  }
  for (size_t i = 0; i < losses.size(); ++i) {
    for (size_t k = 0; k < i; ++k) EXPECT_NE(losses[i], losses[k]) << i << " " << k;
  }
}

TEST(TrainerDecisions, ResumesSampledRunsBitForBit) {
  const char config[] =
      "mlp { hidden: 8 } batch_size: 4 epochs: 3 class_balanced_sampling { power: 0.5 }";
  TrainingRun whole(config);
  ASSERT_TRUE(whole.Attempt(false).ok());
  TrainingRun broken(config);
  CancelToken cancel;
  broken.on_step = [&](const StepRecord& record) {
    if (record.step == 8) cancel.Cancel();
    return absl::OkStatus();
  };
  EXPECT_EQ(broken.Attempt(false, &cancel).status().code(), absl::StatusCode::kCancelled);
  ASSERT_THAT(broken.losses, SizeIs(9));
  broken.on_step = nullptr;
  ASSERT_TRUE(broken.Attempt(true).ok());
  EXPECT_EQ(broken.losses, whole.losses);
}

TEST(TrainerDecisions, AugmentsFrequentClassesLess) {
  const std::string config =
      "mlp { hidden: 8 } batch_size: 4 epochs: 1 augmentation { horizontal_flip: 1 } ";
  TrainingRun all(config), same(config + "common_class_augmentation: 1"),
      rare(config + "common_class_augmentation: 0");
  for (TrainingRun* run : {&all, &same, &rare}) Train(*run);
  EXPECT_EQ(same.losses, all.losses);
  EXPECT_NE(rare.losses, all.losses);
}

// Four of the 26 examples have no label and make the smallest class: an epoch is at most 16 long.
TEST(TrainerDecisions, SaysWhenAnEpochIsTooShort) {
  TrainingRun run("mlp { hidden: 8 } batch_size: 26 epochs: 1 under_sampling {}",
                  v1::TASK_MULTI_LABEL);
  const auto result = run.Attempt(false);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("config.sampling"));
}

}  // namespace
}  // namespace fovea
