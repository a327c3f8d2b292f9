// Data sets of binary tasks and regressions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/data/store.h"
#include "core/data/store_dataset.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using testing::DatasetStoreTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Item;
using testing::Labels;

std::vector<float> Target(const Dataset& dataset, int64_t i) {
  std::vector<float> target(static_cast<size_t>(dataset.labels()));
  EXPECT_TRUE(dataset.ReadTarget(i, target.data()).ok());
  return target;
}

TEST_F(DatasetStoreTest, BinaryHasTwoLabelsAndOneTarget) {
  for (const Labels& labels : {Labels{}, Labels{"a"}, Labels{"a", "b", "c"}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        DatasetStore::Create(path_, {"set", Task::kBinary, labels, {}}, {}).status()));
  }
  const auto store = Make(Task::kBinary, {"no", "yes"});
  const ImportItem items[] = {
      Item(1, Labels{"yes"}, Split::kTrain), Item(2, Labels{"no"}, Split::kTrain),
      Item(3, Labels{"maybe"}, Split::kTrain), Item(4, Labels{}), Item(5, Labels{"no", "yes"})};
  const ImportSummary summary = store->Import("", items).value();
  EXPECT_EQ(summary.imported, 2);
  ASSERT_EQ(summary.errors.size(), 3u);
  EXPECT_EQ(summary.errors[0].fault, ImportFault::kBadLabel);
  EXPECT_EQ(summary.errors[1].fault, ImportFault::kLabelCount);
  EXPECT_THAT(summary.errors[2].message, HasSubstr("exactly 1 in a binary data set"));
  EXPECT_TRUE(ValidateForTraining(store->Statistics().value(), {Split::kTrain}).ok());

  StoreDataset::Options options;
  options.path = path_;
  options.revision = 1;
  options.shape = {2, 1, 1};
  const auto dataset = StoreDataset::Open(options).value();
  EXPECT_EQ(dataset->labels(), 1);
  EXPECT_THAT(dataset->label_names(), ElementsAre("no", "yes"));
  EXPECT_THAT(Target(*dataset, 0), ElementsAre(1));
  EXPECT_THAT(Target(*dataset, 1), ElementsAre(0));
}

TEST_F(DatasetStoreTest, RegressionKeepsNumbersAndTheirStatistics) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      DatasetStore::Create(path_, {"set", Task::kRegression, {}, {}}, {}).status()));
  const auto store = Make(Task::kRegression, {"age", "height"});
  const ImportItem items[] = {Item(1, Labels{"30", "1.5"}, Split::kTrain),
                              Item(2, Labels{"-2.5e1", "1.75"}, Split::kTrain),
                              Item(3, Labels{"40", "2"}, Split::kTest)};
  ASSERT_EQ(store->Import("", items).value().imported, 3);
  const auto reopened = Reopen();
  const DatasetStatistics statistics = reopened->Statistics().value();
  ASSERT_EQ(statistics.targets.size(), 2u);
  EXPECT_EQ(statistics.targets[0].name, "age");
  EXPECT_EQ(statistics.targets[0].mean, 15);
  EXPECT_EQ(statistics.targets[0].min, -25);
  EXPECT_EQ(statistics.targets[0].max, 40);
  EXPECT_NEAR(statistics.targets[0].stddev, 28.577380332470412, 1e-12);  // numpy.std
  EXPECT_EQ(statistics.targets[1].mean, 1.75);
  EXPECT_EQ(statistics.unmarked, 0);
  EXPECT_FALSE(statistics.imbalance_ratio.has_value());
  EXPECT_TRUE(ValidateForTraining(statistics, {Split::kTrain}).ok());

  StoreDataset::Options options;
  options.path = path_;
  options.revision = 1;
  options.shape = {2, 1, 1};
  const auto dataset = StoreDataset::Open(options).value();
  ASSERT_EQ(dataset->size(), 2);
  EXPECT_EQ(dataset->labels(), 2);
  EXPECT_THAT(Target(*dataset, 0), ElementsAre(30, 1.5f));
  EXPECT_THAT(dataset->Get(1).value().target, ElementsAre(-25, 1.75f));
}

TEST_F(DatasetStoreTest, RegressionNamesWhatIsNoNumber) {
  const struct {
    Task task;
    Labels values;
    ImportFault fault;
    const char* message;
  } cases[] = {
      {Task::kRegression,
       {"thirty", "1"},
       ImportFault::kBadNumber,
       "target \"age\" is \"thirty\", expected a finite number"},
      {Task::kRegression, {"1", "nan"}, ImportFault::kBadNumber, "target \"height\" is \"nan\""},
      {Task::kRegression, {"inf", "1"}, ImportFault::kBadNumber, "expected a finite number"},
      {Task::kRegression, {"1e300", "1"}, ImportFault::kBadNumber, "expected a finite number"},
      {Task::kRegression, {"", "1"}, ImportFault::kBadNumber, "target \"age\" is \"\""},
      {Task::kRegression, {"1"}, ImportFault::kLabelCount, "1 numbers, expected 2"},
      {Task::kRegression, {}, ImportFault::kLabelCount, "one for each target: age, height"},
      {Task::kUnitRegression, {"1.5", "1"}, ImportFault::kBadNumber, "expected a number in [0, 1]"},
      {Task::kUnitRegression, {"0", "-0.1"}, ImportFault::kBadNumber, "in [0, 1]"},
  };
  int file = 0;
  for (const auto& c : cases) {
    path_ = dir_.File(absl::StrCat("set", file++, ".sqlite"));
    const auto store = Make(c.task, {"age", "height"});
    const ImportItem items[] = {Item(1, c.values), Item(2, Labels{"0.5", "1"})};
    const ImportSummary summary = store->Import("", items).value();
    EXPECT_EQ(summary.imported, 1);
    ASSERT_EQ(summary.errors.size(), 1u);
    EXPECT_EQ(summary.errors[0].fault, c.fault);
    EXPECT_EQ(summary.errors[0].index, 0);
    EXPECT_THAT(summary.errors[0].message, HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace fovea
