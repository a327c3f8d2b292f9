#include "core/train/config.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/train/optimizer.h"
#include "core/train/recipe.h"
#include "tests/core/train/config_testing.h"

namespace fovea {
namespace {

using testing::Digits;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

DatasetStatistics Scenes() {
  DatasetStatistics data = Digits();
  data.task = Task::kMultiLabel;
  return data;
}

std::map<std::string, std::string> ValuesOf(const CompleteConfig& complete) {
  std::map<std::string, std::string> values;
  for (const v1::Choice& choice : complete.choices) {
    EXPECT_NE(choice.reason(), "") << choice.name();
    EXPECT_TRUE(values.emplace(choice.name(), choice.value()).second) << choice.name();
  }
  return values;
}

TEST(Config, CompletesAnEmptyOneAndSaysWhy) {
  const auto complete = Complete({}, Digits(), 2);
  ASSERT_TRUE(complete.ok()) << complete.status();
  const std::map<std::string, std::string> expected = {
      {"config.task", "TASK_SINGLE_LABEL"},
      {"config.input.width", "28"},
      {"config.input.height", "28"},
      {"config.input.channels", "1"},
      {"config.granularity", "GRANULARITY_ORDINARY"},
      {"config.architecture.net", "resnet8"},
      {"config.initializer", "INITIALIZER_BY_LAYER"},
      {"config.batch_size", "64"},
      {"config.epochs", "20"},
      {"config.seed", "1"},
      {"config.loss", "cross_entropy"},
      {"config.optimizer", "sgd"},
      {"config.optimizer.sgd.momentum", "0.9"},
      {"config.learning_rate", "0.05"},
      {"config.schedule", "cosine"},
      {"config.schedule.cosine.final_factor", "0"},
      {"config.warmup_epochs", "1"},
      {"config.best_measure", "accuracy"},
      {"config.weight_decay", "0.0005"},
      {"config.augmentation.pad_and_crop_pixels", "3"},
      {"config.augmentation.border", "BORDER_BLACK"},
      {"config.cache_bytes", "1073741824"},
      {"config.loader_threads", "1"},
      {"config.prefetch_batches", "2"},
      {"config.dropout", "0"},
      {"config.backend", "BACKEND_CPU"},
      {"config.width", "2"},
      {"config.precision", "PRECISION_FP32"},
      {"config.layout_plan", "LAYOUT_PLAN_BLOCKED_WINOGRAD"},
      {"config.storage", "STORAGE_FP32"},
      {"config.serving.precision", "SERVED_PRECISION_FP32"},
  };
  EXPECT_EQ(ValuesOf(*complete), expected);
}

TEST(Config, LeavesACompleteOneAlone) {
  for (const DatasetStatistics& data : {Digits(), Scenes()}) {
    for (const char* text :
         {"", "net: \"mlp\" adam {} step {}", "mlp { hidden: 8 } constant {}",
          "exponential {} early_stopping {}", "multi_step {}", "multi_step {} epochs: 1",
          "initializer: INITIALIZER_CONSTANT stochastic_depth: 0.1 zero_last_gamma: true",
          "net_text: \"conv 8\"", "cosine_restarts {}", "polynomial {}", "one_cycle {}",
          "reduce_on_plateau {}",
          "augmentation { random_resized_crop {} rotation {} affine {} color_jitter {} "
          "gaussian_blur {} gaussian_noise {} rand_augment {} random_erasing {} cutout {} } "
          "mixup {} cutmix {}"}) {
      const auto once = Complete(testing::ParseConfig(text), data, 2);
      ASSERT_TRUE(once.ok()) << once.status();
      const auto twice = Complete(once->config, data, 7);
      ASSERT_TRUE(twice.ok()) << twice.status();
      EXPECT_THAT(twice->choices, IsEmpty());
      EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(once->config, twice->config));
    }
  }
}

TEST(Config, LearnsMoreSlowlyWithoutBatchNorm) {
  for (const char* net :
       {"net: \"lenet\"", "net: \"mlp\"", "mlp { hidden: 8 }", "net_text: \"conv 8\""}) {
    const auto complete = Complete(testing::ParseConfig(net), Digits(), 1);
    ASSERT_TRUE(complete.ok()) << complete.status();
    EXPECT_EQ(complete->config.learning_rate(), 0.01) << net;
  }
}

struct InputCase {
  const char* what;
  int median_width, median_height;
  std::map<int, int64_t> images_by_channels;
  const char* config;
  uint32_t width, height, channels;
  const char* net;
};

TEST(Config, SizesTheInputToTheDataSet) {
  const InputCase cases[] = {
      {"the median", 32, 24, {{3, 1000}}, "", 32, 24, 3, "resnet8"},
      {"at most 224, scaled alike", 640, 480, {{3, 1000}}, "", 224, 168, 3, "resnet18"},
      {"portrait", 300, 600, {{3, 1000}}, "", 112, 224, 3, "resnet18"},
      {"both kinds of channels", 28, 28, {{1, 900}, {3, 100}}, "", 28, 28, 3, "resnet8"},
      {"one side given", 640, 480, {{1, 1000}}, "input { width: 64 }", 64, 48, 1, "resnet8"},
      {"both given",
       640,
       480,
       {{1, 1000}},
       "input { width: 96 height: 100 channels: 3 }",
       96,
       100,
       3,
       "resnet18"},
      {"never nothing", 1000, 1, {{1, 1000}}, "net: \"mlp\"", 224, 1, 1, ""},
  };
  for (const InputCase& c : cases) {
    SCOPED_TRACE(c.what);
    DatasetStatistics data = Digits();
    data.width.median = c.median_width;
    data.height.median = c.median_height;
    data.images_by_channels = c.images_by_channels;
    const auto complete = Complete(testing::ParseConfig(c.config), data, 1);
    ASSERT_TRUE(complete.ok()) << complete.status();
    EXPECT_EQ(complete->config.input().width(), c.width);
    EXPECT_EQ(complete->config.input().height(), c.height);
    EXPECT_EQ(complete->config.input().channels(), c.channels);
    EXPECT_EQ(complete->config.net(), c.net);
  }
}

TEST(Config, SaysWhichLineOfANetTextIsWrong) {
  std::vector<FieldViolation> violations;
  EXPECT_FALSE(Complete(testing::ParseConfig("net_text: \"conv 8\\nrelu\\nconf 8\""), Digits(), 1,
                        &violations)
                   .ok());
  ASSERT_EQ(violations.size(), 1);
  EXPECT_EQ(violations[0].field, "config.architecture.net_text");
  EXPECT_THAT(violations[0].description, HasSubstr("line 3: unknown layer \"conf\"; known are"));
}

TEST(Config, TurnsInitialisationIntoTheNetsOptions) {
  const auto complete =
      Complete(testing::ParseConfig("initializer: INITIALIZER_ORTHOGONAL stochastic_depth: 0.25 "
                                    "zero_last_gamma: true"),
               Digits(), 1);
  ASSERT_TRUE(complete.ok()) << complete.status();
  const NetOptions options = NetOptionsOf(complete->config, 10);
  ASSERT_TRUE(options.weights.has_value());
  EXPECT_EQ(options.weights->kind, fovea::Initializer::Kind::kOrthogonal);
  EXPECT_EQ(options.stochastic_depth, 0.25f);
  EXPECT_TRUE(options.zero_last_gamma);
  const auto constant =
      Complete(testing::ParseConfig("initializer: INITIALIZER_CONSTANT"), Digits(), 1);
  ASSERT_TRUE(constant.ok()) << constant.status();
  EXPECT_EQ(NetOptionsOf(constant->config, 10).weights->value, 0.01f);
  const auto plain = Complete({}, Digits(), 1);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_FALSE(NetOptionsOf(plain->config, 10).weights.has_value());
}

TEST(Config, RefusesInitialisationsThatDoNotFit) {
  const std::map<std::string, std::string> cases = {
      {"initial_constant: 1", "config.initial_constant"},
      {"initializer: INITIALIZER_CONSTANT initial_constant: inf", "config.initial_constant"},
      {"stochastic_depth: 1", "config.stochastic_depth"},
      {"stochastic_depth: nan", "config.stochastic_depth"},
      {"net: \"lenet\" stochastic_depth: 0.1", "config.stochastic_depth"},
      {"net: \"lenet\" zero_last_gamma: true", "config.zero_last_gamma"},
  };
  for (const auto& [text, field] : cases) {
    std::vector<FieldViolation> violations;
    EXPECT_FALSE(Complete(testing::ParseConfig(text), Digits(), 1, &violations).ok()) << text;
    ASSERT_EQ(violations.size(), 1) << text;
    EXPECT_EQ(violations[0].field, field);
  }
}

TEST(Config, FollowsWhatIsGiven) {
  DatasetStatistics data = Digits();
  data.images = {40, 10, 0};
  const auto complete =
      Complete(testing::ParseConfig("net: \"mlp\" adam {} step {} epochs: 4"), data, 1);
  ASSERT_TRUE(complete.ok()) << complete.status();
  const std::map<std::string, std::string> values = ValuesOf(*complete);
  EXPECT_EQ(values.at("config.architecture.mlp.hidden"), "256, 128");
  EXPECT_EQ(values.at("config.batch_size"), "40");
  EXPECT_EQ(values.at("config.learning_rate"), "0.001");
  EXPECT_EQ(values.at("config.optimizer.adam.epsilon"), "1e-08");
  EXPECT_EQ(values.at("config.schedule.step.every_epochs"), "2");
  EXPECT_EQ(values.at("config.warmup_epochs"), "0.4");
  EXPECT_EQ(values.count("config.architecture.net"), 0);
  EXPECT_EQ(values.count("config.epochs"), 0);
}

TEST(Config, FitsSchedulesToTheLengthOfTheTraining) {
  // 800 images in batches of 64: 12 steps an epoch.
  const auto values = [](const char* config) {
    const auto complete = Complete(testing::ParseConfig(config), Digits(), 1);
    EXPECT_TRUE(complete.ok()) << complete.status();
    return ValuesOf(*complete);
  };
  // 240 steps * ln(0.96) / ln(0.01) = 2.13.
  EXPECT_EQ(values("exponential {}").at("config.schedule.exponential.decay_steps"), "2");
  EXPECT_EQ(values("exponential { decay_rate: 0.1 }").at("config.schedule.exponential.decay_steps"),
            "120");
  EXPECT_EQ(values("multi_step {}").at("config.schedule.multi_step.epochs"), "10, 15");
  EXPECT_EQ(values("multi_step {} epochs: 2").at("config.schedule.multi_step.epochs"), "1");
  EXPECT_EQ(values("multi_step {} epochs: 1").count("config.schedule.multi_step.epochs"), 0);
  EXPECT_EQ(values("cosine_restarts {} epochs: 15")
                .at("config.schedule.cosine_restarts.first_period_epochs"),
            "2");
  EXPECT_EQ(values("one_cycle {}").at("config.warmup_epochs"), "0");
  EXPECT_EQ(values("reduce_on_plateau {}").at("config.schedule.reduce_on_plateau.patience"), "2");
  EXPECT_EQ(values("early_stopping {}").at("config.early_stopping.patience"), "4");
}

TEST(Config, RefusesToJudgeEpochsWithoutValidationImages) {
  DatasetStatistics data = Digits();
  data.images = {800, 0, 200};
  const auto plain = Complete({}, data, 1);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->config.best_measure(), "");
  for (const char* config :
       {"early_stopping {}", "reduce_on_plateau {}", "best_measure: \"log_loss\""}) {
    std::vector<FieldViolation> violations;
    EXPECT_FALSE(Complete(testing::ParseConfig(config), data, 1, &violations).ok());
    ASSERT_EQ(violations.size(), 1) << config;
    EXPECT_THAT(violations[0].description, HasSubstr("found a data set without validation images"));
  }
}

