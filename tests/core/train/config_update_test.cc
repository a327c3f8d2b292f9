// Defaults and checks of the update: rule, rate, decays, clipping, averages, accumulation.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/train/config.h"
#include "core/train/optimizer.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

DatasetStatistics Digits(Task task = Task::kSingleLabel) {
  DatasetStatistics data;
  data.task = task;
  for (int i = 0; i < 10; ++i) data.labels.push_back({std::to_string(i), {80, 10, 10}});
  data.images = {800, 100, 100};
  data.width = data.height = {28, 28, 28};
  data.images_by_channels = {{1, 1000}};
  return data;
}

absl::StatusOr<CompleteConfig> CompleteText(const std::string& text,
                                            std::vector<FieldViolation>* violations = nullptr,
                                            Task task = Task::kSingleLabel) {
  v1::TrainingConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return Complete(config, Digits(task), 1, violations);
}

std::map<std::string, std::string> Choices(const std::string& text,
                                           Task task = Task::kSingleLabel) {
  const auto complete = CompleteText(text, nullptr, task);
  EXPECT_TRUE(complete.ok()) << text << ": " << complete.status();
  std::map<std::string, std::string> choices;
  if (!complete.ok()) return choices;
  for (const v1::Choice& choice : complete->choices) {
    EXPECT_NE(choice.reason(), "") << choice.name();
    choices[choice.name()] = choice.value();
  }
  const auto again = Complete(complete->config, Digits(task), 1);
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again.ok() && again->choices.empty()) << text;
  return choices;
}

Update UpdateFor(const std::string& text) {
  const auto complete = CompleteText(text);
  EXPECT_TRUE(complete.ok()) << complete.status();
  return UpdateOf(complete->config);
}

TEST(ConfigOptimizer, CompletesEveryRuleWithNumbersAndARate) {
  struct Case {
    const char* text;
    const char* rate;
    Update update;
  };
  const UpdateTerms l2 = {.weight_decay = 0.0005f};
  for (const Case& c : std::vector<Case>{
           {"sgd {}", "0.05", SgdMomentum{0.9f, false, l2}},
           {"adam {}", "0.001", Adam{0.9f, 0.999f, 1e-8f, l2}},
           {"adagrad {}", "0.01", Adagrad{0, 1e-10f, l2}},
           {"adagrad_da {}", "0.01", AdagradDa{0, 0, 0, l2}},
           {"adadelta {}", "1", Adadelta{0.95f, 1e-6f, l2}},
           {"rms_prop {}", "0.001", RmsProp{0.9f, 0, 1e-8f, false, l2}},
           {"adam_w {}", "0.001", Adam{0.9f, 0.999f, 1e-8f, {.decoupled_decay = 0.01f}}},
           {"ftrl {}", "0.01", Ftrl{-0.5f, 0, 0, 0, 0, 0, l2}},
           {"proximal_gradient_descent {}", "0.1", ProximalGradientDescent{0, 0, l2}},
           {"proximal_adagrad {}", "0.01", ProximalAdagrad{0, 0, 0, l2}},
           {"lion {}", "0.0001", Lion{0.9f, 0.99f, {.decoupled_decay = 0.1f}}}}) {
    EXPECT_THAT(Choices(c.text), Contains(Pair("config.learning_rate", c.rate))) << c.text;
    EXPECT_TRUE(UpdateFor(c.text) == c.update) << c.text;
  }
}

