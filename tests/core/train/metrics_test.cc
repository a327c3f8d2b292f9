#include "core/train/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/train/measure.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kTolerance = 1e-12;

// Probabilities are floats: what a logarithm makes of them agrees to their precision.
constexpr double kFloatTolerance = 1e-7;

void ExpectAverage(const v1::Average& found, double precision, double recall, double f1) {
  EXPECT_NEAR(found.precision(), precision, kTolerance);
  EXPECT_NEAR(found.recall(), recall, kTolerance);
  EXPECT_NEAR(found.f1(), f1, kTolerance);
}

void ExpectLabel(const v1::LabelReport& found, const std::string& label, uint64_t support,
                 double precision, double recall, double f1) {
  EXPECT_EQ(found.label(), label);
  EXPECT_EQ(found.support(), support);
  EXPECT_NEAR(found.precision(), precision, kTolerance);
  EXPECT_NEAR(found.recall(), recall, kTolerance);
  EXPECT_NEAR(found.f1(), f1, kTolerance);
}

// ---- Single-label. Expected values by scikit-learn 1.9.

const std::vector<std::string> kAnimals = {"ant", "bee", "cat"};
const std::vector<float> kAnimalProbabilities = {
    .7f,  .2f,  .1f,  // ant, right
    .3f,  .4f,  .3f,  // bee, right
    .2f,  .3f,  .5f,  // cat, right
    .5f,  .5f,  .0f,  // bee; a tie, which the first label wins: wrong
    .1f,  .6f,  .3f,  // bee, right
    .25f, .25f, .5f,  // ant: wrong
    .6f,  .3f,  .1f,  // ant, right
    .2f,  .2f,  .6f,  // cat, right
};
const std::vector<int32_t> kAnimalTruth = {0, 1, 2, 1, 1, 0, 0, 2};

TEST(SingleLabelMetrics, AgreeWithScikitLearn) {
  const auto report = MeasureSingleLabel(kAnimals, kAnimalProbabilities, kAnimalTruth);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->task(), v1::TASK_SINGLE_LABEL);
  EXPECT_EQ(report->measures().examples(), 8);
  EXPECT_NEAR(report->measures().log_loss(), 0.6972538940337614, kFloatTolerance);
  const v1::SingleLabelMeasures& single = report->measures().single_label();
  EXPECT_EQ(single.accuracy(), 0.75);
  EXPECT_NEAR(single.balanced_accuracy(), 7.0 / 9, kTolerance);
  ExpectAverage(single.micro(), .75, .75, .75);
  ExpectAverage(single.macro(), 7.0 / 9, 7.0 / 9, 34.0 / 45);
  ExpectAverage(single.weighted(), 19.0 / 24, .75, .75);
  EXPECT_NEAR(single.macro_roc_auc(), 113.0 / 120, kTolerance);
}

TEST(SingleLabelMetrics, ReportEveryLabel) {
  const auto report = MeasureSingleLabel(kAnimals, kAnimalProbabilities, kAnimalTruth);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->labels_size(), 3);
  ExpectLabel(report->labels(0), "ant", 3, 2.0 / 3, 2.0 / 3, 2.0 / 3);
  ExpectLabel(report->labels(1), "bee", 3, 1, 2.0 / 3, .8);
  ExpectLabel(report->labels(2), "cat", 2, 2.0 / 3, 1, .8);
  EXPECT_NEAR(report->labels(0).roc_auc(), 13.0 / 15, kTolerance);
  EXPECT_NEAR(report->labels(1).roc_auc(), 1, kTolerance);
  EXPECT_NEAR(report->labels(2).roc_auc(), 23.0 / 24, kTolerance);
  EXPECT_NEAR(report->labels(0).average_precision(), 13.0 / 15, kTolerance);
  EXPECT_NEAR(report->labels(1).average_precision(), 1, kTolerance);
  EXPECT_NEAR(report->labels(2).average_precision(), 5.0 / 6, kTolerance);
  for (const v1::LabelReport& label : report->labels()) EXPECT_FALSE(label.has_threshold());
}

