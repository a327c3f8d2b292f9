#include "core/train/decisions.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/train/metrics.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

v1::TunedThresholds Goal(const std::string& text) { return Parse<v1::TunedThresholds>(text); }

struct TuneCase {
  const char* what;
  std::vector<float> scores;
  std::vector<uint8_t> truth;
  const char* goal;
  double threshold;
};

TEST(TuneThreshold, ServesTheGoal) {
  const std::vector<float> scores = {.1f, .2f, .3f, .35f, .4f, .8f};
  const std::vector<uint8_t> truth = {0, 0, 1, 0, 1, 1};
  const TuneCase cases[] = {
      // From .3 on: 3 TP of 4 predicted, F1 6/7; from .4 on: 2 of 2, F1 4/5.
      {"F1", scores, truth, "f1 {}", .25},
      // From .3 on one mistake, from .4 on also one: the nearer to 0.5.
      {"Hamming", scores, truth, "hamming_loss {}", .375},
      {"precision 1", scores, truth, "precision { at_least: 1 }", .375},
      {"precision 0.7", scores, truth, "precision { at_least: 0.7 }", .25},
      {"0.5 parts them", {.2f, .9f}, {0, 1}, "f1 {}", .5},
      {"no precision high enough", {.6f, .7f}, {1, 0}, "precision { at_least: 0.9 }", .5},
      {"no true one, F1", {.6f, .7f}, {0, 0}, "f1 {}", .5},
      {"no true one, precision", {.6f, .7f}, {0, 0}, "precision { at_least: 0.5 }", .5},
      {"no true one, Hamming", {.6f, .7f}, {0, 0}, "hamming_loss {}", .85},
      {"only true ones", {.3f, .4f}, {1, 1}, "f1 {}", .3},
      {"equal scores", {.3f, .3f, .3f}, {1, 1, 0}, "f1 {}", .3},
      {"the highest is 1", {1.f, 1.f}, {0, 0}, "hamming_loss {}", .5},
      {"no example", {}, {}, "hamming_loss {}", .5},
  };
  for (const TuneCase& c : cases) {
    SCOPED_TRACE(c.what);
    EXPECT_NEAR(TuneThreshold(Goal(c.goal), c.scores, c.truth), c.threshold, 1e-6);
  }
}

struct Found {
  double f1 = 0, errors = 0, precision = 0, recall = 0;
};

Found MeasureAt(double threshold, const std::vector<float>& scores,
                const std::vector<uint8_t>& truth) {
  double hits = 0, predicted = 0, positives = 0, errors = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const bool applies = scores[i] >= threshold;
    hits += applies && truth[i] != 0;
    predicted += applies;
    positives += truth[i];
    errors += applies != (truth[i] != 0);
  }
  return {2 * hits / (predicted + positives), errors, predicted == 0 ? 0 : hits / predicted,
          hits / positives};
}

// Nothing that any threshold of a fine grid reaches is better.
TEST(TuneThreshold, IsAsGoodAsTrialOfEveryThreshold) {
  Random random(11);
  for (int trial = 0; trial < 30; ++trial) {
    SCOPED_TRACE(trial);
    std::vector<float> scores;
    std::vector<uint8_t> truth = {1};
    scores.push_back(.5f);
    for (int i = 0; i < 40; ++i) {
      const auto score = static_cast<float>(random.Below(32)) / 32;  // with ties
      scores.push_back(score);
      truth.push_back(random.Uniform() < score);
    }
    const Found f1 = MeasureAt(TuneThreshold(Goal("f1 {}"), scores, truth), scores, truth);
    const Found hamming =
        MeasureAt(TuneThreshold(Goal("hamming_loss {}"), scores, truth), scores, truth);
    const Found precise =
        MeasureAt(TuneThreshold(Goal("precision { at_least: 0.8 }"), scores, truth), scores, truth);
    for (int k = 0; k <= 64; ++k) {
      const Found other = MeasureAt(k / 64., scores, truth);
      EXPECT_LE(other.f1, f1.f1 + 1e-12);
      EXPECT_GE(other.errors, hamming.errors);
      if (precise.precision >= .8) {
        EXPECT_FALSE(other.precision >= .8 && other.recall > precise.recall);
      } else {
        EXPECT_LE(other.precision, precise.precision + 1e-12);
      }
    }
  }
}