TEST(Config, ChoosesThresholdsAndALargerRateForMultiLabelOnly) {
  const auto scenes = Complete({}, Scenes(), 1);
  ASSERT_TRUE(scenes.ok()) << scenes.status();
  EXPECT_EQ(scenes->config.task(), v1::TASK_MULTI_LABEL);
  EXPECT_EQ(ValuesOf(*scenes).at("config.thresholding.thresholds.every_label"), "0.5");
  // Ten labels, whose losses are averaged.
  EXPECT_EQ(ValuesOf(*scenes).at("config.learning_rate"), "0.5");
  const auto digits = Complete({}, Digits(), 1);
  ASSERT_TRUE(digits.ok()) << digits.status();
  EXPECT_FALSE(digits->config.has_thresholds());
}

TEST(Config, ChoosesThePlanAndTheBackendByPrecision) {
  const auto half = Complete(testing::ParseConfig("precision: PRECISION_BF16"), Digits(), 1);
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(half->config.layout_plan(), v1::LAYOUT_PLAN_BLOCKED_WINOGRAD);
  EXPECT_EQ(half->config.backend(), v1::BACKEND_CPU);
  const auto twice = Complete(testing::ParseConfig("precision: PRECISION_FP64"), Digits(), 1);
  ASSERT_TRUE(twice.ok()) << twice.status();
  EXPECT_EQ(twice->config.backend(), v1::BACKEND_REFERENCE);
  EXPECT_EQ(ValuesOf(*twice).count("config.layout_plan"), 0);
}

