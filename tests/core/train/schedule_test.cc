#include "core/train/schedule.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "core/base/file_system.h"
#include "core/train/watch.h"

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
    {"exponential",
     "learning_rate: 0.1 epochs: 40 warmup_epochs: 0 exponential { decay_rate: 0.96 decay_steps: "
     "100 }",
     10,
     {{0, .1}, {50, .1 * std::sqrt(.96)}, {100, .096}, {200, .09216}}},
    {"exponential in stairs",
     "learning_rate: 0.1 epochs: 40 warmup_epochs: 0 exponential { decay_rate: 0.96 decay_steps: "
     "100 staircase: true }",
     10,
     {{0, .1}, {99, .1}, {100, .096}, {199, .096}, {200, .09216}}},
    {"exponential with warm-up counts from the start",
     "learning_rate: 0.1 epochs: 40 warmup_epochs: 1 exponential { decay_rate: 0.25 decay_steps: "
     "20 }",
     10,
     {{0, .01}, {9, .1}, {10, .05}, {20, .025}}},
    {"multi-step",
     "learning_rate: 1 epochs: 8 warmup_epochs: 0 multi_step { epochs: [2, 3, 6] gamma: 0.5 }",
     2,
     {{3, 1}, {4, .5}, {5, .5}, {6, .25}, {11, .25}, {12, .125}, {15, .125}}},
    {"multi-step with warm-up",
     "learning_rate: 1 epochs: 4 warmup_epochs: 1 multi_step { epochs: 2 gamma: 0.5 }",
     2,
     {{0, .5}, {1, 1}, {3, 1}, {4, .5}}},
    {"cosine with restarts that grow",
     "learning_rate: 2 epochs: 7 warmup_epochs: 0 cosine_restarts { first_period_epochs: 1 "
     "multiplier: 2 final_factor: 0 }",
     4,
     {{0, 2}, {2, 1}, {4, 2}, {8, 1}, {12, 2}, {20, 1}, {24, 1 - std::sqrt(.5)}, {28, 2}}},
    {"cosine with restarts of one length, a floor and warm-up",
     "learning_rate: 1 epochs: 9 warmup_epochs: 1 cosine_restarts { first_period_epochs: 2 "
     "multiplier: 1 final_factor: 0.5 }",
     4,
     {{3, 1}, {4, 1}, {8, .75}, {12, 1}, {16, .75}, {20, 1}}},
    {"polynomial",
     "learning_rate: 2 epochs: 4 warmup_epochs: 0 polynomial { power: 2 end_factor: 0 }",
     10,
     {{0, 2}, {20, .5}, {30, .125}, {40, 0}, {50, 0}}},
    {"polynomial with an end and warm-up",
     "learning_rate: 2 epochs: 5 warmup_epochs: 1 polynomial { power: 1 end_factor: 0.5 }",
     10,
     {{9, 2}, {10, 2}, {30, 1.5}, {50, 1}}},
    {"one cycle, linear",
     "learning_rate: 1 epochs: 2 warmup_epochs: 0 one_cycle { peak_position: 0.3 start_divisor: 4 "
     "final_divisor: 5 linear: true }",
     10,
     {{0, .25}, {1, .4}, {5, 1}, {19, .05}, {20, .05}}},
    {"one cycle along cosines",
     "learning_rate: 1 epochs: 1 warmup_epochs: 0 one_cycle { peak_position: 0.5 start_divisor: 2 "
     "final_divisor: 2 }",
     10,
     {{0, .5}, {2, .75}, {4, 1}, {9, .25}}},
    {"one cycle without a rise, after a warm-up",
     "learning_rate: 1 epochs: 2 warmup_epochs: 1 one_cycle { peak_position: 0 start_divisor: 2 "
     "final_divisor: 2 linear: true }",
     5,
     {{0, .2}, {4, 1}, {5, 1}, {7, .625}, {9, .25}}},
    {"one cycle of a single step",
     "learning_rate: 1 epochs: 1 warmup_epochs: 0 one_cycle { peak_position: 0.3 start_divisor: 2 "
     "final_divisor: 2 }",
     1,
     {{0, 1}}},
    {"the plateau's factor is the caller's",
     "learning_rate: 0.5 epochs: 4 warmup_epochs: 0 reduce_on_plateau {}",
     10,
     {{0, .5}, {39, .5}}},
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

TEST(Schedule, TakesThePlateausFactor) {
  const Schedule schedule(
      Parse("learning_rate: 0.5 epochs: 4 warmup_epochs: 1 reduce_on_plateau {}"), 4);
  EXPECT_DOUBLE_EQ(schedule.LearningRate(0, .5), .0625);
  EXPECT_DOUBLE_EQ(schedule.LearningRate(9, .5), .25);
}

