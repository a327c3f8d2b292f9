#include "core/train/schedule.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace fovea {
namespace {

v1::TrainingConfig Parse(const std::string& text) {
  v1::TrainingConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

struct Case {
  const char* what;
  const char* config;
  int64_t steps_per_epoch;
  std::vector<std::pair<int64_t, double>> rates;  // step, expected
};

const Case kCases[] = {
    {"constant",
     "learning_rate: 0.5 epochs: 4 warmup_epochs: 0 constant {}",
     10,
     {{0, .5}, {1, .5}, {39, .5}}},
    {"constant with warm-up",
     "learning_rate: 0.5 epochs: 4 warmup_epochs: 1 constant {}",
     10,
     {{0, .05}, {1, .1}, {8, .45}, {9, .5}, {10, .5}, {39, .5}}},
    {"cosine",
     "learning_rate: 2 epochs: 4 warmup_epochs: 0 cosine { final_factor: 0 }",
     10,
     {{0, 2}, {10, 1 + std::sqrt(.5)}, {20, 1}, {30, 1 - std::sqrt(.5)}, {40, 0}, {50, 0}}},
    {"cosine with a floor",
     "learning_rate: 2 epochs: 4 warmup_epochs: 0 cosine { final_factor: 0.5 }",
     10,
     {{0, 2}, {20, 1.5}, {40, 1}}},
    {"cosine with warm-up in parts of an epoch",
     "learning_rate: 1 epochs: 2 warmup_epochs: 0.4 cosine { final_factor: 0 }",
     10,
     {{0, .25}, {3, 1}, {4, 1}, {12, .5}, {20, 0}}},
    {"step",
     "learning_rate: 1 epochs: 7 warmup_epochs: 0 step { every_epochs: 3 gamma: 0.1 }",
     2,
     {{0, 1}, {5, 1}, {6, .1}, {11, .1}, {12, .01}, {13, .01}}},
    {"step with warm-up",
     "learning_rate: 1 epochs: 4 warmup_epochs: 1 step { every_epochs: 2 gamma: 0.5 }",
     4,
     {{0, .25}, {3, 1}, {4, 1}, {7, 1}, {8, .5}, {15, .5}}},
    {"warm-up all the way",
     "learning_rate: 1 epochs: 1 warmup_epochs: 1 cosine { final_factor: 0 }",
     4,
     {{0, .25}, {1, .5}, {2, .75}, {3, 1}}},
};

TEST(Schedule, GivesTheRateOfEachStep) {
  for (const Case& c : kCases) {
    const Schedule schedule(Parse(c.config), c.steps_per_epoch);
    for (const auto& [step, expected] : c.rates) {
      EXPECT_NEAR(schedule.LearningRate(step), expected, 1e-12) << c.what << ", step " << step;
    }
  }
}

TEST(Schedule, KnowsItsLength) {
  const Schedule schedule(Parse("learning_rate: 1 epochs: 3 warmup_epochs: 0.5 constant {}"), 7);
  EXPECT_EQ(schedule.total_steps(), 21);
  EXPECT_EQ(schedule.warmup_steps(), 4);  // 3.5, rounded
}

}  // namespace
}  // namespace fovea
