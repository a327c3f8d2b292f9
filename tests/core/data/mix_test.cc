#include "core/data/mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

constexpr PixelShape kShape = {12, 10, 3};

struct MixedBatch {
  explicit MixedBatch(int64_t n) : n(n) {
    for (int64_t i = 0; i < n; ++i) {
      const Image image = testing::MakeImage(12, 10, 3, static_cast<int>(i));
      pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
      for (int64_t l = 0; l < n; ++l) targets.push_back(l == i ? 1.0f : 0.0f);
    }
  }
  int64_t n;
  std::vector<uint8_t> pixels;
  std::vector<float> targets;
};

TEST(DrawBeta, HasTheMomentsOfBeta) {
  for (double alpha : {0.01, 0.2, 0.7, 1.0, 4.0, 100.0}) {
    Random random(5);
    double mean = 0, variance = 0;
    constexpr int kDraws = 40000;
    for (int i = 0; i < kDraws; ++i) {
      const double x = DrawBeta(alpha, random);
      ASSERT_TRUE(x >= 0 && x <= 1);
      mean += x / kDraws;
      variance += (x - 0.5) * (x - 0.5) / kDraws;
    }
    EXPECT_NEAR(mean, 0.5, 0.01) << alpha;
    const double expected = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(variance / expected, 1, 0.03) << alpha;
  }
}

TEST(Mixup, BlendsPairsAndTheirTargets) {
  const MixedBatch before(5);
  MixedBatch after = before;
  ApplyMix({MixKind::kMixup, 0.3, {}}, kShape, 5, after.pixels.data(), 5, after.targets.data());
  const size_t bytes = kShape.bytes();
  for (size_t i = 0; i < 5; ++i) {
    for (size_t p = 0; p < bytes; ++p) {
      const double own = before.pixels[i * bytes + p], other = before.pixels[(4 - i) * bytes + p];
      EXPECT_NEAR(after.pixels[i * bytes + p], 0.3 * own + 0.7 * other, 0.501);
    }
  }
  EXPECT_THAT(after.targets, ElementsAre(0.3f, 0, 0, 0, 0.7f, 0, 0.3f, 0, 0.7f, 0, 0, 0, 1, 0, 0, 0,
                                         0.7f, 0, 0.3f, 0, 0.7f, 0, 0, 0, 0.3f));
}

TEST(CutMix, PastesABoxWhoseAreaIsTheTargetsShare) {
  MixOptions options;
  options.cutmix_probability = 1;
  bool some_cut_at_the_border = false;
  for (int64_t step = 0; step < 200; ++step) {
    const MixChoice choice = ChooseMix(options, kShape, 3, step);
    ASSERT_EQ(choice.kind, MixKind::kCutMix);
    const MixedBatch before(4);
    MixedBatch after = before;
    ApplyMix(choice, kShape, 4, after.pixels.data(), 4, after.targets.data());
    // Counted on the pixels: where the picture is the partner's.
    const size_t bytes = kShape.bytes();
    int64_t pasted = 0;
    for (size_t i = 0; i < 4; ++i) {
      for (int y = 0; y < 10; ++y) {
        for (int x = 0; x < 12; ++x) {
          const PixelBox& box = choice.box;
          const bool inside = x >= box.left && x < box.right && y >= box.top && y < box.bottom;
          pasted += inside && i == 0;
          const size_t from = inside ? 3 - i : i, at = static_cast<size_t>(y * 12 + x) * 3;
          for (size_t c = 0; c < 3; ++c) {
            ASSERT_EQ(after.pixels[i * bytes + at + c], before.pixels[from * bytes + at + c]);
          }
        }
      }
    }
    EXPECT_NEAR(after.targets[0], 1 - static_cast<double>(pasted) / 120, 1e-6);
    EXPECT_NEAR(after.targets[3], static_cast<double>(pasted) / 120, 1e-6);
    const int w = choice.box.right - choice.box.left;
    some_cut_at_the_border |= w > 0 && (choice.box.left == 0 || choice.box.right == 12) && w < 12;
  }
  EXPECT_TRUE(some_cut_at_the_border);
}

TEST(ChooseMix, DrawsEachKindAsOftenAsAsked) {
  MixOptions options;
  options.mixup_probability = 0.5;
  options.mixup_alpha = 0.4;
  options.cutmix_probability = 0.25;
  std::vector<int> counts(3);
  double variance = 0;
  for (int64_t step = 0; step < 4000; ++step) {
    const MixChoice choice = ChooseMix(options, kShape, 3, step);
    ++counts[static_cast<size_t>(choice.kind)];
    if (choice.kind == MixKind::kNone) {
      EXPECT_EQ(choice.lambda, 1);
    }
    if (choice.kind == MixKind::kMixup) variance += (choice.lambda - 0.5) * (choice.lambda - 0.5);
    EXPECT_EQ(ChooseMix(options, kShape, 3, step).lambda, choice.lambda);
  }
  EXPECT_NEAR(counts[static_cast<int>(MixKind::kNone)], 1000, 90);
  EXPECT_NEAR(counts[static_cast<int>(MixKind::kMixup)], 2000, 110);
  EXPECT_NEAR(counts[static_cast<int>(MixKind::kCutMix)], 1000, 90);
  EXPECT_NEAR(variance / counts[static_cast<int>(MixKind::kMixup)], 1 / (4 * 1.8), 0.006);
}

TEST(ApplyMix, LeavesABatchAloneWhenNothingIsChosen) {
  const MixedBatch before(3);
  MixedBatch after = before;
  ApplyMix({}, kShape, 3, after.pixels.data(), 3, after.targets.data());
  EXPECT_EQ(after.pixels, before.pixels);
  EXPECT_EQ(after.targets, before.targets);
}

}  // namespace
}  // namespace fovea