TEST(SingleLabelMetrics, CountTheConfusionInTheOrderOfTruthThenPredicted) {
  const auto report = MeasureSingleLabel(kAnimals, kAnimalProbabilities, kAnimalTruth);
  ASSERT_TRUE(report.ok()) << report.status();
  std::vector<std::tuple<int, int, int>> cells;
  for (const v1::ConfusionCell& cell : report->confusion_matrix().cells()) {
    cells.emplace_back(cell.truth(), cell.predicted(), cell.count());
  }
  EXPECT_THAT(cells, ElementsAre(std::tuple(0, 0, 2), std::tuple(0, 2, 1), std::tuple(1, 0, 1),
                                 std::tuple(1, 1, 2), std::tuple(2, 2, 2)));
}

TEST(SingleLabelMetrics, RankTheTrueLabelForTopK) {
  const std::vector<std::string> labels = {"a", "b", "c", "d", "e", "f"};
  const std::vector<float> probabilities = {
      .30f, .25f, .20f, .15f, .07f, .03f,  // truth a: rank 0
      .30f, .25f, .20f, .15f, .07f, .03f,  // truth e: rank 4
      .30f, .25f, .20f, .15f, .07f, .03f,  // truth f: rank 5
      .20f, .16f, .16f, .16f, .16f, .16f,  // truth f: the last of five equal ones, rank 5
  };
  const auto report = MeasureSingleLabel(labels, probabilities, {0, 4, 5, 5});
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::SingleLabelMeasures& single = report->measures().single_label();
  ASSERT_EQ(single.top_k_size(), 2);
  EXPECT_EQ(single.top_k(0).k(), 1);
  EXPECT_EQ(single.top_k(0).accuracy(), .25);
  EXPECT_EQ(single.top_k(1).k(), 5);
  EXPECT_EQ(single.top_k(1).accuracy(), .5);
}

TEST(SingleLabelMetrics, GiveTopKOnlyWhereThereAreMoreLabels) {
  const auto report = MeasureSingleLabel(kAnimals, kAnimalProbabilities, kAnimalTruth);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->measures().single_label().top_k_size(), 1);
  EXPECT_EQ(report->measures().single_label().top_k(0).k(), 1);
}

TEST(SingleLabelMetrics, LeaveUndefinedOnesOutOrZero) {
  // "bee" has no example but is predicted; "cat" has neither.
  const auto report = MeasureSingleLabel(kAnimals, {.8f, .1f, .1f, .2f, .7f, .1f}, {0, 0});
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::SingleLabelMeasures& single = report->measures().single_label();
  EXPECT_EQ(single.balanced_accuracy(), .5);  // of "ant" alone
  EXPECT_FALSE(single.has_macro_roc_auc());
  ExpectLabel(report->labels(0), "ant", 2, 1, .5, 2.0 / 3);
  ExpectLabel(report->labels(1), "bee", 0, 0, 0, 0);
  ExpectLabel(report->labels(2), "cat", 0, 0, 0, 0);
  ExpectAverage(single.macro(), 1.0 / 3, .5 / 3, 2.0 / 9);
  EXPECT_TRUE(report->labels(0).has_average_precision());
  EXPECT_FALSE(report->labels(0).has_roc_auc());
  EXPECT_FALSE(report->labels(1).has_average_precision());
}

TEST(SingleLabelMetrics, ClipTheLogLoss) {
  const auto report = MeasureSingleLabel({"a", "b"}, {1, 0, 0, 1}, {0, 0});
  ASSERT_TRUE(report.ok()) << report.status();
  const double epsilon = std::numeric_limits<float>::epsilon();
  EXPECT_NEAR(report->measures().log_loss(), (-std::log(epsilon) - std::log1p(-epsilon)) / 2,
              kTolerance);
}

TEST(SingleLabelMetrics, TakeManyClasses) {
  constexpr int kClasses = 1000;
  std::vector<std::string> labels;
  for (int i = 0; i < kClasses; ++i) labels.push_back(std::to_string(i));
  std::vector<float> probabilities(2 * kClasses, 0);
  probabilities[999] = 1;
  probabilities[kClasses + 7] = 1;
  const auto report = MeasureSingleLabel(labels, probabilities, {999, 8});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->measures().single_label().accuracy(), .5);
  EXPECT_EQ(report->confusion_matrix().cells_size(), 2);
}

