// What fine-grained classes change in a configuration that leaves it open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/train/config.h"
#include "tests/core/train/config_testing.h"

namespace fovea {
namespace {

DatasetStatistics Birds(Task task = Task::kSingleLabel) {
  DatasetStatistics data;
  data.task = task;
  data.labels = {{"finch", {100, 10, 10}}, {"linnet", {100, 10, 10}}};
  data.images = {200, 20, 20};
  data.width = {600, 600, 600};
  data.height = {300, 300, 300};
  data.images_by_channels = {{3, 240}};
  return data;
}

CompleteConfig CompleteOrDie(const std::string& text) {
  auto complete = Complete(testing::ParseConfig(text), Birds(), 1);
  EXPECT_TRUE(complete.ok()) << text << ": " << complete.status();
  return *std::move(complete);
}

TEST(Granularity, IsOrdinaryUnlessSaid) {
  const v1::TrainingConfig config = CompleteOrDie("").config;
  EXPECT_EQ(config.granularity(), v1::GRANULARITY_ORDINARY);
  EXPECT_EQ(config.input().width(), 224);
  EXPECT_EQ(config.label_smoothing(), 0);
  EXPECT_FALSE(config.has_mixup());
}

TEST(Granularity, OfFineClassesEnlargesSmoothsAndMixes) {
  const CompleteConfig complete = CompleteOrDie("granularity: GRANULARITY_FINE");
  const v1::TrainingConfig& config = complete.config;
  EXPECT_EQ(config.input().width(), 448);
  EXPECT_EQ(config.input().height(), 224);
  EXPECT_EQ(config.label_smoothing(), 0.1);
  EXPECT_EQ(config.mixup().alpha(), 0.2);
  EXPECT_EQ(config.mixup().probability(), 1);
  for (const char* name : {"config.input.width", "config.label_smoothing", "config.mixup"}) {
    EXPECT_TRUE(std::any_of(complete.choices.begin(), complete.choices.end(),
                            [&](const v1::Choice& choice) {
                              return choice.name() == name &&
                                     choice.reason().find("fine-grained") != std::string::npos;
                            }))
        << name;
  }
}

TEST(Granularity, LeavesWhatIsGiven) {
  const v1::TrainingConfig config =
      CompleteOrDie(
          "granularity: GRANULARITY_FINE input { width: 64 } label_smoothing: 0 cutmix {}")
          .config;
  EXPECT_EQ(config.input().width(), 64);
  EXPECT_EQ(config.input().height(), 32);
  EXPECT_EQ(config.label_smoothing(), 0);
  EXPECT_FALSE(config.has_mixup());
}

TEST(Granularity, IsNothingToARegression) {
  std::vector<FieldViolation> violations;
  EXPECT_FALSE(Complete(testing::ParseConfig("granularity: GRANULARITY_FINE"),
                        Birds(Task::kRegression), 1, &violations)
                   .ok());
  ASSERT_EQ(violations.size(), 1);
  EXPECT_EQ(violations[0].field, "config.granularity");
  EXPECT_EQ(violations[0].description, "found GRANULARITY_FINE, expected none in a regression");
}

}  // namespace
}  // namespace fovea
