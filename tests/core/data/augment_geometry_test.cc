#include "core/data/augment_geometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

constexpr PixelShape kShape = {24, 17, 3};

// The value at a point between pixels, black or mirrored outside.
double Sample(const Image& image, double x, double y, int channel, PadMode mode) {
  const auto reflect = [](int at, int n) {
    while (at < 0 || at >= n) at = at < 0 ? -at : 2 * (n - 1) - at;
    return at;
  };
  const auto pixel = [&](int px, int py) -> double {
    const bool inside = px >= 0 && px < image.width && py >= 0 && py < image.height;
    if (!inside && mode == PadMode::kZero) return 0;
    px = reflect(px, image.width);
    py = reflect(py, image.height);
    return image.pixels[static_cast<size_t>((py * image.width + px) * image.channels + channel)];
  };
  const int left = static_cast<int>(std::floor(x)), top = static_cast<int>(std::floor(y));
  const double u = x - left, v = y - top;
  return (1 - v) * ((1 - u) * pixel(left, top) + u * pixel(left + 1, top)) +
         v * ((1 - u) * pixel(left, top + 1) + u * pixel(left + 1, top + 1));
}

// Checks that `warp` shows, at each pixel, the point that `to_source` tells.
template <typename ToSource>
void ExpectShows(const Warp& warp, PadMode mode, ToSource to_source) {
  for (int channels : {1, 3}) {
    const PixelShape shape = {kShape.width, kShape.height, channels};
    const Image image = testing::MakeImage(shape.width, shape.height, channels, 5);
    std::vector<uint8_t> out(shape.bytes());
    ASSERT_TRUE(ApplyWarp(warp, mode, shape, image.pixels.data(), out.data()).ok());
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        const auto [sx, sy] = to_source(x, y);
        for (int c = 0; c < channels; ++c) {
          const double found = out[static_cast<size_t>((y * shape.width + x) * channels + c)];
          // OpenCV places points to 1/32 of a pixel.
          EXPECT_NEAR(found, Sample(image, sx, sy, c, mode), 9) << x << "," << y;
        }
      }
    }
  }
}

using Point = std::pair<double, double>;

TEST(Warp, CropsWhatTheRectangleHolds) {
  // Pixel centre x + 1/2 of 24 lies at the same share of the rectangle's width.
  ExpectShows(CropWarp(kShape, 3.5, 2, 12, 10), PadMode::kZero, [](int x, int y) -> Point {
    return {3.5 + (x + 0.5) * 12 / kShape.width - 0.5, 2 + (y + 0.5) * 10 / kShape.height - 0.5};
  });
  EXPECT_TRUE(CropWarp(kShape, 0, 0, kShape.width, kShape.height).IsIdentity());
}

TEST(Warp, RotatesAboutTheMiddle) {
  for (double degrees : {0.0, 20.0, -75.0}) {
    for (PadMode mode : {PadMode::kZero, PadMode::kReflect}) {
      ExpectShows(RotationWarp(kShape, degrees), mode, [&](int x, int y) -> Point {
        // The angle of the pixel, seen with y upwards, less the rotation.
        const double dx = x - 11.5, dy = 8.0 - y;
        const double angle = std::atan2(dy, dx) - degrees * std::numbers::pi / 180;
        const double radius = std::hypot(dx, dy);
        return {11.5 + radius * std::cos(angle), 8.0 - radius * std::sin(angle)};
      });
    }
  }
}

TEST(Warp, TurnsASquareByAQuarterExactly) {
  const PixelShape shape = {5, 5, 1};
  const Image image = testing::MakeImage(5, 5, 1, 2);
  std::vector<uint8_t> out(25);
  ASSERT_TRUE(
      ApplyWarp(RotationWarp(shape, 90), PadMode::kZero, shape, image.pixels.data(), out.data())
          .ok());
  for (size_t y = 0; y < 5; ++y) {
    for (size_t x = 0; x < 5; ++x) EXPECT_EQ(out[y * 5 + x], image.pixels[x * 5 + (4 - y)]);
  }
}

