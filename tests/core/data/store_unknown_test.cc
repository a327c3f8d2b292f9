// Labels of which an import says that they are unknown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/data/store_dataset.h"
#include "core/data/store_private.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using testing::DatasetStoreTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Item;
using testing::Labels;
using ::testing::NanSensitiveFloatEq;

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

TEST_F(DatasetStoreTest, TellsUnknownLabelsFromAbsentOnes) {
  auto store = Make(Task::kMultiLabel);
  const ImportItem items[] = {
      Item(1, Labels{"sea", "?sand"}, Split::kTrain), Item(2, Labels{"?sea"}, Split::kTrain),
      Item(3, Labels{}, Split::kTrain), Item(4, Labels{"?sand", "?sand"}, Split::kTest)};
  const auto summary = store->Import("", items);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->imported, 4);
  EXPECT_THAT(store->Labels(1).value(), ElementsAre("sea", "sand"));
  const auto rows = store->ListImages(Split::kTrain, 1).value();
  ASSERT_EQ(rows.size(), 3);
  EXPECT_THAT(rows[0].labels, ElementsAre(0));
  EXPECT_THAT(rows[0].unknown, ElementsAre(1));
  EXPECT_THAT(rows[1].labels, IsEmpty());
  EXPECT_THAT(rows[1].unknown, ElementsAre(0));
  EXPECT_THAT(rows[2].unknown, IsEmpty());
  EXPECT_THAT(store->ListImages(Split::kTest, 1).value()[0].unknown, ElementsAre(1));
  // Counts are of the labels that apply.
  EXPECT_EQ(store->Statistics()->labels[0].total(), 1);
  EXPECT_EQ(store->Statistics()->labels[1].total(), 0);

  StoreDataset::Options options;
  options.path = path_;
  options.revision = 1;
  options.shape = {2, 1, 1};
  const auto dataset = StoreDataset::Open(options);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->Get(0)->target, ElementsAre(1, NanSensitiveFloatEq(kUnknown)));
  EXPECT_THAT((*dataset)->Get(1)->target, ElementsAre(NanSensitiveFloatEq(kUnknown), 0));
  EXPECT_THAT((*dataset)->Get(2)->target, ElementsAre(0, 0));
}

TEST_F(DatasetStoreTest, RefusesALabelThatIsGivenAndUnknown) {
  auto store = Make(Task::kMultiLabel, {"sea"});
  const ImportItem items[] = {Item(1, Labels{"sea", "?sea"}), Item(2, Labels{"?"}),
                              Item(3, Labels{"?sand"})};
  const auto summary = store->Import("", items);
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_EQ(summary->errors.size(), 3);
  for (const ImportError& error : summary->errors) EXPECT_EQ(error.fault, ImportFault::kBadLabel);
  EXPECT_EQ(summary->errors[0].message, "label \"sea\" is given and unknown at once");
  EXPECT_THAT(summary->errors[1].message, HasSubstr("0 bytes"));
  EXPECT_THAT(summary->errors[2].message, HasSubstr("label \"sand\" is not one of"));
}

TEST_F(DatasetStoreTest, KeepsQuestionMarksOutOfMultiLabelNamesOnly) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      DatasetStore::Create(path_, {"set", Task::kMultiLabel, {"?sea"}, {}}, {}).status()));
  auto store = Make(Task::kSingleLabel, {"?sea", "sand"});
  const ImportItem items[] = {Item(1, Labels{"?sea"}, Split::kTrain)};
  EXPECT_EQ(store->Import("", items)->imported, 1);
  EXPECT_THAT(store->ListImages(Split::kTrain, 1).value()[0].labels, ElementsAre(0));
}

// Files that were made before there were unknown labels.
TEST_F(DatasetStoreTest, ReadsAndFillsAFileWithoutTheTable) {
  Make(Task::kMultiLabel, {"sea"});
  internal::OpenConnection(path_, DatasetStore::Mode::kReadWrite)
      ->exec("DROP TABLE unknown_labels");
  EXPECT_THAT(Reopen(DatasetStore::Mode::kReadOnly)->ListImages(Split::kTrain, 0).value(),
              IsEmpty());
  auto store = Reopen();
  const ImportItem items[] = {Item(1, Labels{"?sea"}, Split::kTrain)};
  ASSERT_EQ(store->Import("", items)->imported, 1);
  EXPECT_THAT(store->ListImages(Split::kTrain, 1).value()[0].unknown, ElementsAre(0));
}

}  // namespace
}  // namespace fovea
