// A training that begins with a model: what it takes from it, and what stays as it was.
#include "core/train/fine_tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/model/format.h"
#include "core/nets/freeze.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing::TrainingRun;

Model ReadResult(const TrainingRun& run) {
  auto model = ReadModel(FileSystem::Real(), run.folder() + "/model");
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

// A net with batch norm, trained on bars with one label each.
class FineTune : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    start_ = new TrainingRun("net: \"resnet8\" batch_size: 8 epochs: 2 learning_rate: 0.05");
    const auto result = start_->Attempt(false);
    ASSERT_TRUE(result.ok()) << result.status();
  }
  static void TearDownTestSuite() { delete std::exchange(start_, nullptr); }
  static std::string StartFolder() { return start_->folder() + "/model"; }
  static const TrainingRun& Start() { return *start_; }

 private:
  inline static TrainingRun* start_ = nullptr;
};

// The body of the net is frozen, in part before and in part behind a layer that learns.
void ExpectFrozenValuesStay(const std::string& backend, const Model& start,
                            const std::string& start_folder) {
  TrainingRun run(absl::StrCat("fine_tune { freeze: \"conv1\" freeze: \"bn1\" freeze: \"layer2\" } "
                               "batch_size: 8 epochs: 2 learning_rate: 0.05 ",
                               backend),
                  v1::TASK_MULTI_LABEL, 12, 12, start_folder);
  const auto result = run.Attempt(false);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LT(run.losses.back(), run.losses.front());
  const Model tuned = ReadResult(run);
  EXPECT_EQ(tuned.values.size(), start.values.size());
  int frozen = 0, moved = 0;
  for (const auto& [name, value] : tuned.values) {
    const bool same = SameBits(value, start.values.at(name));
    if (IsUnder(name, "conv1") || IsUnder(name, "bn1") || IsUnder(name, "layer2")) {
      EXPECT_TRUE(same) << name;
      ++frozen;
    } else {
      EXPECT_FALSE(same) << name;
      ++moved;
    }
  }
  EXPECT_GE(frozen, 15);  // two blocks with batch norms and their statistics
  EXPECT_GE(moved, 15);
  ASSERT_THAT(run.sink.Notes(), SizeIs(1));
  EXPECT_THAT(run.sink.Notes()[0], HasSubstr("new are fc.weight, fc.bias; frozen are conv1, bn1"));
}

TEST_F(FineTune, LeavesFrozenLayersAndTheirStatisticsAlone) {
  const Model start = ReadResult(Start());
  ExpectFrozenValuesStay("backend: BACKEND_REFERENCE", start, StartFolder());
  ExpectFrozenValuesStay("backend: BACKEND_CPU", start, StartFolder());
}

TEST_F(FineTune, MultipliesTheRateOfALayerByItsFactor) {
  // Steps this small round to nothing; the longer of two prefixes counts.
  TrainingRun run(
      "fine_tune { learning_rate_factors { key: \"layer2\" value: 1e-30 } "
      "            learning_rate_factors { key: \"layer2.0.conv2\" value: 0.5 } } "
      "batch_size: 8 epochs: 1 learning_rate: 0.05",
      v1::TASK_SINGLE_LABEL, 12, 12, StartFolder());
  const auto result = run.Attempt(false);
  ASSERT_TRUE(result.ok()) << result.status();
  const Model start = ReadResult(Start()), tuned = ReadResult(run);
  EXPECT_TRUE(
      SameBits(tuned.values.at("layer2.0.conv1.weight"), start.values.at("layer2.0.conv1.weight")));
  for (const char* name : {"layer2.0.conv2.weight", "conv1.weight", "fc.weight"}) {
    EXPECT_FALSE(SameBits(tuned.values.at(name), start.values.at(name))) << name;
  }
}

TEST_F(FineTune, BeginsWhereTheModelEnded) {
  TrainingRun run(
      "fine_tune {} batch_size: 8 epochs: 1 learning_rate: 0.01 warmup_epochs: 0 seed: 7",
      v1::TASK_SINGLE_LABEL, 12, 12, StartFolder());
  ASSERT_TRUE(run.job.config().fine_tune().reuse_head());
  ASSERT_TRUE(run.Attempt(false).ok());
  // The loss of the first step is that of a net that has learned; one begun anew has log 3.
  EXPECT_LT(run.losses.front(), 0.8 * Start().losses.front());

  TrainingRun anew(
      "fine_tune { reuse_head: false } batch_size: 8 epochs: 1 learning_rate: 0.01 "
      "warmup_epochs: 0 seed: 7",
      v1::TASK_SINGLE_LABEL, 12, 12, StartFolder());
  ASSERT_TRUE(anew.Attempt(false).ok());
  EXPECT_NE(anew.losses.front(), run.losses.front());
}

TEST_F(FineTune, ResumesFromItsCheckpointWithoutTheModel) {
  const std::string config =
      "fine_tune { freeze: \"layer1\" } batch_size: 8 epochs: 2 learning_rate: 0.05";
  TrainingRun whole(config, v1::TASK_SINGLE_LABEL, 12, 12, StartFolder());
  ASSERT_TRUE(whole.Attempt(false).ok());
  TrainingRun run(config, v1::TASK_SINGLE_LABEL, 12, 12, StartFolder());
  CancelToken cancel;
  run.on_step = [&](const StepRecord& record) {
    if (record.step == 3) cancel.Cancel();
    return absl::OkStatus();
  };
  ASSERT_EQ(run.Attempt(false, &cancel).status().code(), absl::StatusCode::kCancelled);
  run.on_step = nullptr;
  run.job.set_start_folder("/nowhere");
  const auto result = run.Attempt(true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(run.losses, whole.losses);
  const Model expected = ReadResult(whole), found = ReadResult(run);
  for (const auto& [name, value] : found.values) {
    EXPECT_TRUE(SameBits(value, expected.values.at(name))) << name;
  }
}

TEST_F(FineTune, NeedsTheModelAndItsNet) {
  TrainingRun run("fine_tune {} batch_size: 8 epochs: 1", v1::TASK_SINGLE_LABEL, 12, 12,
                  StartFolder());
  run.job.set_start_folder("/nowhere");
  EXPECT_EQ(run.Attempt(false).status().code(), absl::StatusCode::kNotFound);
  // A configuration that was not held against the model.
  run.job.set_start_folder(StartFolder());
  run.job.mutable_config()->set_net("resnet20");
  const auto other = run.Attempt(false);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("expected"));
}

}  // namespace
}  // namespace fovea