struct WrongCase {
  const char* config;
  const char* field;        // without "config."
  const char* description;  // a part of it
};

TEST(Config, NamesTheFieldTheFoundAndTheExpectedOfEveryViolation) {
  const WrongCase cases[] = {
      {"task: TASK_MULTI_LABEL", "task", "found TASK_MULTI_LABEL, expected TASK_SINGLE_LABEL"},
      {"net: \"lenett\"", "architecture.net", "found \"lenett\", expected one of mlp, lenet"},
      {"mlp { hidden: [8, 0] }", "architecture.mlp.hidden[1]", "found 0, expected 1 to 65536"},
      {"net: \"lenet\" input { width: 8 height: 8 }", "architecture.net", "too small"},
      {"input { width: 0 }", "input.width", "found 0, expected 1 to 1024"},
      {"input { height: 4000 width: 28 }", "input.height", "found 4000, expected 1 to 1024"},
      {"input { channels: 2 }", "input.channels", "found 2, expected 1 (grey) or 3 (RGB)"},
      {"batch_size: 0", "batch_size", "found 0, expected 1 to 4096"},
      {"batch_size: 1000000", "batch_size", "found 1000000, expected 1 to 4096"},
      {"batch_size: 801", "batch_size", "expected at most 800"},
      {"epochs: 0 warmup_epochs: 0", "epochs", "found 0, expected 1 to 100000"},
      {"learning_rate: -0.1", "learning_rate", "found -0.1, expected a finite number > 0"},
      {"learning_rate: 0", "learning_rate", "found 0"},
      {"learning_rate: nan", "learning_rate", "found nan"},
      {"learning_rate: inf", "learning_rate", "found inf"},
      {"learning_rate: 1e300", "learning_rate", "found 1e+300"},
      {"sgd { momentum: 1 }", "optimizer.sgd.momentum", "found 1, expected a number in [0, 1)"},
      {"sgd { momentum: 0 nesterov: true }", "optimizer.sgd.nesterov", "a momentum > 0"},
      {"adam { beta1: 1 }", "optimizer.adam.beta1", "found 1"},
      {"adam { beta2: -1 }", "optimizer.adam.beta2", "found -1"},
      {"adam { epsilon: 0 }", "optimizer.adam.epsilon", "found 0"},
      {"cosine { final_factor: 2 }", "schedule.cosine.final_factor", "found 2"},
      {"step { every_epochs: 0 }", "schedule.step.every_epochs", "found 0"},
      {"step { gamma: 0 }", "schedule.step.gamma", "expected a number in (0, 1]"},
      {"exponential { decay_rate: 1.5 }", "schedule.exponential.decay_rate", "found 1.5"},
      {"exponential { decay_steps: 0 }", "schedule.exponential.decay_steps", "found 0"},
      {"multi_step { epochs: [2, 2] }", "schedule.multi_step.epochs[1]",
       "found 2, expected above 2 and below 20, the epochs"},
      {"multi_step { epochs: 20 }", "schedule.multi_step.epochs[0]", "found 20"},
      {"multi_step { gamma: 0 }", "schedule.multi_step.gamma", "found 0"},
      {"cosine_restarts { first_period_epochs: 0 }", "schedule.cosine_restarts.first_period_epochs",
       "found 0, expected a finite number > 0"},
      {"cosine_restarts { multiplier: 0 }", "schedule.cosine_restarts.multiplier", "found 0"},
      {"cosine_restarts { final_factor: -1 }", "schedule.cosine_restarts.final_factor", "found -1"},
      {"polynomial { power: 0 }", "schedule.polynomial.power", "found 0"},
      {"polynomial { end_factor: 2 }", "schedule.polynomial.end_factor", "found 2"},
      {"one_cycle { peak_position: 1.5 }", "schedule.one_cycle.peak_position", "found 1.5"},
      {"one_cycle { start_divisor: 0.5 }", "schedule.one_cycle.start_divisor",
       "found 0.5, expected a finite number of at least 1"},
      {"one_cycle { final_divisor: nan }", "schedule.one_cycle.final_divisor", "found nan"},
      {"reduce_on_plateau { factor: 1 }", "schedule.reduce_on_plateau.factor",
       "found 1, expected a number in (0, 1)"},
      {"reduce_on_plateau { patience: 0 }", "schedule.reduce_on_plateau.patience", "found 0"},
      {"reduce_on_plateau { min_delta: -1 }", "schedule.reduce_on_plateau.min_delta", "found -1"},
      {"reduce_on_plateau { min_factor: 2 }", "schedule.reduce_on_plateau.min_factor", "found 2"},
      {"best_measure: \"hamming_loss\"", "best_measure",
       "found \"hamming_loss\", expected one of accuracy, balanced_accuracy, macro_f1"},
      {"early_stopping { patience: 0 }", "early_stopping.patience", "found 0"},
      {"early_stopping { min_delta: inf }", "early_stopping.min_delta", "found inf"},
      {"warmup_epochs: 21", "warmup_epochs", "found 21, expected a number in [0, 20]"},
      {"weight_decay: -1", "weight_decay", "found -1, expected a number in [0, 1]"},
      {"class_weights { by_label { key: \"x\" value: 1 } }",
       "class_weighting.class_weights.by_label", "found the label \"x\""},
      {"class_weights { by_label { key: \"3\" value: -1 } }",
       "class_weighting.class_weights.by_label[\"3\"]", "found -1"},
      {"augmentation { pad_and_crop_pixels: 15 }", "augmentation.pad_and_crop_pixels",
       "found 15, expected at most 14"},
      {"augmentation { horizontal_flip: 1.5 }", "augmentation.horizontal_flip", "found 1.5"},
      {"augmentation { vertical_flip: -1 }", "augmentation.vertical_flip", "found -1"},
      {"dropout: 1", "dropout", "found 1, expected a number in [0, 1)"},
      {"thresholds {}", "thresholding.thresholds", "single-label"},
      {"width: 0", "width", "found 0, expected 1 to 1024"},
      {"precision: PRECISION_FP64 backend: BACKEND_CPU", "precision", "or BACKEND_REFERENCE"},
      {"precision: PRECISION_BF16 backend: BACKEND_REFERENCE", "precision", "or BACKEND_CPU"},
      {"serving { precision: SERVED_PRECISION_BF16 } backend: BACKEND_REFERENCE",
       "serving.precision", "or BACKEND_CPU"},
      {"serving { precision: SERVED_PRECISION_AUTO max_loss: -1 }", "serving.max_loss",
       "a finite number of at least 0"},
      {"serving { precision: SERVED_PRECISION_INT8 calibration { share: 1.5 } }",
       "serving.calibration.share", "more than 0 and at most 1"},
      {"backend: BACKEND_REFERENCE layout_plan: LAYOUT_PLAN_NHWC", "layout_plan",
       "found LAYOUT_PLAN_NHWC, expected none on BACKEND_REFERENCE"},
  };
  for (const WrongCase& c : cases) {
    SCOPED_TRACE(c.config);
    std::vector<FieldViolation> violations;
    const auto complete = Complete(testing::ParseConfig(c.config), Digits(), 1, &violations);
    EXPECT_EQ(complete.status().code(), absl::StatusCode::kInvalidArgument);
    ASSERT_EQ(violations.size(), 1) << complete.status();
    EXPECT_EQ(violations[0].field, std::string("config.") + c.field);
    EXPECT_THAT(violations[0].description, HasSubstr(c.description));
    EXPECT_THAT(std::string(complete.status().message()), HasSubstr(violations[0].field));
  }
}

