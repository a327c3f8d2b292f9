#include "core/data/rand_augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/data/augment_color.h"
#include "core/data/augment_geometry.h"
#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

constexpr PixelShape kShape = {20, 15, 3};

std::vector<uint8_t> Pixels() {
  return testing::MakeImage(kShape.width, kShape.height, kShape.channels, 6).pixels;
}

std::vector<uint8_t> After(RandOp op, double magnitude, int sign) {
  std::vector<uint8_t> pixels = Pixels(), scratch;
  EXPECT_TRUE(
      ApplyRandOp(op, magnitude, sign, PadMode::kZero, kShape, pixels.data(), &scratch).ok());
  return pixels;
}

std::vector<uint8_t> Warped(const Warp& warp) {
  std::vector<uint8_t> out(kShape.bytes());
  EXPECT_TRUE(ApplyWarp(warp, PadMode::kZero, kShape, Pixels().data(), out.data()).ok());
  return out;
}

TEST(RandOp, StretchesContrast) {
  std::vector<uint8_t> row = {50, 100, 60, 100};
  AutoContrast({4, 1, 1}, row.data());
  EXPECT_THAT(row, ElementsAre(0, 255, 51, 255));
  std::vector<uint8_t> flat = {7, 7};
  AutoContrast({2, 1, 1}, flat.data());
  EXPECT_THAT(flat, ElementsAre(7, 7));
}

TEST(RandOp, Equalizes) {
  // 1020 values of four levels: step = (1020 - 255) / 255 = 3; a level becomes (1 + those below)
  // / 3.
  std::vector<uint8_t> row(1020);
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<uint8_t>(10 + i / 255);
  Equalize({1020, 1, 1}, row.data());
  EXPECT_EQ(row[0], 0);
  EXPECT_EQ(row[255], 256 / 3);
  EXPECT_EQ(row[510], 511 / 3);
  EXPECT_EQ(row[765], 255);
}

TEST(RandOp, SolarizesAndPosterizes) {
  std::vector<uint8_t> row = {0, 99, 100, 255};
  Solarize(100, {4, 1, 1}, row.data());
  EXPECT_THAT(row, ElementsAre(0, 99, 155, 0));
  row = {0, 63, 130, 255};
  Posterize(2, {4, 1, 1}, row.data());
  EXPECT_THAT(row, ElementsAre(0, 0, 128, 192));
  Posterize(8, {4, 1, 1}, row.data());
  EXPECT_THAT(row, ElementsAre(0, 0, 128, 192));
}

TEST(RandOp, SharpensInside) {
  const std::vector<uint8_t> before = {9, 1, 9, 1, 100, 1, 9, 1, 9};
  std::vector<uint8_t> after = before, scratch;
  Sharpen(0, {3, 3, 1}, after.data(), &scratch);
  // (9 + 1 + 9 + 1 + 5 * 100 + 1 + 9 + 1 + 9) / 13 = 41.5
  EXPECT_THAT(after, ElementsAre(9, 1, 9, 1, 42, 1, 9, 1, 9));
  after = before;
  Sharpen(1, {3, 3, 1}, after.data(), &scratch);
  EXPECT_EQ(after, before);
}

TEST(RandOp, HasItsStrengthAtEachMagnitude) {
  EXPECT_EQ(After(RandOp::kIdentity, 30, 1), Pixels());
  EXPECT_EQ(After(RandOp::kRotate, 15, -1), Warped(RotationWarp(kShape, -15)));
  EXPECT_EQ(After(RandOp::kTranslateX, 10, 1), Warped(AffineWarp(kShape, 0.15 * 20, 0, 1, 0, 0)));
  EXPECT_EQ(After(RandOp::kTranslateY, 10, -1), Warped(AffineWarp(kShape, 0, -0.15 * 15, 1, 0, 0)));
  const double shear = std::atan(0.3) * 180 / 3.14159265358979323846;
  EXPECT_EQ(After(RandOp::kShearX, 30, 1), Warped(AffineWarp(kShape, 0, 0, 1, shear, 0)));
  EXPECT_EQ(After(RandOp::kShearY, 30, -1), Warped(AffineWarp(kShape, 0, 0, 1, 0, -shear)));

  std::vector<uint8_t> expected = Pixels();
  ScaleBrightness(1 - 0.45, kShape, expected.data());
  EXPECT_EQ(After(RandOp::kBrightness, 15, -1), expected);
  expected = Pixels();
  ScaleContrast(1 + 0.9, kShape, expected.data());
  EXPECT_EQ(After(RandOp::kContrast, 30, 1), expected);
  expected = Pixels();
  ScaleSaturation(1 + 0.3, kShape, expected.data());
  EXPECT_EQ(After(RandOp::kColor, 10, 1), expected);
  expected = Pixels();
  Posterize(4, kShape, expected.data());
  EXPECT_EQ(After(RandOp::kPosterize, 30, 1), expected);
  expected = Pixels();
  Solarize(127.5, kShape, expected.data());
  EXPECT_EQ(After(RandOp::kSolarize, 15, 1), expected);
}

TEST(RandAugment, AppliesAsManyOfTheFourteenAsAsked) {
  std::vector<uint8_t> scratch;
  RandAugmentOptions options = {.probability = 1, .operations = 1, .magnitude = 20};
  std::set<std::vector<uint8_t>> single;
  for (uint64_t i = 0; i < 400; ++i) {
    std::vector<uint8_t> pixels = Pixels();
    ASSERT_TRUE(
        ApplyRandAugment(options, PadMode::kZero, 1, Random(i), kShape, pixels.data(), &scratch)
            .ok());
    single.insert(pixels);
    pixels = Pixels();
    ASSERT_TRUE(
        ApplyRandAugment(options, PadMode::kZero, 0, Random(i), kShape, pixels.data(), &scratch)
            .ok());
    EXPECT_EQ(pixels, Pixels());
  }
  // Every outcome of one operation, and no other. Nine have two signs.
  std::set<std::vector<uint8_t>> every;
  for (int op = 0; op < kRandOps; ++op) {
    for (int sign : {1, -1}) every.insert(After(static_cast<RandOp>(op), 20, sign));
  }
  EXPECT_EQ(single, every);
  EXPECT_EQ(every.size(), 14u + 9);
}

}  // namespace
}  // namespace fovea
