#include "core/data/dataset_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fovea {
namespace {

using ::testing::HasSubstr;

TEST(ValidateForTraining, SaysWhatIsMissing) {
  const auto message = [](const DatasetStatistics& statistics) {
    const absl::Status status =
        ValidateForTraining(statistics, {Split::kTrain, Split::kValidation});
    EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status));
    return std::string(status.message());
  };
  DatasetStatistics statistics;
  statistics.name = "set";
  EXPECT_THAT(message(statistics), HasSubstr("\"set\" at revision 0 has no images"));
  statistics.images = {5, 0, 2};
  EXPECT_THAT(message(statistics), HasSubstr("no images in split \"validation\"; found train 5, "
                                             "validation 0, test 2"));
  statistics.images = {5, 1, 1};
  statistics.labels = {{"cat", {5, 0, 0}}, {"dog", {0, 1, 1}}};
  EXPECT_THAT(message(statistics),
              HasSubstr("training images of 1 of its 2 labels (\"cat\"); single_label training "
                        "needs at least 2"));
  statistics.task = Task::kMultiLabel;
  EXPECT_EQ(message(statistics), "");
  statistics.labels.clear();
  EXPECT_THAT(message(statistics), HasSubstr("0 of its 0 labels; multi_label training needs"));
  statistics.task = Task::kSingleLabel;
  statistics.labels = {{"cat", {4, 0, 0}}, {"dog", {1, 1, 1}}};
  EXPECT_EQ(message(statistics), "");
}

}  // namespace
}  // namespace fovea