// Columns: tests/golden/schedules.py.
std::vector<std::vector<std::string>> Golden(absl::string_view kind) {
  const auto text = FileSystem::Real()->Read(FOVEA_GOLDEN_SCHEDULES);
  EXPECT_TRUE(text.ok()) << text.status();
  std::vector<std::vector<std::string>> rows;
  for (absl::string_view line : absl::StrSplit(text.value_or(""), '\n', absl::SkipEmpty())) {
    rows.push_back(absl::StrSplit(line, '\t'));
    if (rows.back()[0] != kind) rows.pop_back();
  }
  EXPECT_FALSE(rows.empty());
  return rows;
}

std::vector<double> Numbers(const std::string& text) {
  std::vector<double> numbers;
  for (absl::string_view word : absl::StrSplit(text, ' ')) {
    EXPECT_TRUE(absl::SimpleAtod(word, &numbers.emplace_back())) << word;
  }
  return numbers;
}

TEST(Schedule, GivesPyTorchsRates) {
  for (const std::vector<std::string>& row : Golden("rates")) {
    ASSERT_EQ(row.size(), 4);
    const Schedule schedule(Parse(row[1]), static_cast<int64_t>(Numbers(row[2])[0]));
    const std::vector<double> expected = Numbers(row[3]);
    ASSERT_EQ(static_cast<int64_t>(expected.size()), schedule.total_steps());
    for (size_t step = 0; step < expected.size(); ++step) {
      EXPECT_NEAR(schedule.LearningRate(static_cast<int64_t>(step)), expected[step], 1e-12)
          << row[1] << ", step " << step;
    }
  }
}

TEST(Plateau, FallsWhenPyTorchsDoes) {
  for (const std::vector<std::string>& row : Golden("plateau")) {
    ASSERT_EQ(row.size(), 5);
    const v1::TrainingConfig config = Parse("reduce_on_plateau { " + row[1] + " }");
    const std::vector<double> measures = Numbers(row[3]), expected = Numbers(row[4]);
    v1::PlateauState state;
    for (size_t epoch = 0; epoch < measures.size(); ++epoch) {
      StepPlateau(config.reduce_on_plateau(), measures[epoch], row[2] == "higher", state);
      EXPECT_NEAR(PlateauFactor(state), expected[epoch], 1e-12) << row[1] << ", epoch " << epoch;
    }
  }
}

// Epochs after which a run stops, 0 for never.
size_t StopsAfter(const char* config, bool higher, std::vector<std::optional<double>> measures) {
  const v1::TrainingConfig parsed = Parse(config);
  v1::MeasureWatch watch;
  for (size_t epoch = 0; epoch < measures.size(); ++epoch) {
    Watch(measures[epoch], higher, parsed.early_stopping().min_delta(), watch);
    if (StopsEarly(parsed, watch)) return epoch + 1;
  }
  return 0;
}

TEST(EarlyStopping, CountsEpochsInARowWithoutImprovement) {
  const char two[] = "early_stopping { patience: 2 min_delta: 0 }";
  EXPECT_EQ(StopsAfter(two, true, {.5, .6, .6, .55, .7}), 4);
  EXPECT_EQ(StopsAfter(two, true, {.5, .4, .6, .5, .7}), 0);
  EXPECT_EQ(StopsAfter(two, false, {.5, .6, .4, .4, .4}), 5);
  const char delta[] = "early_stopping { patience: 1 min_delta: 0.1 }";
  EXPECT_EQ(StopsAfter(delta, true, {.5, .65, .7, .9}), 3);
  EXPECT_EQ(StopsAfter(delta, false, {.5, .35, .3}), 3);
  // What is not defined is no improvement, and no best to improve on.
  EXPECT_EQ(StopsAfter(two, true, {std::nullopt, .1, std::nullopt, .05}), 4);
  EXPECT_EQ(StopsAfter(two, true, {std::nullopt, std::nullopt}), 2);
  EXPECT_EQ(StopsAfter("", true, {.5, .4, .3, .2}), 0);
}

TEST(Schedule, KnowsItsLength) {
  const Schedule schedule(Parse("learning_rate: 1 epochs: 3 warmup_epochs: 0.5 constant {}"), 7);
  EXPECT_EQ(schedule.total_steps(), 21);
  EXPECT_EQ(schedule.warmup_steps(), 4);  // 3.5, rounded
}

}  // namespace
}  // namespace fovea