TEST(Config, FindsEveryViolationAtOnce) {
  std::vector<FieldViolation> violations;
  const auto complete = Complete(
      testing::ParseConfig("net: \"vgg\" learning_rate: -1 batch_size: 0 "
                           "thresholds { every_label: 2 by_label { key: \"3\" value: -1 } }"),
      Scenes(), 1, &violations);
  EXPECT_EQ(complete.status().code(), absl::StatusCode::kInvalidArgument);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : violations) fields.push_back(violation.field);
  EXPECT_THAT(fields, UnorderedElementsAre("config.architecture.net", "config.learning_rate",
                                           "config.batch_size",
                                           "config.thresholding.thresholds.every_label",
                                           "config.thresholding.thresholds.by_label[\"3\"]"));
}

TEST(Config, RefusesEveryLabelAtWeightZero) {
  v1::TrainingConfig config;
  for (int i = 0; i < 10; ++i) {
    (*config.mutable_class_weights()->mutable_by_label())[std::to_string(i)] = 0;
  }
  EXPECT_EQ(Complete(config, Digits(), 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Config, RefusesADataSetThatCannotBeTrainedOn) {
  DatasetStatistics one_class = Digits();
  one_class.labels.resize(1);
  DatasetStatistics empty;
  DatasetStatistics no_training = Digits();
  no_training.images = {0, 100, 100};
  for (LabelCounts& label : no_training.labels) label.images = {0, 10, 10};
  DatasetStatistics no_measuring = Digits();
  no_measuring.images = {800, 0, 0};
  for (const DatasetStatistics& data : {one_class, empty, no_training, no_measuring}) {
    const auto complete = Complete({}, data, 1);
    EXPECT_EQ(complete.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(complete.status().message(), "");
  }
}

TEST(Recipe, TurnsAConfigurationIntoParts) {
  const auto complete =
      Complete(testing::ParseConfig("adam { beta1: 0.8 } weight_decay: 0.25 "
                                    "class_weights { by_label { key: \"1\" value: 3 } } "
                                    "thresholds { by_label { key: \"2\" value: 0.25 } }"),
               Scenes(), 1);
  ASSERT_TRUE(complete.ok()) << complete.status();
  const std::vector<std::string> labels = {"0", "1", "2"};
  const TrainingGraphOptions options = TrainingGraphOptionsOf(complete->config, labels);
  EXPECT_EQ(options.loss, Loss(SigmoidCrossEntropy{}));
  EXPECT_THAT(options.class_weights, ElementsAre(1, 3, 1));
  ASSERT_TRUE(std::holds_alternative<Adam>(options.update));
  EXPECT_EQ(std::get<Adam>(options.update).beta1, .8f);
  EXPECT_EQ(std::get<Adam>(options.update).terms.weight_decay, .25f);
  EXPECT_THAT(ThresholdsOf(complete->config, labels), ElementsAre(.5, .5, .25));
  EXPECT_EQ(PixelShapeOf(complete->config), (PixelShape{28, 28, 1}));
  EXPECT_EQ(AugmentOptionsOf(complete->config).crop.pad_pixels, 3);
  EXPECT_EQ(NetOptionsOf(complete->config, 3).name, "resnet8");
}

}  // namespace
}  // namespace fovea
