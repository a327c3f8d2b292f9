#include "core/data/augment_erasing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace fovea {
namespace {

constexpr PixelShape kShape = {40, 30, 3};

TEST(RandomErasing, KeepsWithinItsRanges) {
  ErasingOptions options;
  options.erase_probability = 0.5;
  int erased = 0;
  double smallest = 1, largest = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const PixelBox box = ChooseErasing(options, kShape, 1, Random(i)).erased;
    EXPECT_EQ(ChooseErasing(options, kShape, 0, Random(i)).erased, PixelBox());
    if (box.area() == 0) continue;
    ++erased;
    EXPECT_TRUE(box.left >= 0 && box.top >= 0 && box.right <= 40 && box.bottom <= 30);
    // Sides are rounded to pixels, so a box is one whose sides differ by at most a half.
    const double w = box.right - box.left, h = box.bottom - box.top;
    EXPECT_GE((h + 0.5) / (w - 0.5), 0.3);
    EXPECT_LE((h - 0.5) / (w + 0.5), 1 / 0.3);
    EXPECT_GE((h + 0.5) * (w + 0.5), 0.02 * 1200);
    EXPECT_LE((h - 0.5) * (w - 0.5), 0.4 * 1200);
    smallest = std::min(smallest, w * h / 1200);
    largest = std::max(largest, w * h / 1200);
  }
  EXPECT_NEAR(erased, 2000, 130);
  EXPECT_LT(smallest, 0.03);
  EXPECT_GT(largest, 0.38);
}

TEST(RandomErasing, OverwritesTheBoxAndNothingElse) {
  const std::vector<uint8_t> before(kShape.bytes(), 200);
  ErasingChoice choice;
  choice.erased = {5, 10, 15, 12};
  for (const auto& [fill, value] : {std::pair{ErasingFill::kGrey, 128}, {ErasingFill::kBlack, 0}}) {
    std::vector<uint8_t> after = before;
    ApplyErasing(choice, fill, kShape, after.data());
    for (int y = 0; y < 30; ++y) {
      for (int x = 0; x < 40; ++x) {
        const bool inside = x >= 5 && x < 15 && y >= 10 && y < 12;
        for (int c = 0; c < 3; ++c) {
          EXPECT_EQ(after[size_t((y * 40 + x) * 3 + c)], inside ? value : 200);
        }
      }
    }
  }
}

TEST(RandomErasing, FillsWithNoiseOfEveryLevel) {
  const PixelShape shape = {64, 64, 1};
  ErasingChoice choice;
  choice.erased = {0, 0, 64, 64};
  choice.noise_key = 3;
  std::vector<uint8_t> pixels(shape.bytes()), again(shape.bytes());
  ApplyErasing(choice, ErasingFill::kNoise, shape, pixels.data());
  ApplyErasing(choice, ErasingFill::kNoise, shape, again.data());
  EXPECT_EQ(pixels, again);
  EXPECT_EQ(std::set<uint8_t>(pixels.begin(), pixels.end()).size(), 256u);
  double mean = 0;
  for (uint8_t p : pixels) mean += p / 4096.0;
  EXPECT_NEAR(mean, 127.5, 4);
}

TEST(Cutout, IsASquareAboutAPixelCutAtTheBorder) {
  ErasingOptions options;
  options.cutout_probability = 1;
  options.cutout_pixels = 8;
  std::set<int64_t> areas;
  for (uint64_t i = 0; i < 20000; ++i) {
    const PixelBox box = ChooseErasing(options, kShape, 1, Random(i)).cutout;
    areas.insert(box.area());
    const int w = box.right - box.left, h = box.bottom - box.top;
    EXPECT_TRUE(w == 8 || box.left == 0 || box.right == 40);
    EXPECT_TRUE(h == 8 || box.top == 0 || box.bottom == 30);
    EXPECT_GE(w, 4);  // the centre is a pixel of the picture
    EXPECT_GE(h, 4);
  }
  EXPECT_EQ(*areas.rbegin(), 64);
  EXPECT_EQ(*areas.begin(), 16);
  ErasingChoice choice;
  choice.cutout = {0, 0, 4, 4};
  std::vector<uint8_t> pixels(kShape.bytes(), 1);
  ApplyErasing(choice, ErasingFill::kNoise, kShape, pixels.data());
  EXPECT_EQ(std::count(pixels.begin(), pixels.end(), 128), 4 * 4 * 3);
}

}  // namespace
}  // namespace fovea
