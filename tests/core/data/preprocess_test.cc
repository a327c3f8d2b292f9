#include "core/data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

std::vector<uint8_t> Preprocessed(const Image& image, const PixelShape& shape) {
  std::vector<uint8_t> out(shape.bytes(), 99);
  const absl::Status status = Preprocess(image, shape, out.data());
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

TEST(Preprocess, CopiesPixelsOfTheRightShape) {
  const Image image = testing::MakeImage(9, 7, 3);
  EXPECT_EQ(Preprocessed(image, {9, 7, 3}), image.pixels);
}

TEST(Preprocess, AveragesWhatShrinks) {
  const Image image{4, 2, 1, {0, 100, 10, 10, 100, 200, 10, 50}};
  EXPECT_THAT(Preprocessed(image, {2, 1, 1}), ElementsAre(100, 20));
}

TEST(Preprocess, InterpolatesWhatGrows) {
  const Image image{2, 1, 1, {0, 100}};
  EXPECT_THAT(Preprocessed(image, {4, 1, 1}), ElementsAre(0, 25, 75, 100));
}

TEST(Preprocess, ShrinksOneSideAndGrowsTheOther) {
  const Image image{4, 1, 1, {0, 100, 40, 60}};
  EXPECT_THAT(Preprocessed(image, {2, 2, 1}), ElementsAre(50, 50, 50, 50));
}

TEST(Preprocess, ConvertsBetweenGreyAndColour) {
  const Image grey{1, 1, 1, {42}};
  EXPECT_THAT(Preprocessed(grey, {2, 2, 3}), Each(42));
  const Image red{1, 1, 3, {255, 0, 0}};
  EXPECT_THAT(Preprocessed(red, {1, 1, 1}), ElementsAre(76));  // 0.299 x 255
}

TEST(Preprocess, KeepsTheChannelsInOrder) {
  const Image image{1, 1, 3, {10, 20, 30}};
  EXPECT_THAT(Preprocessed(image, {1, 2, 3}), ElementsAre(10, 20, 30, 10, 20, 30));
}

TEST(Preprocess, RefusesWhatIsNoPicture) {
  std::vector<uint8_t> out(100);
  EXPECT_TRUE(absl::IsInvalidArgument(Preprocess({}, {4, 4, 1}, out.data())));
  EXPECT_TRUE(absl::IsInvalidArgument(Preprocess({2, 2, 1, {1, 2, 3}}, {4, 4, 1}, out.data())));
  EXPECT_TRUE(absl::IsInvalidArgument(Preprocess({1, 1, 1, {1}}, {4, 0, 1}, out.data())));
  EXPECT_TRUE(absl::IsInvalidArgument(Preprocess({1, 1, 1, {1}}, {4, 4, 4}, out.data())));
}

}  // namespace
}  // namespace fovea
