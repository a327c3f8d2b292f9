#include "core/train/ranking.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace fovea {
namespace {

struct Case {
  const char* what;
  std::vector<float> scores;
  std::vector<uint8_t> truth;
  std::optional<double> roc_auc;
  std::optional<double> average_precision;
};

// Values of sklearn.metrics.roc_auc_score and average_precision_score.
const Case kCases[] = {
    {"the example of scikit-learn", {.1f, .4f, .35f, .8f}, {0, 0, 1, 1}, 0.75, 5.0 / 6},
    {"all equal", {.5f, .5f, .5f, .5f}, {0, 1, 0, 1}, 0.5, 0.5},
    {"no ties", {.9f, .8f, .7f, .6f, .5f, .4f}, {1, 0, 1, 1, 0, 0}, 7.0 / 9, 29.0 / 36},
    {"ties of both kinds", {.3f, .3f, .9f, .9f, .1f}, {1, 0, 1, 0, 0}, 2.0 / 3, 0.5},
    {"a negative on top", {.2f, .2f, .2f, .7f}, {0, 1, 1, 0}, 0.25, 0.5},
    {"perfect", {.9f, .1f}, {1, 0}, 1.0, 1.0},
    {"inverted", {.9f, .1f}, {0, 1}, 0.0, 0.5},
    {"no positive", {.9f, .1f}, {0, 0}, std::nullopt, std::nullopt},
    {"no negative", {.9f, .1f}, {1, 1}, std::nullopt, 1.0},
    {"nothing", {}, {}, std::nullopt, std::nullopt},
};

void ExpectNear(std::optional<double> found, std::optional<double> expected) {
  ASSERT_EQ(found.has_value(), expected.has_value());
  EXPECT_NEAR(found.value_or(0), expected.value_or(0), 1e-12);
}

TEST(Ranking, AgreesWithScikitLearn) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    ExpectNear(RocAuc(c.scores, c.truth), c.roc_auc);
    ExpectNear(AveragePrecision(c.scores, c.truth), c.average_precision);
  }
}

TEST(Ranking, DoesNotDependOnTheOrderOfExamples) {
  for (Case c : kCases) {
    SCOPED_TRACE(c.what);
    std::vector<float> scores(c.scores.rbegin(), c.scores.rend());
    std::vector<uint8_t> truth(c.truth.rbegin(), c.truth.rend());
    ExpectNear(RocAuc(scores, truth), c.roc_auc);
    ExpectNear(AveragePrecision(scores, truth), c.average_precision);
  }
}

}  // namespace
}  // namespace fovea
