#include "core/train/serving_precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/core/train/config_testing.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::PrecisionReport Report(v1::ServedPrecision precision, double value, double speed) {
  v1::PrecisionReport report;
  report.set_precision(precision);
  report.set_measure("accuracy");
  report.set_value(value);
  report.set_images_per_second(speed);
  return report;
}

v1::TrainingConfig Config(v1::ServedPrecision precision, double max_loss) {
  v1::TrainingConfig config;
  config.set_task(v1::TASK_SINGLE_LABEL);
  config.set_best_measure("accuracy");
  config.mutable_serving()->set_precision(precision);
  config.mutable_serving()->set_max_loss(max_loss);
  return config;
}

std::vector<v1::PrecisionReport> Reports(double fp32, double bf16, double fp32_speed,
                                         double bf16_speed) {
  return {Report(v1::SERVED_PRECISION_FP32, fp32, fp32_speed),
          Report(v1::SERVED_PRECISION_BF16, bf16, bf16_speed)};
}

TEST(PrecisionsToTry, AreTheOneThatIsNamedOrAllBesideF32) {
  EXPECT_THAT(PrecisionsToTry(Config(v1::SERVED_PRECISION_FP32, 0)),
              ElementsAre(v1::SERVED_PRECISION_FP32));
  EXPECT_THAT(PrecisionsToTry(Config(v1::SERVED_PRECISION_INT8, 0)),
              ElementsAre(v1::SERVED_PRECISION_FP32, v1::SERVED_PRECISION_INT8));
  EXPECT_THAT(
      PrecisionsToTry(Config(v1::SERVED_PRECISION_AUTO, 0)),
      ElementsAre(v1::SERVED_PRECISION_FP32, v1::SERVED_PRECISION_BF16, v1::SERVED_PRECISION_INT8));
}

TEST(ChoosePrecision, TakesTheFasterOneWithinTheAllowedLoss) {
  auto reports = Reports(.9, .8985, 100, 190);
  EXPECT_EQ(ChoosePrecision(Config(v1::SERVED_PRECISION_AUTO, .002), reports), 1);
  EXPECT_NEAR(reports[1].loss(), .0015, 1e-9);
  EXPECT_THAT(reports[1].refused(), IsEmpty());
}

TEST(ChoosePrecision, RefusesWhatCostsMoreAndSaysSo) {
  for (const auto precision : {v1::SERVED_PRECISION_AUTO, v1::SERVED_PRECISION_BF16}) {
    auto reports = Reports(.9, .89, 100, 190);
    EXPECT_EQ(ChoosePrecision(Config(precision, .002), reports), 0);
    EXPECT_THAT(reports[1].refused(), HasSubstr("max_loss 0.002"));
  }
}

TEST(ChoosePrecision, AutoLeavesASlowerOneThatAskedForByNameIsTaken) {
  auto reports = Reports(.9, .9, 100, 80);
  EXPECT_EQ(ChoosePrecision(Config(v1::SERVED_PRECISION_AUTO, 0), reports), 0);
  EXPECT_EQ(ChoosePrecision(Config(v1::SERVED_PRECISION_BF16, 0), reports), 1);
}

TEST(ChoosePrecision, RefusesAMeasureThatIsNotANumberOrNotThere) {
  auto reports = Reports(.9, std::numeric_limits<double>::quiet_NaN(), 100, 190);
  EXPECT_EQ(ChoosePrecision(Config(v1::SERVED_PRECISION_BF16, 1), reports), 0);
  reports = Reports(.9, .9, 100, 190);
  reports[1].clear_value();
  EXPECT_EQ(ChoosePrecision(Config(v1::SERVED_PRECISION_BF16, 1), reports), 0);
}

TEST(ChoosePrecision, KeepsTheReasonOfOneThatCouldNotBeTried) {
  auto reports = Reports(.9, .9, 100, 190);
  reports[1].set_refused("no such instructions");
  EXPECT_EQ(ChoosePrecision(Config(v1::SERVED_PRECISION_BF16, 1), reports), 0);
  EXPECT_EQ(reports[1].refused(), "no such instructions");
}

TEST(PrecisionLoss, IsInTheMeasuresUnitAndForErrorsOfARegressionAShare) {
  v1::TrainingConfig config = Config(v1::SERVED_PRECISION_AUTO, 0);
  config.set_best_measure("log_loss");
  EXPECT_NEAR(PrecisionLoss(config, .5, .6), .1, 1e-9);
  config.set_task(v1::TASK_REGRESSION);
  config.set_best_measure("mse");
  EXPECT_NEAR(PrecisionLoss(config, .5, .6), .2, 1e-9);
  config.set_best_measure("r2");
  EXPECT_NEAR(PrecisionLoss(config, .5, .6), -.1, 1e-9);
}

}  // namespace
}  // namespace fovea
