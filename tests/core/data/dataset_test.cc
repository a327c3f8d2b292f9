#include "core/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/file_system.h"
#include "core/data/preprocess.h"
#include "core/data/store_dataset.h"
#include "tests/core/data/pictures.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Labels;
using testing::MakeImage;

TEST(InMemoryDataset, GivesBackItsExamples) {
  const auto dataset = InMemoryDataset::Create({{MakeImage(2, 2, 1, 0), {1, 0}, "a"},
                                                {MakeImage(2, 2, 1, 1), {0, 1}, "b"}})
                           .value();
  EXPECT_EQ(dataset.size(), 2);
  EXPECT_EQ(dataset.shape(), (PixelShape{2, 2, 1}));
  EXPECT_EQ(dataset.labels(), 2);
  const Example example = dataset.Get(1).value();
  EXPECT_EQ(example.image, MakeImage(2, 2, 1, 1));
  EXPECT_THAT(example.target, ElementsAre(0, 1));
  EXPECT_EQ(example.id, "b");
  EXPECT_TRUE(absl::IsOutOfRange(dataset.Get(2).status()));
  EXPECT_TRUE(absl::IsOutOfRange(dataset.Get(-1).status()));
}

TEST(InMemoryDataset, RefusesExamplesThatDiffer) {
  const Example first = {MakeImage(2, 2, 1), {1, 0}, "a"};
  const absl::Status shape =
      InMemoryDataset::Create({first, {MakeImage(3, 2, 1), {1, 0}, "b"}}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(shape));
  EXPECT_THAT(std::string(shape.message()), HasSubstr("example 1 \"b\" is 3x2x1"));
  EXPECT_FALSE(InMemoryDataset::Create({first, {MakeImage(2, 2, 1), {1}, "b"}}).ok());
}

class StoreDatasetTest : public testing::DatasetStoreTest {
 protected:
  void SetUp() override {
    store_ = Make(Task::kMultiLabel);
    std::vector<ImportItem> items;
    for (int i = 0; i < 6; ++i) {
      Labels labels;
      if (i > 0) labels.push_back(i % 2 ? "odd" : "even");
      if (i == 3) labels.push_back("three");
      items.push_back({absl::StrCat("image", i), EncodePng(Picture(i)).value(), labels,
                       i < 5 ? Split::kTrain : Split::kTest});
    }
    ASSERT_EQ(store_->Import("", items).value().imported, 6);
  }
  static Image Picture(int i) { return MakeImage(10 + i, 20, i % 2 ? 1 : 3, i); }

  StoreDataset::Options Options() const {
    StoreDataset::Options options;
    options.path = path_;
    options.revision = 1;
    options.shape = kShape;
    return options;
  }

  static constexpr PixelShape kShape = {8, 8, 3};
  std::unique_ptr<DatasetStore> store_;
};

TEST_F(StoreDatasetTest, HasTheSplitsExamplesPreprocessed) {
  const auto dataset = StoreDataset::Open(Options()).value();
  EXPECT_EQ(dataset->size(), 5);
  EXPECT_EQ(dataset->cached(), 5);
  EXPECT_THAT(dataset->label_names(), ElementsAre("odd", "even", "three"));
  for (int i = 0; i < 5; ++i) {
    const Example example = dataset->Get(i).value();
    std::vector<uint8_t> expected(kShape.bytes());
    ASSERT_TRUE(Preprocess(Picture(i), kShape, expected.data()).ok());
    EXPECT_EQ(example.image.pixels, expected);
    EXPECT_EQ(example.id, absl::StrCat("image", i));
  }
  EXPECT_THAT(dataset->Get(0)->target, ElementsAre(0, 0, 0));
  EXPECT_THAT(dataset->Get(2)->target, ElementsAre(0, 1, 0));
  EXPECT_THAT(dataset->Get(3)->target, ElementsAre(1, 0, 1));
}

TEST_F(StoreDatasetTest, IsTheSameWithLessMemoryAndMoreThreads) {
  const auto whole = StoreDataset::Open(Options()).value();
  for (int threads : {1, 3}) {
    for (int64_t examples : {0, 2, 100}) {
      StoreDataset::Options options = Options();
      options.threads = threads;
      options.cache_bytes = examples * static_cast<int64_t>(kShape.bytes()) + 1;
      const auto dataset = StoreDataset::Open(options).value();
      EXPECT_EQ(dataset->cached(), std::min<int64_t>(examples, 5));
      for (int i = 0; i < 5; ++i) EXPECT_EQ(dataset->Get(i)->image, whole->Get(i)->image);
    }
  }
}

TEST_F(StoreDatasetTest, StaysAtItsRevision) {
  const ImportItem items[] = {
      {"new", EncodePng(MakeImage(3, 3, 1)).value(), Labels{"other"}, Split::kTrain}};
  ASSERT_TRUE(store_->Import("", items).ok());
  const auto dataset = StoreDataset::Open(Options()).value();
  EXPECT_EQ(dataset->size(), 5);
  EXPECT_EQ(dataset->labels(), 3);
  StoreDataset::Options options = Options();
  options.revision = 3;
  EXPECT_TRUE(absl::IsFailedPrecondition(StoreDataset::Open(options).status()));
  options.path = dir_.File("none");
  EXPECT_TRUE(absl::IsNotFound(StoreDataset::Open(options).status()));
}

TEST_F(StoreDatasetTest, MayBeEmpty) {
  StoreDataset::Options options = Options();
  options.split = Split::kValidation;
  EXPECT_EQ(StoreDataset::Open(options).value()->size(), 0);
}

TEST_F(StoreDatasetTest, StopsWhenCancelled) {
  CancelToken cancel;
  cancel.Cancel();
  StoreDataset::Options options = Options();
  options.cancel = &cancel;
  EXPECT_TRUE(absl::IsCancelled(StoreDataset::Open(options).status()));
}

TEST_F(StoreDatasetTest, NamesAnImageThatIsDamaged) {
  const std::string picture = EncodePng(Picture(2)).value();
  store_.reset();
  std::string file = FileSystem::Real()->Read(path_).value();
  const size_t at = file.find(picture);
  ASSERT_NE(at, std::string::npos);
  file[at + picture.size() / 2] ^= 1;
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(path_, file).ok());
  EXPECT_TRUE(absl::IsDataLoss(StoreDataset::Open(Options()).status()));
}

}  // namespace
}  // namespace fovea
