// Measures of binary tasks and regressions, against scikit-learn 1.2.1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/train/measure.h"
#include "core/train/metrics.h"

namespace fovea {
namespace {

constexpr double kTolerance = 1e-6;  // probabilities are floats
const std::vector<std::string> kSides = {"no", "yes"};
const std::vector<float> kProbabilities = {.1f, .4f, .35f, .8f, .65f, .9f, .5f, .2f};
const std::vector<uint8_t> kTruth = {0, 0, 1, 1, 0, 1, 1, 0};

TEST(MeasureBinary, AgreesWithScikitLearn) {
  const struct {
    double threshold, accuracy, precision, recall, f1, balanced;
  } cases[] = {{.5, .75, .75, .75, .75, .75},
               {.6, .625, .6666666666666666, .5, .5714285714285715, .625}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.threshold);
    const auto report = MeasureBinary(kSides, kProbabilities, kTruth, c.threshold);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->task(), v1::TASK_BINARY);
    EXPECT_EQ(report->measures().examples(), 8);
    EXPECT_NEAR(report->measures().log_loss(), 0.49507814840842046, kTolerance);
    const v1::BinaryMeasures& binary = report->measures().binary();
    EXPECT_NEAR(binary.accuracy(), c.accuracy, kTolerance);
    EXPECT_NEAR(binary.precision(), c.precision, kTolerance);
    EXPECT_NEAR(binary.recall(), c.recall, kTolerance);
    EXPECT_NEAR(binary.f1(), c.f1, kTolerance);
    EXPECT_NEAR(binary.balanced_accuracy(), c.balanced, kTolerance);
    EXPECT_NEAR(binary.roc_auc(), 0.8125, kTolerance);
    EXPECT_NEAR(binary.average_precision(), 0.85416666666666663, kTolerance);
    EXPECT_NEAR(binary.brier_score(), 0.169375, kTolerance);
    EXPECT_EQ(binary.threshold(), c.threshold);
    ASSERT_EQ(report->labels_size(), 2);
    EXPECT_EQ(report->labels(0).label(), "no");
    EXPECT_EQ(report->labels(1).support(), 4);
    EXPECT_EQ(report->labels(1).threshold(), c.threshold);
    EXPECT_NEAR(report->labels(0).roc_auc(), 0.8125, kTolerance);
    uint64_t counted = 0;
    for (const v1::ConfusionCell& cell : report->confusion_matrix().cells()) {
      counted += cell.count();
    }
    EXPECT_EQ(counted, 8u);
  }
}

TEST(MeasureBinary, LeavesOutWhatIsNotDefined) {
  const auto report = MeasureBinary(kSides, {.25f, .75f}, {0, 0}, .5);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->measures().binary().has_roc_auc());
  EXPECT_FALSE(report->measures().binary().has_average_precision());
  EXPECT_EQ(report->measures().binary().balanced_accuracy(), .5);
  EXPECT_FALSE(MeasureBinary(kSides, {}, {}, .5).ok());
  EXPECT_FALSE(MeasureBinary({"one"}, {.5f}, {1}, .5).ok());
  EXPECT_FALSE(MeasureBinary(kSides, {std::numeric_limits<float>::quiet_NaN()}, {1}, .5).ok());
}

const std::vector<std::string> kTargets = {"age", "height"};
const std::vector<float> kFound = {2.5f, 0, 0, 2, 2, 8, 8, 1};
const std::vector<float> kTrue = {3, -.5f, -.5f, 2, 2, 7, 7, 1.5f};

TEST(MeasureRegression, AgreesWithScikitLearn) {
  const auto report = MeasureRegression(v1::TASK_REGRESSION, kTargets, kFound, kTrue);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->task(), v1::TASK_REGRESSION);
  EXPECT_EQ(report->measures().examples(), 4);
  const v1::RegressionMeasures& all = report->measures().regression();
  EXPECT_NEAR(all.mse(), 0.375, kTolerance);
  EXPECT_NEAR(all.rmse(), 0.61237243569579447, kTolerance);
  EXPECT_NEAR(all.mae(), 0.5, kTolerance);
  EXPECT_NEAR(all.r2(), 0.94971390458805771, kTolerance);
  EXPECT_NEAR(all.max_error(), 1, kTolerance);
  ASSERT_EQ(report->targets_size(), 2);
  EXPECT_EQ(report->targets(0).name(), "age");
  EXPECT_NEAR(report->targets(0).r2(), 0.94860813704496794, kTolerance);
  EXPECT_NEAR(report->targets(1).r2(), 0.95081967213114749, kTolerance);
  EXPECT_NEAR(report->targets(1).mse(), 0.375, kTolerance);
}

TEST(MeasureRegression, LeavesOutWhatIsNotDefined) {
  const auto report = MeasureRegression(v1::TASK_REGRESSION, {"x"}, {1, 2}, {3, 3});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->measures().regression().has_r2());
  EXPECT_FALSE(report->targets(0).has_r2());
  EXPECT_EQ(report->measures().regression().mse(), 2.5);
  EXPECT_FALSE(MeasureRegression(v1::TASK_REGRESSION, {"x"}, {}, {}).ok());
  EXPECT_FALSE(MeasureRegression(v1::TASK_REGRESSION, {"x"}, {1}, {1, 2}).ok());
  const float infinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(MeasureRegression(v1::TASK_REGRESSION, {"x"}, {infinite}, {1}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(MeasuresOf, HasAMainMeasureForEveryTask) {
  EXPECT_EQ(MeasuresOf(v1::TASK_BINARY).front().name, "roc_auc");
  EXPECT_EQ(MeasuresOf(v1::TASK_UNIT_REGRESSION).front().name, "mse");
  const NamedMeasure& mse = MeasuresOf(v1::TASK_REGRESSION).front();
  EXPECT_EQ(mse.name, "mse");
  v1::Measures near, far;
  near.mutable_regression()->set_mse(1);
  far.mutable_regression()->set_mse(2);
  EXPECT_TRUE(IsBetter(mse, near, far));
  EXPECT_FALSE(IsBetter(mse, far, near));
  const NamedMeasure& area = MeasuresOf(v1::TASK_BINARY).front();
  v1::Measures defined, undefined;
  defined.mutable_binary()->set_roc_auc(.1);
  undefined.mutable_binary();
  EXPECT_TRUE(IsBetter(area, defined, undefined));
}

}  // namespace
}  // namespace fovea