TEST(Warp, IsTheInverseOfTheAffineMap) {
  const double tx = 2.5, ty = -1.5, s = 1.25, a = 12, b = -7;
  const Warp warp = AffineWarp(kShape, tx, ty, s, a, b);
  const double ka = std::tan(a * std::numbers::pi / 180), kb = std::tan(b * std::numbers::pi / 180);
  for (double x : {0.0, 7.0, 23.0}) {
    for (double y : {0.0, 16.0}) {
      // p' = c + t + s (1, tan a; tan b, 1) (p - c) must show p.
      const double dx = x - 11.5, dy = y - 8;
      const double px = 11.5 + tx + s * (dx + ka * dy), py = 8 + ty + s * (kb * dx + dy);
      EXPECT_NEAR(warp.m[0] * px + warp.m[1] * py + warp.m[2], x, 1e-9);
      EXPECT_NEAR(warp.m[3] * px + warp.m[4] * py + warp.m[5], y, 1e-9);
    }
  }
  ExpectShows(AffineWarp(kShape, 3, -2, 1, 0, 0), PadMode::kZero, [](int x, int y) -> Point {
    return {x - 3.0, y + 2.0};
  });
}

TEST(Warp, ComposesInOrder) {
  const Warp crop = CropWarp(kShape, 2, 3, 12, 9), turn = RotationWarp(kShape, 30);
  const Warp both = Compose(crop, turn);
  const double x = 4, y = 6;
  const double mx = turn.m[0] * x + turn.m[1] * y + turn.m[2];
  const double my = turn.m[3] * x + turn.m[4] * y + turn.m[5];
  EXPECT_NEAR(both.m[0] * x + both.m[1] * y + both.m[2],
              crop.m[0] * mx + crop.m[1] * my + crop.m[2], 1e-9);
  EXPECT_NEAR(both.m[3] * x + both.m[4] * y + both.m[5],
              crop.m[3] * mx + crop.m[4] * my + crop.m[5], 1e-9);
}

TEST(ChooseWarp, CropsWithinItsRangesAndThePicture) {
  GeometryOptions options;
  options.crop_probability = 1;
  options.crop_min_scale = 0.2;
  options.crop_max_scale = 0.6;
  double smallest = 1, largest = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const Warp warp = ChooseWarp(options, kShape, 1, Random(i));
    const double w = warp.m[0] * kShape.width, h = warp.m[4] * kShape.height;
    const double scale = w * h / (kShape.width * kShape.height);
    EXPECT_GE(w / h, 0.75 - 1e-9);
    EXPECT_LE(w / h, 4.0 / 3 + 1e-9);
    const double left = warp.m[2] + 0.5 - warp.m[0] / 2, top = warp.m[5] + 0.5 - warp.m[4] / 2;
    EXPECT_TRUE(left >= -1e-9 && left + w <= kShape.width + 1e-9);
    EXPECT_TRUE(top >= -1e-9 && top + h <= kShape.height + 1e-9);
    smallest = std::min(smallest, scale);
    largest = std::max(largest, scale);
  }
  EXPECT_NEAR(smallest, 0.2, 0.01);
  EXPECT_NEAR(largest, 0.6, 0.02);
}

TEST(ChooseWarp, CutsFromTheMiddleWhatNeverFits) {
  GeometryOptions options;
  options.crop_probability = 1;
  options.crop_min_scale = options.crop_max_scale = 1;
  options.crop_min_ratio = options.crop_max_ratio = 1;
  const Warp warp = ChooseWarp(options, {20, 10, 1}, 1, Random(1));
  EXPECT_EQ(warp, CropWarp({20, 10, 1}, 5, 0, 10, 10));
}

TEST(ChooseWarp, TurnsWithinItsRangeAsOftenAsAsked) {
  GeometryOptions options;
  options.rotate_probability = 0.5;
  options.rotate_degrees = 10;
  int turned = 0;
  double largest = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    EXPECT_TRUE(ChooseWarp(options, kShape, 0, Random(i)).IsIdentity());
    const Warp warp = ChooseWarp(options, kShape, 1, Random(i));
    if (warp.IsIdentity()) continue;
    ++turned;
    largest = std::max(largest, std::abs(std::atan2(warp.m[1], warp.m[0])));
  }
  EXPECT_NEAR(turned, 1000, 80);
  EXPECT_NEAR(largest * 180 / std::numbers::pi, 10, 0.1);
}

}  // namespace
}  // namespace fovea