// Serving compares floats: the threshold must be one.
TEST(TuneThreshold, IsAFloatBetweenNeighbouringOnes) {
  const float low = .3f, high = std::nextafter(low, 1.f);
  const double threshold = TuneThreshold(Goal("f1 {}"), {low, high}, {0, 1});
  EXPECT_EQ(threshold, double{high});
}

TEST(AcceptingThreshold, AcceptsAtLeastTheShare) {
  std::vector<double> scores;
  for (int i = 20; i >= 1; --i) scores.push_back(i);
  EXPECT_EQ(AcceptingThreshold(scores, .95), 2);
  EXPECT_EQ(AcceptingThreshold(scores, .96), 1);
  EXPECT_EQ(AcceptingThreshold(scores, 1), 1);
  EXPECT_EQ(AcceptingThreshold(scores, .001), 20);
  EXPECT_EQ(AcceptingThreshold({3}, .5), 3);
}

TEST(TuneDecisions, LeavesWhatIsGivenAlone) {
  const auto config = Parse<v1::TrainingConfig>(
      "task: TASK_MULTI_LABEL thresholds { every_label: 0.3 by_label { key: 'b' value: 0.6 } }");
  EXPECT_FALSE(NeedsTuning(config));
  const std::vector<std::string> labels = {"a", "b"};
  EXPECT_THAT(TuneDecisions(config, labels, {}).thresholds, ElementsAre(.3, .6));
}

TEST(TuneDecisions, TunesEachLabel) {
  const auto config =
      Parse<v1::TrainingConfig>("task: TASK_MULTI_LABEL tuned_thresholds { f1 {} }");
  ASSERT_TRUE(NeedsTuning(config));
  const std::vector<std::string> labels = {"a", "b"};
  EXPECT_THAT(GivenDecisions(config, labels).thresholds, ElementsAre(.5, .5));
  const Predictions validation = {{.125f, .75f, .375f, .875f, .25f, .625f}, {}, {0, 0, 1, 1, 0, 0}};
  const Decisions decisions = TuneDecisions(config, labels, validation);
  EXPECT_THAT(decisions.thresholds, ElementsAre(.3125, .8125));
  EXPECT_FALSE(decisions.open_set.has_value());
}

TEST(TuneDecisions, SetsTheOpenSetThresholdByTheWantedShare) {
  const auto config = Parse<v1::TrainingConfig>(
      "task: TASK_SINGLE_LABEL open_set { accepted_share: 0.75 maximum_probability {} }");
  const std::vector<std::string> labels = {"a", "b"};
  const Predictions validation = {
      {.9f, .1f, .4f, .6f, .3f, .7f, .8f, .2f}, {}, {1, 0, 0, 1, 0, 1, 1, 0}};
  const Decisions decisions = TuneDecisions(config, labels, validation);
  EXPECT_THAT(decisions.thresholds, IsEmpty());
  ASSERT_TRUE(decisions.open_set.has_value());
  EXPECT_TRUE(decisions.open_set->has_maximum_probability());
  EXPECT_EQ(decisions.open_set->threshold(), double{.7f});
  EXPECT_EQ(decisions.open_set->accepted_share(), .75);
}

TEST(MeasureOpenSet, CountsTheAcceptedOnes) {
  const auto rule = Parse<v1::OpenSetRule>("energy { temperature: 1 } threshold: 2");
  // Energies log(e^3 + e^0) = 3.05, 1.31, log(e^2 + e^2) = 2.69.
  const v1::OpenSetMeasures measures =
      MeasureOpenSet(rule, {.95f, .05f, .27f, .73f, .5f, .5f}, {3, 0, 0, 1, 2, 2}, {0, 0, 1});
  EXPECT_NEAR(measures.coverage(), 2. / 3, 1e-12);
  EXPECT_EQ(measures.accepted_accuracy(), .5);
  EXPECT_EQ(measures.threshold(), 2);
  const auto strict = Parse<v1::OpenSetRule>("maximum_probability {} threshold: 0.99");
  const v1::OpenSetMeasures none = MeasureOpenSet(strict, {.95f, .05f}, {}, {0});
  EXPECT_EQ(none.coverage(), 0);
  EXPECT_FALSE(none.has_accepted_accuracy());
}

}  // namespace
}  // namespace fovea
