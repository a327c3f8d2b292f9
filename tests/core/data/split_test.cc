#include "core/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/base/sha256.h"

namespace fovea {
namespace {

using ::testing::Each;

UnsplitImage MakeUnsplit(int i, std::vector<int32_t> labels) {
  const Sha256Digest digest = Sha256(absl::StrCat("image ", i));
  return {std::move(labels), std::string(digest.begin(), digest.end())};
}

SplitCounts CountWithLabel(const std::vector<UnsplitImage>& images,
                           const std::vector<Split>& splits, int32_t label) {
  SplitCounts counts = {};
  for (size_t i = 0; i < images.size(); ++i) {
    const std::vector<int32_t>& labels = images[i].labels;
    if (std::count(labels.begin(), labels.end(), label)) ++counts[static_cast<size_t>(splits[i])];
  }
  return counts;
}

TEST(AssignSplits, KeepsTheFractionsOfEachClass) {
  std::vector<UnsplitImage> images;
  for (int i = 0; i < 100; ++i) images.push_back(MakeUnsplit(i, {i < 70 ? 0 : i < 90 ? 1 : 2}));
  const auto splits = AssignSplits({}, images, std::vector<SplitCounts>(3), {});
  EXPECT_EQ(CountWithLabel(images, splits, 0), (SplitCounts{56, 7, 7}));
  EXPECT_EQ(CountWithLabel(images, splits, 1), (SplitCounts{16, 2, 2}));
  EXPECT_EQ(CountWithLabel(images, splits, 2), (SplitCounts{8, 1, 1}));
}

TEST(AssignSplits, DoesNotDependOnTheOrderOfImages) {
  std::vector<UnsplitImage> images;
  for (int i = 0; i < 50; ++i) images.push_back(MakeUnsplit(i, {i % 3}));
  const auto splits = AssignSplits({}, images, std::vector<SplitCounts>(3), {});
  std::vector<UnsplitImage> backwards(images.rbegin(), images.rend());
  auto again = AssignSplits({}, backwards, std::vector<SplitCounts>(3), {});
  std::reverse(again.begin(), again.end());
  EXPECT_EQ(again, splits);
}

TEST(AssignSplits, DependsOnTheSeed) {
  std::vector<UnsplitImage> images;
  for (int i = 0; i < 50; ++i) images.push_back(MakeUnsplit(i, {0}));
  SplitPlan other;
  other.seed = 2;
  EXPECT_NE(AssignSplits({}, images, std::vector<SplitCounts>(1), {}),
            AssignSplits(other, images, std::vector<SplitCounts>(1), {}));
}

TEST(AssignSplits, KeepsTheFractionsOfEachLabelOfManyRareLabelSets) {
  constexpr int kLabels = 10;
  std::vector<UnsplitImage> images;
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    std::vector<int32_t> labels;
    for (int l = 0; l < kLabels; ++l) {
      if (random.Uniform() < 0.3) labels.push_back(l);
    }
    images.push_back(MakeUnsplit(i, labels));
  }
  const auto splits = AssignSplits({}, images, std::vector<SplitCounts>(kLabels), {});
  SplitCounts all = {};
  for (Split split : splits) ++all[static_cast<size_t>(split)];
  EXPECT_NEAR(static_cast<double>(all[0]), 800, 10);
  EXPECT_NEAR(static_cast<double>(all[1]), 100, 10);
  for (int l = 0; l < kLabels; ++l) {
    const SplitCounts counts = CountWithLabel(images, splits, l);
    const double total = static_cast<double>(counts[0] + counts[1] + counts[2]);
    EXPECT_NEAR(static_cast<double>(counts[0]) / total, 0.8, 0.03) << l;
    EXPECT_NEAR(static_cast<double>(counts[1]) / total, 0.1, 0.03) << l;
  }
}

TEST(AssignSplits, DividesImagesWithoutLabels) {
  std::vector<UnsplitImage> images;
  for (int i = 0; i < 20; ++i) images.push_back(MakeUnsplit(i, {}));
  const auto splits = AssignSplits({}, images, {}, {});
  EXPECT_EQ(std::count(splits.begin(), splits.end(), Split::kTrain), 16);
  EXPECT_EQ(std::count(splits.begin(), splits.end(), Split::kTest), 2);
}

TEST(AssignSplits, CountsWhatIsThereAlready) {
  std::vector<UnsplitImage> images;
  for (int i = 0; i < 80; ++i) images.push_back(MakeUnsplit(i, {0}));
  // 20 test images exist: more than a tenth of 100, so none is added.
  const auto splits =
      AssignSplits({}, images, std::vector<SplitCounts>{{0, 0, 20}}, SplitCounts{0, 0, 20});
  EXPECT_EQ(std::count(splits.begin(), splits.end(), Split::kTest), 0);
}

TEST(AssignSplits, GivesNothingToASplitWithoutAFraction) {
  std::vector<UnsplitImage> images;
  for (int i = 0; i < 7; ++i) images.push_back(MakeUnsplit(i, {i}));
  const SplitPlan plan = {
      .seed = 1, .train_fraction = 1, .validation_fraction = 0, .test_fraction = 0};
  EXPECT_THAT(AssignSplits(plan, images, std::vector<SplitCounts>(7), {}), Each(Split::kTrain));
}

}  // namespace
}  // namespace fovea
