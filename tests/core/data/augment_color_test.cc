#include "core/data/augment_color.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

constexpr PixelShape kColour = {13, 9, 3};
constexpr PixelShape kGrey = {13, 9, 1};

std::vector<uint8_t> Pixels(const PixelShape& shape) {
  return testing::MakeImage(shape.width, shape.height, shape.channels, 4).pixels;
}

double Luma(const std::vector<uint8_t>& p, size_t i, size_t channels) {
  if (channels == 1) return p[i];
  return 0.299 * p[3 * i] + 0.587 * p[3 * i + 1] + 0.114 * p[3 * i + 2];
}

uint8_t To8Bits(double value) { return uint8_t(std::clamp(std::floor(value + 0.5), 0., 255.)); }

TEST(Color, ScalesBrightness) {
  for (double factor : {0.0, 0.5, 1.7}) {
    const std::vector<uint8_t> before = Pixels(kColour);
    std::vector<uint8_t> after = before;
    ScaleBrightness(factor, kColour, after.data());
    for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i], To8Bits(factor * before[i]));
  }
}

TEST(Color, ScalesContrastAboutTheMeanLuma) {
  for (const PixelShape& shape : {kColour, kGrey}) {
    const std::vector<uint8_t> before = Pixels(shape);
    const size_t channels = size_t(shape.channels), count = before.size() / channels;
    double mean = 0;
    for (size_t i = 0; i < count; ++i) mean += Luma(before, i, channels) / double(count);
    std::vector<uint8_t> after = before;
    ScaleContrast(0.4, shape, after.data());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_NEAR(after[i], 0.4 * before[i] + 0.6 * mean, 0.51);
    }
  }
}

TEST(Color, ScalesSaturationAboutTheLumaOfEachPixel) {
  const std::vector<uint8_t> before = Pixels(kColour);
  for (double factor : {0.0, 0.3, 1.5}) {
    std::vector<uint8_t> after = before;
    ScaleSaturation(factor, kColour, after.data());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i], To8Bits(factor * before[i] + (1 - factor) * Luma(before, i / 3, 3)));
    }
  }
  std::vector<uint8_t> grey = Pixels(kGrey);
  ScaleSaturation(0, kGrey, grey.data());
  EXPECT_EQ(grey, Pixels(kGrey));
}

TEST(Color, TurnsTheHue) {
  std::vector<uint8_t> scratch;
  std::vector<uint8_t> pixels = {200, 0, 0, 40, 120, 40, 90, 90, 90};
  ASSERT_TRUE(ShiftHue(1.0 / 3, {3, 1, 3}, pixels.data(), &scratch).ok());
  // Red becomes green, green blue; grey has no hue.
  const std::vector<uint8_t> expected = {0, 200, 0, 40, 40, 120, 90, 90, 90};
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(pixels[i], expected[i], 1) << i;
  ASSERT_TRUE(ShiftHue(-1.0 / 3, {3, 1, 3}, pixels.data(), &scratch).ok());
  EXPECT_NEAR(pixels[0], 200, 1);

  std::vector<uint8_t> photo = Pixels(kColour);
  ASSERT_TRUE(ShiftHue(0, kColour, photo.data(), &scratch).ok());
  for (size_t i = 0; i < photo.size(); ++i) EXPECT_NEAR(photo[i], Pixels(kColour)[i], 1);
}

TEST(Color, BlursWithAGaussian) {
  const double sigma = 1.3;
  const int radius = 4;  // ceil(3 sigma)
  const std::vector<uint8_t> before = Pixels(kGrey);
  std::vector<uint8_t> after = before;
  ASSERT_TRUE(Blur(sigma, kGrey, after.data()).ok());
  const auto at = [&](int x, int y) {
    const auto reflect = [](int i, int n) { return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i; };
    return double(before[size_t(reflect(y, kGrey.height) * kGrey.width + reflect(x, kGrey.width))]);
  };
  for (int y = 0; y < kGrey.height; ++y) {
    for (int x = 0; x < kGrey.width; ++x) {
      double sum = 0, weights = 0;
      for (int dy = -radius; dy <= radius; ++dy) {
        for (int dx = -radius; dx <= radius; ++dx) {
          const double w = std::exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
          sum += w * at(x + dx, y + dy);
          weights += w;
        }
      }
      EXPECT_NEAR(after[size_t(y * kGrey.width + x)], sum / weights, 1.01);
    }
  }
}

