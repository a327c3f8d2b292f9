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

TEST(PreprocessEncoded, GivesThePixelsOfDecodingFirst) {
  const std::string grey = testing::Encode(testing::MakeImage(31, 17, 1), ".png");
  for (const std::string& bytes :
       {testing::Encode(testing::MakeImage(31, 17, 3), ".jpg"),
        testing::Encode(testing::MakeImage(31, 17, 3), ".png"),
        testing::Encode(testing::MakeImage(31, 17, 1), ".jpg"), grey, testing::CmykJpeg()}) {
    const absl::StatusOr<Image> image = DecodeImage(bytes, {});
    ASSERT_TRUE(image.ok()) << image.status();
    for (const PixelShape& shape :
         {image->shape(), PixelShape{40, 40, 3}, PixelShape{9, 30, 3}, PixelShape{10, 5, 1}}) {
      std::vector<uint8_t> out(shape.bytes(), 99);
      const absl::Status status = PreprocessEncoded(bytes, {}, shape, out.data());
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(out, Preprocessed(*image, shape)) << shape.ToString();
    }
  }
}

TEST(PreprocessEncoded, RefusesWhatIsNotDecodedOrNoShape) {
  std::vector<uint8_t> out(100);
  EXPECT_TRUE(absl::IsInvalidArgument(PreprocessEncoded("no picture", {}, {4, 4, 1}, out.data())));
  const std::string bytes = testing::Encode(testing::MakeImage(3, 3, 3), ".png");
  EXPECT_TRUE(absl::IsInvalidArgument(PreprocessEncoded(bytes, {}, {4, 0, 3}, out.data())));
  EXPECT_TRUE(
      absl::IsOutOfRange(PreprocessEncoded(bytes, {.max_bytes = 10}, {4, 4, 3}, out.data())));
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
