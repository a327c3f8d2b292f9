#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/file_system.h"
#include "core/data/import_path.h"
#include "tests/core/data/pictures.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Idx(std::vector<int> dims, const std::string& values) {
  std::string bytes("\0\0\x08", 3);
  bytes += static_cast<char>(dims.size());
  for (int dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dim >> shift);
  }
  return bytes + values;
}

class ImportIdxTest : public testing::DatasetStoreTest {
 protected:
  ImportIdxTest() { options_.root = dir_.path(); }

  // Imports the two files into a store and answers the summary.
  absl::StatusOr<ImportSummary> Import(const std::string& images, const std::string& labels) {
    EXPECT_TRUE(FileSystem::Real()->WriteAtomically(dir_.File("images"), images).ok());
    EXPECT_TRUE(FileSystem::Real()->WriteAtomically(dir_.File("labels"), labels).ok());
    if (store_ == nullptr) store_ = Make(Task::kSingleLabel);
    return store_->Import(
        "", [&](ImportSink* sink) { return ImportIdx(options_, "images", "labels", sink); });
  }
  std::string FailureOf(const std::string& images, const std::string& labels) {
    const absl::Status status = Import(images, labels).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  ImportPathOptions options_;
  std::unique_ptr<DatasetStore> store_;
  const std::string images_ = Idx({3, 2, 2}, "abcdefghijkl");
  const std::string labels_ = Idx({3}, std::string("\x07\x00\x07", 3));
};

TEST_F(ImportIdxTest, ReadsImagesAndLabels) {
  options_.split = Split::kTrain;
  EXPECT_EQ(Import(images_, labels_).value().imported, 3);
  EXPECT_THAT(store_->Labels(1).value(), ElementsAre("7", "0"));
  const auto rows = store_->ListImages(Split::kTrain, 1).value();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].name, "images#1");
  EXPECT_THAT(rows[1].labels, ElementsAre(1));
  const Image image = DecodeImage(store_->ReadBytes(rows[1].id).value(), {}).value();
  EXPECT_EQ(image, (Image{2, 2, 1, {'e', 'f', 'g', 'h'}}));
}

TEST_F(ImportIdxTest, ReadsGzip) {
  EXPECT_EQ(Import(testing::Gzip(images_), testing::Gzip(labels_)).value().imported, 3);
}

TEST_F(ImportIdxTest, ReadsColour) {
  EXPECT_EQ(Import(Idx({2, 1, 1, 3}, "abcdef"), Idx({2}, "ab")).value().imported, 2);
  EXPECT_THAT(store_->Statistics().value().images_by_channels, ElementsAre(std::pair(3, 2)));
}

TEST_F(ImportIdxTest, ImportsNothingOfATruncatedFile) {
  for (size_t size = 0; size < images_.size(); ++size) FailureOf(images_.substr(0, size), labels_);
  for (size_t size = 0; size < labels_.size(); ++size) FailureOf(images_, labels_.substr(0, size));
  const std::string packed = testing::Gzip(images_);
  FailureOf(packed.substr(0, packed.size() - 9), testing::Gzip(labels_));
  EXPECT_EQ(store_->Statistics().value().total(), 0);
  EXPECT_THAT(FailureOf(images_.substr(0, 20), labels_), HasSubstr("announces 28"));
}

TEST_F(ImportIdxTest, RefusesFilesThatDisagreeOrGoOn) {
  EXPECT_THAT(FailureOf(images_, Idx({2}, "ab")), HasSubstr("dimensions [2], expected [3]"));
  EXPECT_THAT(FailureOf(images_ + "x", labels_), HasSubstr("goes on behind"));
  EXPECT_THAT(FailureOf(labels_, labels_), HasSubstr("dimensions [3], expected images"));
  EXPECT_THAT(FailureOf("PK\3\4 and more", labels_), HasSubstr("begins with 80 75 3 4"));
  EXPECT_THAT(FailureOf(Idx({1 << 30, 1 << 20, 1 << 20}, ""), labels_), HasSubstr("pixels"));
  EXPECT_THAT(FailureOf(Idx({3, 2, 2, 2}, ""), labels_), HasSubstr("[3,2,2,2]"));
}

TEST_F(ImportIdxTest, RefusesPathsThatLeaveTheRoot) {
  RemoveDatasetFile(path_).IgnoreError();
  const auto store = Make(Task::kSingleLabel);
  const auto summary = store->Import(
      "", [&](ImportSink* sink) { return ImportIdx(options_, "../images", "labels", sink); });
  EXPECT_TRUE(absl::IsInvalidArgument(summary.status()));
}

}  // namespace
}  // namespace fovea
