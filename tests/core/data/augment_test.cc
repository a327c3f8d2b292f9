#include "core/data/augment.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

constexpr PixelShape kShape = {16, 12, 3};

AugmentOptions Everything() {
  AugmentOptions options;
  options.crop = {.pad_pixels = 2, .flip_horizontal = 0.5, .flip_vertical = 0.5};
  options.geometry.crop_probability = 0.5;
  options.geometry.affine_probability = 0.5;
  options.geometry.rotate_probability = 0.5;
  options.rand.probability = 0.5;
  options.color.jitter_probability = 0.5;
  options.color.brightness = options.color.contrast = options.color.saturation = 0.5;
  options.color.hue = 0.2;
  options.color.blur_probability = 0.5;
  options.color.noise_probability = 0.5;
  options.erasing.erase_probability = 0.5;
  options.erasing.cutout_probability = 0.5;
  options.erasing.cutout_pixels = 4;
  return options;
}

class AugmenterTest : public ::testing::Test {
 protected:
  std::vector<uint8_t> Apply(Augmenter& augmenter, const AugmentKey& key, double strength = 1) {
    std::vector<uint8_t> out(kShape.bytes());
    EXPECT_TRUE(augmenter.Apply(key, strength, image_.pixels.data(), out.data()).ok());
    return out;
  }
  const Image image_ = testing::MakeImage(16, 12, 3, 1);
};

TEST_F(AugmenterTest, IsAFunctionOfItsKey) {
  Augmenter augmenter(Everything(), kShape);
  const AugmentKey key = {.seed = 1, .step = 2, .epoch = 0, .example = 3};
  const std::vector<uint8_t> first = Apply(augmenter, key);
  std::set<std::vector<uint8_t>> others;
  for (int i = 10; i < 40; ++i) {
    others.insert(Apply(augmenter, {.seed = 1, .step = i, .epoch = 0, .example = 3}));
    others.insert(Apply(augmenter, {.seed = 1, .step = 2, .epoch = 0, .example = i}));
    others.insert(
        Apply(augmenter, {.seed = static_cast<uint64_t>(i), .step = 2, .epoch = 0, .example = 3}));
    others.insert(Apply(augmenter, {.seed = 1, .step = 2, .epoch = 0, .example = 3, .repeat = i}));
  }
  EXPECT_GT(others.size(), 100u);
  // Whatever was done before, and on whichever augmenter.
  EXPECT_EQ(Apply(augmenter, key), first);
  Augmenter fresh(Everything(), kShape);
  EXPECT_EQ(Apply(fresh, key), first);
}

TEST_F(AugmenterTest, DoesNothingWithoutStrength) {
  Augmenter augmenter(Everything(), kShape);
  for (int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(Apply(augmenter, {.seed = 1, .step = i, .epoch = 0, .example = i}, 0), image_.pixels);
  }
  EXPECT_FALSE(AugmentOptions{}.enabled());
}

TEST_F(AugmenterTest, KeepsTheDrawsOfAFamilyWhenAnotherIsSwitchedOn) {
  AugmentOptions options;
  options.crop = {.pad_pixels = 2, .flip_horizontal = 0.5};
  Augmenter crops(options, kShape);
  options.erasing.cutout_probability = 1;
  options.erasing.cutout_pixels = 2;
  Augmenter both(options, kShape);
  for (int64_t i = 0; i < 20; ++i) {
    const AugmentKey key = {.seed = 1, .step = i, .epoch = 0, .example = 3};
    const std::vector<uint8_t> a = Apply(crops, key), b = Apply(both, key);
    size_t differ = 0;
    for (size_t p = 0; p < a.size(); ++p) differ += a[p] != b[p];
    EXPECT_LE(differ, 2u * 2 * 3);
  }
}

TEST_F(AugmenterTest, FlipsEachPictureInEverySecondEpoch) {
  AugmentOptions options;
  options.crop.alternating_flip = true;
  Augmenter augmenter(options, kShape);
  std::vector<uint8_t> mirrored(kShape.bytes());
  ApplyCrop({.flip_horizontal = true}, PadMode::kZero, kShape, image_.pixels.data(),
            mirrored.data());
  int first_in_even = 0;
  for (int64_t example = 0; example < 100; ++example) {
    // The step, which differs from epoch to epoch, does not matter.
    const auto at = [&](int64_t epoch) {
      return Apply(augmenter,
                   {.seed = 1, .step = epoch * 7 + example, .epoch = epoch, .example = example});
    };
    const bool even = at(0) == mirrored;
    first_in_even += even;
    for (int64_t epoch : {0, 1, 2, 3}) {
      EXPECT_EQ(at(epoch), (epoch % 2 == 0) == even ? mirrored : image_.pixels);
    }
  }
  EXPECT_NEAR(first_in_even, 50, 20);
}

}  // namespace
}  // namespace fovea
