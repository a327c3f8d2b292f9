// Sampling and decisions of a configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/train/config.h"
#include "tests/core/train/config_testing.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 100 training images of "common", 20 of "rare".
DatasetStatistics Imbalanced(Task task) {
  DatasetStatistics data;
  data.revision = 1;
  data.task = task;
  data.labels = {{"common", {100, 10, 10}}, {"rare", {20, 2, 2}}};
  data.images = {120, 12, 12};
  data.width = {28, 28, 28};
  data.height = {28, 28, 28};
  data.images_by_channels = {{1, 144}};
  return data;
}

std::map<std::string, std::string> Choices(const CompleteConfig& complete) {
  std::map<std::string, std::string> values;
  for (const v1::Choice& choice : complete.choices) values[choice.name()] = choice.value();
  return values;
}

TEST(ConfigDecisions, CompletesWhatIsAskedFor) {
  const struct {
    const char* config;
    Task task;
    std::map<std::string, std::string> choices;  // some of them
  } cases[] = {
      {"tuned_thresholds {}",
       Task::kMultiLabel,
       {{"config.thresholding.tuned_thresholds.goal", "f1"}}},
      {"tuned_thresholds { precision {} }",
       Task::kMultiLabel,
       {{"config.thresholding.tuned_thresholds.goal.precision.at_least", "0.9"}}},
      {"open_set {}",
       Task::kSingleLabel,
       {{"config.open_set.accepted_share", "0.95"},
        {"config.open_set.score", "maximum_probability"}}},
      {"open_set { energy {} }",
       Task::kSingleLabel,
       {{"config.open_set.score.energy.temperature", "1"}}},
      {"class_balanced_sampling {}",
       Task::kSingleLabel,
       {{"config.sampling.class_balanced_sampling.power", "0"}}},
      // Two classes of 20.
      {"under_sampling {}", Task::kSingleLabel, {{"config.batch_size", "40"}}},
      {"over_sampling {}", Task::kSingleLabel, {{"config.batch_size", "64"}}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.config);
    const DatasetStatistics data = Imbalanced(c.task);
    const auto once = Complete(testing::ParseConfig(c.config), data, 1);
    ASSERT_TRUE(once.ok()) << once.status();
    const std::map<std::string, std::string> choices = Choices(*once);
    for (const auto& [name, value] : c.choices) {
      ASSERT_EQ(choices.count(name), 1) << name;
      EXPECT_EQ(choices.at(name), value) << name;
    }
    EXPECT_FALSE(once->config.has_thresholds());
    const auto twice = Complete(once->config, data, 1);
    ASSERT_TRUE(twice.ok()) << twice.status();
    EXPECT_THAT(twice->choices, IsEmpty());
  }
}

TEST(ConfigDecisions, RefusesWhatDoesNotFit) {
  DatasetStatistics one_label = Imbalanced(Task::kSingleLabel);
  DatasetStatistics many_labels = Imbalanced(Task::kMultiLabel);
  DatasetStatistics unvalidated = one_label;
  unvalidated.images[static_cast<size_t>(Split::kValidation)] = 0;
  const struct {
    const char* config;
    const DatasetStatistics& data;
    const char* field;
    const char* description;
  } cases[] = {
      {"tuned_thresholds {}", one_label, "thresholding.tuned_thresholds", "single-label"},
      {"tuned_thresholds { precision { at_least: 0 } }", many_labels,
       "thresholding.tuned_thresholds.goal.precision.at_least", "found 0, expected a number in (0"},
      {"open_set {}", many_labels, "open_set", "expected a single-label task"},
      {"open_set {}", unvalidated, "open_set", "found a data set without validation images"},
      {"open_set { accepted_share: 1.5 }", one_label, "open_set.accepted_share", "found 1.5"},
      {"open_set { energy { temperature: 0 } }", one_label, "open_set.score.energy.temperature",
       "found 0"},
      {"class_balanced_sampling { power: 2 }", one_label, "sampling.class_balanced_sampling.power",
       "found 2"},
      {"common_class_augmentation: 1.5", one_label, "common_class_augmentation", "found 1.5"},
      {"under_sampling {} batch_size: 41", one_label, "batch_size", "expected at most 40"},
      {"over_sampling {} batch_size: 201", one_label, "batch_size", "expected at most 200"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.config);
    std::vector<FieldViolation> violations;
    const auto complete = Complete(testing::ParseConfig(c.config), c.data, 1, &violations);
    EXPECT_EQ(complete.status().code(), absl::StatusCode::kInvalidArgument);
    ASSERT_EQ(violations.size(), 1) << complete.status();
    EXPECT_EQ(violations[0].field, std::string("config.") + c.field);
    EXPECT_THAT(violations[0].description, HasSubstr(c.description));
  }
}

}  // namespace
}  // namespace fovea