TEST(Color, AddsNormalNoiseOfItsDeviation) {
  const PixelShape shape = {100, 100, 3};
  std::vector<uint8_t> scratch, pixels(shape.bytes(), 128), again = pixels;
  ASSERT_TRUE(AddNoise(10, 7, shape, pixels.data(), &scratch).ok());
  double mean = 0, square = 0, kurtosis = 0;
  for (uint8_t p : pixels) {
    const double d = p - 128.0;
    mean += d / double(pixels.size());
    square += d * d / double(pixels.size());
    kurtosis += d * d * d * d / double(pixels.size());
  }
  EXPECT_NEAR(mean, 0, 0.3);
  EXPECT_NEAR(std::sqrt(square), 10, 0.2);
  EXPECT_NEAR(kurtosis / square / square, 3, 0.15);
  ASSERT_TRUE(AddNoise(10, 7, shape, again.data(), &scratch).ok());
  EXPECT_EQ(again, pixels);
  ASSERT_TRUE(AddNoise(10, 8, shape, again.data(), &scratch).ok());
  EXPECT_NE(again, pixels);
}

TEST(ChooseColor, DrawsEachWithinItsRange) {
  ColorOptions options;
  options.jitter_probability = 1;
  options.brightness = 0.2;
  options.contrast = 1.5;
  options.hue = 0.1;
  options.blur_probability = 0.5;
  options.min_sigma = 0.5;
  options.max_sigma = 0.75;
  options.noise_probability = 1;
  options.noise_deviation = 0.1;
  double low_brightness = 9, high_brightness = 0, low_contrast = 9, largest_hue = 0;
  double largest_noise = 0;
  int blurred = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const ColorChoice choice = ChooseColor(options, 1, Random(i));
    low_brightness = std::min(low_brightness, choice.brightness);
    high_brightness = std::max(high_brightness, choice.brightness);
    low_contrast = std::min(low_contrast, choice.contrast);
    EXPECT_EQ(choice.saturation, 1);
    largest_hue = std::max(largest_hue, std::abs(choice.hue));
    largest_noise = std::max(largest_noise, choice.deviation);
    if (choice.sigma == 0) continue;
    ++blurred;
    EXPECT_TRUE(choice.sigma >= 0.5 && choice.sigma <= 0.75) << choice.sigma;
  }
  EXPECT_NEAR(low_brightness, 0.8, 0.005);
  EXPECT_NEAR(high_brightness, 1.2, 0.005);
  EXPECT_NEAR(low_contrast, 0, 0.01);  // 1 - 1.5 is cut at 0
  EXPECT_NEAR(largest_hue, 0.1, 0.001);
  EXPECT_NEAR(largest_noise, 25.5, 0.1);
  EXPECT_NEAR(blurred, 1000, 80);
}

TEST(ApplyColor, LeavesThePictureAloneWhereNothingWasChosen) {
  std::vector<uint8_t> pixels = Pixels(kColour), scratch;
  ASSERT_TRUE(ApplyColor(ChooseColor({}, 1, Random(1)), kColour, pixels.data(), &scratch).ok());
  EXPECT_EQ(pixels, Pixels(kColour));
}

TEST(ApplyColor, AppliesItsPartsInOrder) {
  ColorChoice choice;
  choice.brightness = 0.7;
  choice.contrast = 1.4;
  choice.saturation = 0.5;
  choice.sigma = 0.8;
  std::vector<uint8_t> found = Pixels(kColour), expected = found, scratch;
  ASSERT_TRUE(ApplyColor(choice, kColour, found.data(), &scratch).ok());
  ScaleBrightness(0.7, kColour, expected.data());
  ScaleContrast(1.4, kColour, expected.data());
  ScaleSaturation(0.5, kColour, expected.data());
  ASSERT_TRUE(Blur(0.8, kColour, expected.data()).ok());
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace fovea
