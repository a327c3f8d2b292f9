// Every optimizer, with what regularises its update, in a whole training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/model/format.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::SizeIs;
using testing::TrainingRun;

struct Case {
  std::string name;
  std::string config;
};

// With their default rates but where six epochs of 3 steps are too few for it.
const Case kCases[] = {
    {"gradient_descent", "sgd { momentum: 0 } learning_rate: 0.1"},
    {"momentum", "sgd {}"},
    {"nesterov", "sgd { nesterov: true }"},
    {"adagrad", "adagrad {}"},
    {"adagrad_da", "adagrad_da {}"},
    {"adagrad_da_l1_l2", "adagrad_da { l1: 0.0001 l2: 0.0001 }"},
    {"adadelta", "adadelta {} learning_rate: 10"},
    {"rms_prop", "rms_prop {}"},
    {"rms_prop_centered", "rms_prop { centered: true momentum: 0.5 }"},
    {"adam", "adam {} learning_rate: 0.005"},
    {"adam_w", "adam_w {} learning_rate: 0.005"},
    {"ftrl", "ftrl { l1: 0.0001 l2: 0.0001 }"},
    {"ftrl_beta", "ftrl { beta: 1 initial_accumulator: 0.1 } learning_rate: 0.1"},
    {"proximal_gradient_descent", "proximal_gradient_descent { l1: 0.0001 l2: 0.0001 }"},
    {"proximal_adagrad", "proximal_adagrad { l1: 0.0001 }"},
    {"lion", "lion {} learning_rate: 0.002"},
    {"elastic_net", "l1_decay: 0.001 weight_decay: 0.001"},
    {"decoupled_decay", "decoupled_weight_decay: 0.1"},
    {"clipped", "clip_value: 0.2 clip_norm: 1 learning_rate: 0.03"},
    {"averaged", "average {}"},
    {"accumulated", "accumulate_batches: 2"},
    {"everything",
     "adagrad { initial_accumulator: 0.01 } l1_decay: 0.0001 decoupled_weight_decay: 0.01 "
     "clip_value: 1 clip_norm: 1 average { zero_debias: true } accumulate_batches: 2"},
};

class Optimizers : public ::testing::TestWithParam<Case> {};

TEST_P(Optimizers, LowerTheLossAlikeOnBothBackends) {
  const bool gathers = GetParam().config.find("accumulate_batches: 2") != std::string::npos;
  const std::string config = std::string("mlp { hidden: 16 } epochs: 6 batch_size: ") +
                             (gathers ? "4 " : "8 ") + GetParam().config;
  TrainingRun reference(config), cpu(config + " backend: BACKEND_CPU");
  const auto result = reference.Attempt(false);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_TRUE(cpu.Attempt(false).ok());
  ASSERT_THAT(reference.losses, SizeIs(18));
  EXPECT_LT(reference.losses.back(), 0.6 * reference.losses.front());
  for (size_t step = 0; step < 18; ++step) {
    EXPECT_NEAR(cpu.losses[step], reference.losses[step], 1e-3 * (1 + reference.losses[step]))
        << step;
  }
  const auto manifest = ReadManifest(FileSystem::Real(), result->staged_folder());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_GE(manifest->report().measures().single_label().accuracy(), 0.75);
}

INSTANTIATE_TEST_SUITE_P(Cases, Optimizers, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

std::string ModelBytes(const TrainingRun& run) {
  const auto bytes = FileSystem::Real()->Read(run.folder() + "/model/model.onnx");
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

TEST(Averages, ArePublishedAndLeaveTheTrainingAlone) {
  const std::string config = "net: \"resnet8\" batch_size: 8 epochs: 2 learning_rate: 0.05 ";
  TrainingRun plain(config), averaged(config + "average {}");
  ASSERT_TRUE(plain.Attempt(false).ok());
  ASSERT_TRUE(averaged.Attempt(false).ok());
  EXPECT_EQ(averaged.losses, plain.losses);
  EXPECT_NE(ModelBytes(averaged), ModelBytes(plain));
  EXPECT_NE(averaged.sink.Epochs()[0].validation().log_loss(),
            plain.sink.Epochs()[0].validation().log_loss());
}

// A decay of 0 averages over nothing: the evaluated weights are the last ones, by way of the
// shadow.
TEST(Averages, OfDecayZeroAreTheWeights) {
  const std::string config = "net: \"resnet8\" batch_size: 8 epochs: 1 learning_rate: 0.05 ";
  TrainingRun plain(config), averaged(config + "average { decay: 0 zero_debias: true }");
  ASSERT_TRUE(plain.Attempt(false).ok());
  ASSERT_TRUE(averaged.Attempt(false).ok());
  EXPECT_NEAR(averaged.sink.Epochs()[0].validation().log_loss(),
              plain.sink.Epochs()[0].validation().log_loss(), 1e-5);
}

TEST(Accumulation, CountsUpdatesAsSteps) {
  TrainingRun run("mlp { hidden: 8 } batch_size: 4 accumulate_batches: 3 epochs: 2");
  ASSERT_TRUE(run.Attempt(false).ok());
  EXPECT_EQ(run.sink.started.total_steps(), 4);  // 26 images make 2 updates of 12 an epoch
  for (const v1::JobEvent& event : run.sink.events) {
    if (event.has_progress() && event.progress().step() == 4) {
      EXPECT_EQ(event.progress().attempt_images(), 48);
    }
  }
}

}  // namespace
}  // namespace fovea
