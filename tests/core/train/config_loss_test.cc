// Losses and class weights of a configuration: defaults, violations, what they become.
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/train/config.h"
#include "core/train/losses.h"
#include "core/train/recipe.h"
#include "tests/core/train/config_testing.h"

namespace fovea {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// 130 pictures of 28 x 28 for training: 100 cats, 25 dogs, 5 owls; 30 more to measure.
DatasetStatistics Pets(Task task = Task::kSingleLabel) {
  DatasetStatistics data;
  data.task = task;
  data.labels = {{"cat", {100, 10, 0}}, {"dog", {25, 10, 0}}, {"owl", {5, 10, 0}}};
  data.images = {130, 30, 0};
  data.width = data.height = {28, 28, 28};
  data.images_by_channels = {{1, 160}};
  return data;
}

CompleteConfig CompleteOrDie(const std::string& text, Task task) {
  auto complete = Complete(testing::ParseConfig(text), Pets(task), 1);
  EXPECT_TRUE(complete.ok()) << text << ": " << complete.status();
  return *std::move(complete);
}

const v1::Choice* ChoiceOf(const CompleteConfig& complete, const std::string& name) {
  for (const v1::Choice& choice : complete.choices) {
    if (choice.name() == "config." + name) return &choice;
  }
  return nullptr;
}

TEST(LossConfig, FollowsFromTheTaskAndSaysSo) {
  const CompleteConfig single = CompleteOrDie("", Task::kSingleLabel);
  ASSERT_NE(ChoiceOf(single, "loss"), nullptr);
  EXPECT_EQ(ChoiceOf(single, "loss")->value(), "cross_entropy");
  EXPECT_EQ(ChoiceOf(single, "loss")->reason(), "single-label: softmax + cross-entropy");
  EXPECT_EQ(ChoiceOf(single, "multi_label_way"), nullptr);
  EXPECT_EQ(LossOf(single.config), Loss(SoftmaxCrossEntropy{}));
  const CompleteConfig multi = CompleteOrDie("", Task::kMultiLabel);
  ASSERT_NE(ChoiceOf(multi, "loss"), nullptr);
  EXPECT_EQ(ChoiceOf(multi, "loss")->reason(),
            "multi-label: sigmoid + binary cross-entropy per label");
  EXPECT_EQ(ChoiceOf(multi, "multi_label_way")->value(), "MULTI_LABEL_WAY_JOINT");
  EXPECT_EQ(LossOf(multi.config), Loss(SigmoidCrossEntropy{}));
}

TEST(LossConfig, FollowsFromBinaryAndRegressionTasks) {
  const struct {
    Task task;
    const char* reason;
    Loss loss;
  } cases[] = {
      {Task::kBinary, "binary: sigmoid + binary cross-entropy", SigmoidCrossEntropy{}},
      {Task::kRegression, "regression: no last activation + squared error", RegressionLoss{}},
      {Task::kUnitRegression, "regression in [0, 1]: sigmoid + binary cross-entropy",
       SigmoidCrossEntropy{}},
  };
  for (const auto& c : cases) {
    const CompleteConfig complete = CompleteOrDie("", c.task);
    ASSERT_NE(ChoiceOf(complete, "loss"), nullptr) << c.reason;
    EXPECT_EQ(ChoiceOf(complete, "loss")->reason(), c.reason);
    EXPECT_EQ(LossOf(complete.config), c.loss) << c.reason;
    EXPECT_EQ(ChoiceOf(complete, "multi_label_way"), nullptr) << c.reason;
  }
}

struct LossCase {
  const char* config;
  Task task;
  Loss loss;
};

TEST(LossConfig, BecomesTheLossOfTheTrainingGraph) {
  const LossCase cases[] = {
      {"label_smoothing: 0.125", Task::kSingleLabel, SoftmaxCrossEntropy{0.125f}},
      {"cross_entropy { clip_epsilon: 0.25 }", Task::kSingleLabel, SoftmaxCrossEntropy{0, 0.25f}},
      {"focal {}", Task::kSingleLabel, SoftmaxFocalLoss{0, 2}},
      {"focal { gamma: 0 } label_smoothing: 0.5", Task::kSingleLabel, SoftmaxFocalLoss{0.5f, 0}},
      {"cross_entropy { clip_epsilon: 0.25 } label_smoothing: 0.5", Task::kMultiLabel,
       SigmoidCrossEntropy{0.5f, 0.25f}},
      {"focal {}", Task::kMultiLabel, SigmoidFocalLoss{0, 2, 0.25f}},
      {"focal { gamma: 1 alpha: 0 }", Task::kMultiLabel, SigmoidFocalLoss{0, 1, 0}},
      {"asymmetric {}", Task::kMultiLabel, AsymmetricLoss{0, 0, 4, 0.05f}},
      {"asymmetric { gamma_plus: 1 gamma_minus: 0 margin: 0 }", Task::kMultiLabel,
       AsymmetricLoss{0, 1, 0, 0}},
      {"soft_hamming {} label_smoothing: 0.5", Task::kMultiLabel, SoftHammingLoss{0.5f}},
      {"squared_error {}", Task::kMultiLabel, RegressionLoss{Deviation::kSquared, 1, true}},
      {"absolute_error {}", Task::kMultiLabel, RegressionLoss{Deviation::kAbsolute, 1, true}},
      {"huber {}", Task::kMultiLabel, RegressionLoss{Deviation::kHuber, 1, true}},
      {"huber { delta: 0.25 }", Task::kMultiLabel, RegressionLoss{Deviation::kHuber, 0.25f, true}},
      {"focal {}", Task::kBinary, SigmoidFocalLoss{0, 2, 0.25f}},
      {"squared_error {}", Task::kUnitRegression, RegressionLoss{Deviation::kSquared, 1, true}},
      {"huber {}", Task::kRegression, RegressionLoss{Deviation::kHuber, 1, false}},
  };
  for (const LossCase& c : cases) {
    const CompleteConfig complete = CompleteOrDie(c.config, c.task);
    EXPECT_EQ(TrainingGraphOptionsOf(complete.config, {}).loss, c.loss) << c.config;
  }
}

TEST(LossConfig, MakesTwoLogitsALabelOfBinaryRelevance) {
  const auto way = [](const char* config) {
    return NetOptionsOf(CompleteOrDie(config, Task::kMultiLabel).config, 3).two_way;
  };
  EXPECT_FALSE(way(""));
  EXPECT_TRUE(way("multi_label_way: MULTI_LABEL_WAY_BINARY_RELEVANCE"));
}

struct WrongCase {
  const char* config;
  Task task;
  const char* field;        // without "config."
  const char* description;  // a part of it
};

TEST(LossConfig, NamesWhatIsWrong) {
  const Task single = Task::kSingleLabel, multi = Task::kMultiLabel;
  const WrongCase cases[] = {
      {"soft_hamming {}", single, "loss",
       "found soft_hamming, expected one of cross_entropy, focal for the task TASK_SINGLE_LABEL"},
      {"squared_error {}", single, "loss", "found squared_error"},
      {"cross_entropy { clip_epsilon: 0.5 }", single, "loss.cross_entropy.clip_epsilon",
       "found 0.5, expected a number in [0, 0.5)"},
      {"cross_entropy { clip_epsilon: nan }", multi, "loss.cross_entropy.clip_epsilon",
       "found nan"},
      {"focal { gamma: -1 }", single, "loss.focal.gamma", "expected a number in [0, 100]"},
      {"focal { alpha: 0.5 }", single, "loss.focal.alpha", "class weights take its place"},
      {"focal { alpha: 2 }", multi, "loss.focal.alpha", "found 2"},
      {"asymmetric { gamma_plus: -1 }", multi, "loss.asymmetric.gamma_plus", "found -1"},
      {"asymmetric { gamma_minus: inf }", multi, "loss.asymmetric.gamma_minus", "found inf"},
      {"asymmetric { margin: 1 }", multi, "loss.asymmetric.margin", "found 1"},
      {"huber { delta: 0 }", multi, "loss.huber.delta", "found 0, expected a finite number > 0"},
      {"label_smoothing: 1", single, "label_smoothing", "found 1, expected a number in [0, 1)"},
      {"label_smoothing: 0.1 huber {}", multi, "label_smoothing", "expected 0 with the loss huber"},
      {"cross_entropy {}", Task::kRegression, "loss",
       "expected one of squared_error, absolute_error, huber for the task TASK_REGRESSION"},
      {"focal {}", Task::kUnitRegression, "loss", "found focal"},
      {"label_smoothing: 0.1", Task::kUnitRegression, "label_smoothing",
       "found 0.1, expected 0 for a regression"},
      {"inverse_frequency {}", Task::kRegression, "class_weighting",
       "found one for a regression task, expected none"},
      {"multi_label_way: MULTI_LABEL_WAY_JOINT", single, "multi_label_way",
       "expected none outside multi-label"},
      {"effective_number { beta: 1 }", single, "class_weighting.effective_number.beta",
       "found 1, expected a number in [0, 1)"},
      {"inverse_frequency { by_label { key: \"emu\" value: 1 } }", single,
       "class_weighting.inverse_frequency.by_label", "found the label \"emu\""},
      {"inverse_frequency { by_label { key: \"dog\" value: -1 } }", single,
       "class_weighting.inverse_frequency.by_label[\"dog\"]", "found -1"},
  };
  for (const WrongCase& c : cases) {
    SCOPED_TRACE(c.config);
    std::vector<FieldViolation> violations;
    const auto complete = Complete(testing::ParseConfig(c.config), Pets(c.task), 1, &violations);
    EXPECT_EQ(complete.status().code(), absl::StatusCode::kInvalidArgument);
    ASSERT_EQ(violations.size(), 1) << complete.status();
    EXPECT_EQ(violations[0].field, std::string("config.") + c.field);
    EXPECT_THAT(violations[0].description, HasSubstr(c.description));
  }
}

TEST(ClassWeights, MakeEveryLabelCountAlikeByInverseFrequency) {
  const CompleteConfig complete = CompleteOrDie("inverse_frequency {}", Task::kSingleLabel);
  EXPECT_THAT(WeightsByLabel(complete.config),
              ElementsAre(Pair("cat", DoubleNear(130 / 300.0, 1e-12)),
                          Pair("dog", DoubleNear(130 / 75.0, 1e-12)),
                          Pair("owl", DoubleNear(130 / 15.0, 1e-12))));
  const v1::Choice* choice = ChoiceOf(complete, "class_weighting.inverse_frequency.by_label");
  ASSERT_NE(choice, nullptr);
  EXPECT_EQ(choice->value(), "cat 0.433333, dog 1.73333, owl 8.66667");
}

TEST(ClassWeights, FollowTheEffectiveNumber) {
  const CompleteConfig complete =
      CompleteOrDie("effective_number { beta: 0.9 }", Task::kMultiLabel);
  std::vector<double> expected;
  double sum = 0;
  for (int n : {100, 25, 5}) {
    double effective = 0;  // 1 + beta + … + betaⁿ⁻¹
    for (int i = 0; i < n; ++i) effective += std::pow(0.9, i);
    expected.push_back(1 / effective);
    sum += expected.back();
  }
  const std::vector<std::string> labels = {"cat", "dog", "owl"};
  const std::vector<float> weights = ClassWeightsOf(complete.config, labels);
  ASSERT_EQ(weights.size(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(weights[i], expected[i] * 3 / sum, 1e-6) << i;
  EXPECT_EQ(ChoiceOf(CompleteOrDie("effective_number {}", Task::kSingleLabel),
                     "class_weighting.effective_number.beta")
                ->value(),
            "0.999");
  const CompleteConfig none = CompleteOrDie("effective_number { beta: 0 }", Task::kSingleLabel);
  EXPECT_THAT(ClassWeightsOf(none.config, labels), ElementsAre(1, 1, 1));
}

TEST(ClassWeights, KeepTheGivenOnesAndAreCompleteOnce) {
  const CompleteConfig once =
      CompleteOrDie("inverse_frequency { by_label { key: \"dog\" value: 7 } }", Task::kSingleLabel);
  EXPECT_EQ(WeightsByLabel(once.config).at("dog"), 7);
  EXPECT_EQ(WeightsByLabel(once.config).size(), 3);
  const auto twice = Complete(once.config, Pets(), 1);
  ASSERT_TRUE(twice.ok()) << twice.status();
  EXPECT_THAT(twice->choices, IsEmpty());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(twice->config, once.config));
}

TEST(ClassWeights, AreFiniteForALabelWithoutTrainingImages) {
  DatasetStatistics data = Pets(Task::kMultiLabel);
  data.labels[2].images[0] = 0;
  const auto complete = Complete(testing::ParseConfig("inverse_frequency {}"), data, 1);
  ASSERT_TRUE(complete.ok()) << complete.status();
  EXPECT_NEAR(WeightsByLabel(complete->config).at("owl"), 126 / 3.0, 1e-12);
}

}  // namespace
}  // namespace fovea