TEST(ConfigOptimizer, PassesEveryNumberOn) {
  const std::string off = " weight_decay: 0";
  EXPECT_TRUE(UpdateFor("adagrad_da { initial_accumulator: 1 l1: 2 l2: 3 }" + off) ==
              Update(AdagradDa{1, 2, 3}));
  EXPECT_TRUE(UpdateFor("rms_prop { decay: 0.5 momentum: 0.25 epsilon: 2 centered: true }" + off) ==
              Update(RmsProp{0.5f, 0.25f, 2, true}));
  EXPECT_TRUE(UpdateFor("ftrl { learning_rate_power: -1 initial_accumulator: 2 beta: 3 l1: 4 l2: 5 "
                        "l2_shrinkage: 6 }" +
                        off) == Update(Ftrl{-1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(UpdateFor("proximal_adagrad { initial_accumulator: 1 l1: 2 l2: 3 }" + off) ==
              Update(ProximalAdagrad{1, 2, 3}));
  EXPECT_TRUE(UpdateFor("proximal_gradient_descent { l1: 2 l2: 3 }" + off) ==
              Update(ProximalGradientDescent{2, 3}));
  EXPECT_TRUE(UpdateFor("adadelta { rho: 0.5 epsilon: 2 }" + off) == Update(Adadelta{0.5f, 2}));
  EXPECT_TRUE(UpdateFor("lion { beta1: 0.5 beta2: 0.25 } decoupled_weight_decay: 0" + off) ==
              Update(Lion{0.5f, 0.25f}));
  const UpdateTerms terms = {
      .weight_decay = 0.5f, .l1_decay = 0.25f, .decoupled_decay = 0.125f, .clip_value = 3};
  EXPECT_TRUE(UpdateFor("sgd { momentum: 0.5 } weight_decay: 0.5 l1_decay: 0.25 "
                        "decoupled_weight_decay: 0.125 clip_value: 3") ==
              Update(SgdMomentum{0.5f, false, terms}));
}

TEST(ConfigOptimizer, ScalesTheRateOfRulesThatFollowTheLoss) {
  for (const auto& [text, rate] : std::vector<std::pair<std::string, std::string>>{
           {"sgd {}", "0.5"}, {"proximal_gradient_descent {}", "1"}, {"rms_prop {}", "0.001"}}) {
    EXPECT_THAT(Choices(text, Task::kMultiLabel), Contains(Pair("config.learning_rate", rate)));
  }
}

TEST(ConfigOptimizer, KeepsTheRateOfDualAveragingConstant) {
  EXPECT_THAT(Choices("adagrad_da {}"), Contains(Pair("config.schedule", "constant")));
  EXPECT_THAT(Choices("ftrl {}"), Contains(Pair("config.schedule", "cosine")));
}

TEST(ConfigRegularization, HasOneWeightDecayByDefault) {
  EXPECT_THAT(Choices("lion {}"), Contains(Pair("config.weight_decay", "0")));
  EXPECT_THAT(Choices("decoupled_weight_decay: 0.1"), Contains(Pair("config.weight_decay", "0")));
  EXPECT_THAT(Choices("l1_decay: 0.1"), Contains(Pair("config.weight_decay", "0.0005")));
  EXPECT_THAT(Choices("average {}"), Contains(Pair("config.average.decay", "0.999")));
}

TEST(ConfigRegularization, CountsTheImagesOfAnUpdate) {
  const auto complete = CompleteText("accumulate_batches: 16");
  ASSERT_TRUE(complete.ok()) << complete.status();
  EXPECT_EQ(complete->config.batch_size(), 50);  // 16 · 50 are the 800 images there are
  EXPECT_EQ(ExamplesPerStep(complete->config), 800);
  const TrainingGraphOptions options =
      TrainingGraphOptionsOf(complete->config, std::vector<std::string>(10));
  EXPECT_EQ(options.accumulate, 16);
  EXPECT_EQ(options.clip_norm, 0);
}

TEST(ConfigUpdate, NamesWhatIsWrong) {
  for (const auto& [text, field, found, expected] :
       std::vector<std::tuple<std::string, std::string, std::string, std::string>>{
           {"adagrad { epsilon: 0 }", "optimizer.adagrad.epsilon", "0", "a finite number > 0"},
           {"adagrad { initial_accumulator: -1 }", "optimizer.adagrad.initial_accumulator", "-1",
            "a finite number >= 0"},
           {"ftrl { learning_rate_power: 0.5 }", "optimizer.ftrl.learning_rate_power", "0.5",
            "a finite number <= 0"},
           {"ftrl { l1: nan }", "optimizer.ftrl.l1", "nan", "a finite number >= 0"},
           {"rms_prop { momentum: 1 }", "optimizer.rms_prop.momentum", "1", "a number in [0, 1)"},
           {"lion { beta2: -0.5 }", "optimizer.lion.beta2", "-0.5", "a number in [0, 1)"},
           {"proximal_adagrad { l2: inf }", "optimizer.proximal_adagrad.l2", "inf",
            "a finite number >= 0"},
           {"l1_decay: 2", "l1_decay", "2", "a number in [0, 1]"},
           {"decoupled_weight_decay: -1", "decoupled_weight_decay", "-1", "a number in [0, 1]"},
           {"clip_value: 0", "clip_value", "0", "a finite number > 0"},
           {"clip_norm: -2", "clip_norm", "-2", "a finite number > 0"},
           {"average { decay: 1 }", "average.decay", "1", "a number in [0, 1)"},
           {"batch_size: 8 accumulate_batches: 0", "accumulate_batches", "0", "1 to 1024"},
           {"batch_size: 8 accumulate_batches: 101", "accumulate_batches", "101 batches of 8",
            "at most 800 images together, those of the training split"}}) {
    std::vector<FieldViolation> violations;
    ASSERT_FALSE(CompleteText(text, &violations).ok()) << text;
    ASSERT_EQ(violations.size(), 1u) << text;
    EXPECT_EQ(violations[0].field, "config." + field) << text;
    EXPECT_EQ(violations[0].description, "found " + found + ", expected " + expected) << text;
  }
  std::vector<FieldViolation> violations;
  ASSERT_FALSE(CompleteText("adagrad_da {} cosine {}", &violations).ok());
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "config.schedule");
}

}  // namespace
}  // namespace fovea