TEST(SingleLabelMetrics, RefuseWhatCannotBeMeasured) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto diverged = MeasureSingleLabel(kAnimals, {.1f, nan, .2f}, {0});
  EXPECT_EQ(diverged.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(diverged.status().message(), HasSubstr("nan"));
  EXPECT_EQ(MeasureSingleLabel(kAnimals, {}, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(MeasureSingleLabel(kAnimals, {.1f, .2f}, {0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MeasureSingleLabel(kAnimals, {.1f, .2f, .7f}, {3}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MeasureSingleLabel({}, {}, {0}).status().code(), absl::StatusCode::kInvalidArgument);
}

// ---- Multi-label. Expected values by scikit-learn 1.9, per-example ones with zero_division=1.

const std::vector<std::string> kThings = {"car", "dog", "sea", "sky"};
const std::vector<float> kThingProbabilities = {
    .9f, .1f, .6f, .2f,  // car, sea
    .4f, .5f, .3f, .1f,  // dog; "car" missed
    .2f, .7f, .8f, .2f,  // dog, sea
    .6f, .5f, .1f, .1f,  // dog; "car" wrong, "sea" missed
    .1f, .2f, .2f, .3f,  // none, rightly
    .5f, .9f, .4f, .2f,  // car, dog
};
const std::vector<uint8_t> kThingTruth = {
    1, 0, 1, 0,  //
    1, 1, 0, 0,  //
    0, 1, 1, 0,  //
    0, 1, 1, 0,  //
    0, 0, 0, 0,  //
    1, 1, 0, 0,  //
};
const std::vector<double> kHalves = {.5, .5, .5, .5};

TEST(MultiLabelMetrics, AgreeWithScikitLearn) {
  const auto report = MeasureMultiLabel(kThings, kThingProbabilities, kThingTruth, kHalves);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->task(), v1::TASK_MULTI_LABEL);
  EXPECT_EQ(report->measures().examples(), 6);
  EXPECT_NEAR(report->measures().log_loss(), 0.4375188437109051, kFloatTolerance);
  const v1::MultiLabelMeasures& multi = report->measures().multi_label();
  EXPECT_NEAR(multi.hamming_loss(), .125, kTolerance);
  EXPECT_NEAR(multi.subset_accuracy(), 2.0 / 3, kTolerance);
  ExpectAverage(multi.micro(), 8.0 / 9, .8, 16.0 / 19);
  ExpectAverage(multi.macro(), 2.0 / 3, 7.0 / 12, 37.0 / 60);
  ExpectAverage(multi.weighted(), .9, .8, .84);
  ExpectAverage(multi.example(), 11.0 / 12, 5.0 / 6, 31.0 / 36);
  EXPECT_NEAR(multi.jaccard(), 29.0 / 36, kTolerance);
}

TEST(MultiLabelMetrics, LeaveLabelsWithoutExamplesOutOfRankings) {
  const auto report = MeasureMultiLabel(kThings, kThingProbabilities, kThingTruth, kHalves);
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::MultiLabelMeasures& multi = report->measures().multi_label();
  EXPECT_NEAR(multi.mean_average_precision(), 0.8796296296296297, kTolerance);
  EXPECT_NEAR(multi.macro_roc_auc(), 0.8148148148148149, kTolerance);
  ASSERT_EQ(report->labels_size(), 4);
  EXPECT_NEAR(report->labels(0).average_precision(), 29.0 / 36, kTolerance);
  EXPECT_NEAR(report->labels(1).average_precision(), 1, kTolerance);
  EXPECT_NEAR(report->labels(2).average_precision(), 5.0 / 6, kTolerance);
  EXPECT_FALSE(report->labels(3).has_average_precision());
  EXPECT_NEAR(report->labels(0).roc_auc(), 7.0 / 9, kTolerance);
  EXPECT_NEAR(report->labels(1).roc_auc(), 1, kTolerance);
  EXPECT_NEAR(report->labels(2).roc_auc(), 2.0 / 3, kTolerance);
  EXPECT_FALSE(report->labels(3).has_roc_auc());
}

TEST(MultiLabelMetrics, ReportEveryLabel) {
  const auto report = MeasureMultiLabel(kThings, kThingProbabilities, kThingTruth, kHalves);
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectLabel(report->labels(0), "car", 3, 2.0 / 3, 2.0 / 3, 2.0 / 3);
  ExpectLabel(report->labels(1), "dog", 4, 1, 1, 1);
  ExpectLabel(report->labels(2), "sea", 3, 1, 2.0 / 3, .8);
  ExpectLabel(report->labels(3), "sky", 0, 0, 0, 0);
  EXPECT_FALSE(report->has_confusion_matrix());
}

TEST(MultiLabelMetrics, DecideEachLabelByItsOwnThreshold) {
  // "car" from 0.4 on: the missed one is found. "dog" from 0.6 on: two are missed.
  const std::vector<double> thresholds = {.25, .6, .5, .5};
  const auto report = MeasureMultiLabel(kThings, kThingProbabilities, kThingTruth, thresholds);
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectLabel(report->labels(0), "car", 3, .75, 1, 6.0 / 7);
  ExpectLabel(report->labels(1), "dog", 4, 1, .5, 2.0 / 3);
  EXPECT_EQ(report->labels(0).threshold(), .25);
  EXPECT_EQ(report->labels(1).threshold(), .6);
}

TEST(MultiLabelMetrics, CountAnExampleWithNothingPredictedAsZeroAndWithNothingAtAllAsOne) {
  const auto missed = MeasureMultiLabel({"a", "b"}, {.1f, .1f}, {1, 0}, {.5, .5});
  ASSERT_TRUE(missed.ok()) << missed.status();
  ExpectAverage(missed->measures().multi_label().example(), 0, 0, 0);
  EXPECT_EQ(missed->measures().multi_label().jaccard(), 0);
  const auto empty = MeasureMultiLabel({"a", "b"}, {.1f, .1f}, {0, 0}, {.5, .5});
  ASSERT_TRUE(empty.ok()) << empty.status();
  ExpectAverage(empty->measures().multi_label().example(), 1, 1, 1);
  EXPECT_EQ(empty->measures().multi_label().jaccard(), 1);
  ExpectAverage(empty->measures().multi_label().micro(), 0, 0, 0);
  EXPECT_FALSE(empty->measures().multi_label().has_mean_average_precision());
  EXPECT_FALSE(empty->measures().multi_label().has_macro_roc_auc());
}

// The same decisions without the unknown ones; the third example has none left.
TEST(MultiLabelMetrics, CountKnownLabelsOnly) {
  const uint8_t u = kUnknownTruth;
  const auto report = MeasureMultiLabel({"a", "b"}, {.9f, .2f, .4f, .7f, .3f, .1f, .2f, .6f},
                                        {1, u, 1, 1, u, u, 0, 0}, {.5, .5});
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::Measures& measures = report->measures();
  EXPECT_EQ(measures.examples(), 4);
  EXPECT_NEAR(measures.log_loss(),
              -(std::log(.9) + std::log(.4) + std::log(.7) + std::log(.8) + std::log(.4)) / 5,
              kFloatTolerance);
  const v1::MultiLabelMeasures& multi = measures.multi_label();
  EXPECT_NEAR(multi.hamming_loss(), 2.0 / 5, kTolerance);
  EXPECT_NEAR(multi.subset_accuracy(), 1.0 / 3, kTolerance);
  ExpectAverage(multi.micro(), 2.0 / 3, 2.0 / 3, 2.0 / 3);
  ExpectAverage(multi.example(), 2.0 / 3, 1.5 / 3, (1 + 2.0 / 3) / 3);
  EXPECT_NEAR(multi.jaccard(), (1 + .5) / 3, kTolerance);
  ExpectLabel(report->labels(0), "a", 2, 1, .5, 2.0 / 3);
  ExpectLabel(report->labels(1), "b", 1, .5, 1, 2.0 / 3);
  EXPECT_NEAR(report->labels(0).roc_auc(), 1, kTolerance);  // .9, .4 above .2
  EXPECT_NEAR(report->labels(1).average_precision(), 1, kTolerance);
  EXPECT_EQ(MeasureMultiLabel({"a"}, {.5f}, {u}, {.5}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(MultiLabelMetrics, RefuseSizesThatDoNotFit) {
  EXPECT_EQ(MeasureMultiLabel({"a"}, {.5f}, {1}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MeasureMultiLabel({"a", "b"}, {.5f, .5f}, {1, 0, 1}, {.5, .5}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MeasureMultiLabel({"a"}, {}, {}, {.5}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// ---- Choosing.

v1::Measures Single(double accuracy, double log_loss) {
  v1::Measures measures;
  measures.mutable_single_label()->set_accuracy(accuracy);
  measures.set_log_loss(log_loss);
  return measures;
}

v1::Measures Multi(double hamming_loss, double log_loss) {
  v1::Measures measures;
  measures.mutable_multi_label()->set_hamming_loss(hamming_loss);
  measures.set_log_loss(log_loss);
  return measures;
}

TEST(IsBetter, PrefersTheTasksMeasureThenTheLogLoss) {
  v1::TrainingConfig config;
  config.set_task(v1::TASK_SINGLE_LABEL);
  const NamedMeasure& accuracy = BestMeasureOf(config);
  EXPECT_TRUE(IsBetter(accuracy, Single(.9, 1), Single(.8, .1)));
  EXPECT_FALSE(IsBetter(accuracy, Single(.8, .1), Single(.9, 1)));
  EXPECT_TRUE(IsBetter(accuracy, Single(.9, .1), Single(.9, .2)));
  EXPECT_FALSE(IsBetter(accuracy, Single(.9, .1), Single(.9, .1)));
  config.set_task(v1::TASK_MULTI_LABEL);
  const NamedMeasure& hamming_loss = BestMeasureOf(config);
  EXPECT_TRUE(IsBetter(hamming_loss, Multi(.1, 1), Multi(.2, .1)));
  EXPECT_FALSE(IsBetter(hamming_loss, Multi(.2, .1), Multi(.1, 1)));
  EXPECT_TRUE(IsBetter(hamming_loss, Multi(.1, .1), Multi(.1, .2)));
  config.set_best_measure("log_loss");
  EXPECT_TRUE(IsBetter(BestMeasureOf(config), Multi(.2, .1), Multi(.1, 1)));
}

TEST(IsBetter, PutsWhatIsNotDefinedLast) {
  const NamedMeasure& area = *FindMeasure(v1::TASK_SINGLE_LABEL, "macro_roc_auc");
  v1::Measures defined = Single(.1, 1);
  defined.mutable_single_label()->set_macro_roc_auc(0);
  EXPECT_TRUE(IsBetter(area, defined, Single(.9, .1)));
  EXPECT_FALSE(IsBetter(area, Single(.9, .1), defined));
  EXPECT_TRUE(IsBetter(area, Single(.9, .1), Single(.9, .2)));
}

// Every name reads its own field: no two agree on measures that all differ.
TEST(NamedMeasures, ReadTheFieldOfTheirName) {
  v1::Measures single = Single(.11, .12);
  v1::SingleLabelMeasures& one = *single.mutable_single_label();
  one.set_balanced_accuracy(.13);
  one.mutable_macro()->set_f1(.14);
  one.mutable_weighted()->set_f1(.15);
  one.set_macro_roc_auc(.16);
  const std::map<std::string, double> expected_single = {
      {"accuracy", .11},    {"balanced_accuracy", .13}, {"macro_f1", .14},
      {"weighted_f1", .15}, {"macro_roc_auc", .16},     {"log_loss", .12}};
  v1::Measures multi = Multi(.21, .22);
  v1::MultiLabelMeasures& many = *multi.mutable_multi_label();
  many.set_subset_accuracy(.23);
  many.mutable_micro()->set_f1(.24);
  many.mutable_macro()->set_f1(.25);
  many.mutable_weighted()->set_f1(.26);
  many.mutable_example()->set_f1(.27);
  many.set_jaccard(.28);
  many.set_mean_average_precision(.29);
  many.set_macro_roc_auc(.2);
  const std::map<std::string, double> expected_multi = {
      {"hamming_loss", .21}, {"subset_accuracy", .23},
      {"micro_f1", .24},     {"macro_f1", .25},
      {"weighted_f1", .26},  {"example_f1", .27},
      {"jaccard", .28},      {"mean_average_precision", .29},
      {"macro_roc_auc", .2}, {"log_loss", .22}};
  const auto read = [](v1::Task task, const v1::Measures& measures) {
    std::map<std::string, double> values;
    for (const NamedMeasure& measure : MeasuresOf(task)) {
      values[std::string(measure.name)] = measure.get(measures).value();
    }
    return values;
  };
  EXPECT_EQ(read(v1::TASK_SINGLE_LABEL, single), expected_single);
  EXPECT_EQ(read(v1::TASK_MULTI_LABEL, multi), expected_multi);
  EXPECT_EQ(FindMeasure(v1::TASK_SINGLE_LABEL, "hamming_loss"), nullptr);
}

}  // namespace
}  // namespace fovea
