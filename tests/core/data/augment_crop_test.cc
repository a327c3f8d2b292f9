#include "core/data/augment_crop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

// What ApplyCrop should do, one pixel at a time.
std::vector<uint8_t> Expected(const CropChoice& choice, PadMode mode, const Image& image) {
  const auto reflect = [](int at, int n) {
    while (n > 1 && (at < 0 || at >= n)) at = at < 0 ? -at : 2 * (n - 1) - at;
    return n == 1 ? 0 : at;
  };
  std::vector<uint8_t> out(image.pixels.size());
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      int from_x = (choice.flip_horizontal ? image.width - 1 - x : x) + choice.shift_x;
      int from_y = (choice.flip_vertical ? image.height - 1 - y : y) + choice.shift_y;
      const bool inside =
          from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height;
      from_x = reflect(from_x, image.width);
      from_y = reflect(from_y, image.height);
      for (int c = 0; c < image.channels; ++c) {
        const auto at = [&](int px, int py) {
          return static_cast<size_t>((py * image.width + px) * image.channels + c);
        };
        out[at(x, y)] = inside || mode == PadMode::kReflect ? image.pixels[at(from_x, from_y)] : 0;
      }
    }
  }
  return out;
}

TEST(ApplyCrop, MatchesThePlainLoop) {
  for (int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair{7, 5}, {1, 1}, {2, 3}}) {
      const Image image = testing::MakeImage(width, height, channels, 3);
      std::vector<uint8_t> out(image.pixels.size());
      for (int shift_x = -4; shift_x <= 4; ++shift_x) {
        for (int shift_y = -4; shift_y <= 4; shift_y += 2) {
          for (int flips = 0; flips < 4; ++flips) {
            for (PadMode mode : {PadMode::kZero, PadMode::kReflect}) {
              const CropChoice choice = {shift_x, shift_y, (flips & 1) != 0, (flips & 2) != 0};
              ApplyCrop(choice, mode, image.shape(), image.pixels.data(), out.data());
              ASSERT_EQ(out, Expected(choice, mode, image))
                  << width << "x" << height << "x" << channels << " shift " << shift_x << ","
                  << shift_y << " flips " << flips;
            }
          }
        }
      }
    }
  }
}

TEST(ApplyCrop, PadsWithBlackOrAMirror) {
  const Image row{4, 1, 1, {1, 2, 3, 4}};
  std::vector<uint8_t> out(4);
  ApplyCrop({-2, 0, false, false}, PadMode::kZero, row.shape(), row.pixels.data(), out.data());
  EXPECT_THAT(out, ElementsAre(0, 0, 1, 2));
  ApplyCrop({-2, 0, false, false}, PadMode::kReflect, row.shape(), row.pixels.data(), out.data());
  EXPECT_THAT(out, ElementsAre(3, 2, 1, 2));
  ApplyCrop({1, 0, true, false}, PadMode::kZero, row.shape(), row.pixels.data(), out.data());
  EXPECT_THAT(out, ElementsAre(0, 4, 3, 2));
}

CropChoice Choose(const CropOptions& options, uint64_t example, double strength = 1) {
  return ChooseCrop(options, strength, /*turn=*/0, Random(HashKey(9, example)));
}

TEST(ChooseCrop, DrawsEveryShiftAndFlipsAsOftenAsAsked) {
  const CropOptions options = {.pad_pixels = 2, .flip_horizontal = 0.25, .flip_vertical = 1};
  std::set<int> shifts;
  int flips = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const CropChoice choice = Choose(options, i);
    shifts.insert(choice.shift_x);
    flips += choice.flip_horizontal;
    EXPECT_TRUE(choice.flip_vertical);
  }
  EXPECT_THAT(shifts, ElementsAre(-2, -1, 0, 1, 2));
  EXPECT_NEAR(flips, 500, 60);
}

TEST(ChooseCrop, HappensMoreRarelyWithLessStrength) {
  const CropOptions options = {.pad_pixels = 50, .flip_horizontal = 0.5};
  int moved = 0, flips = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(Choose(options, i, 0), CropChoice());
    const CropChoice choice = Choose(options, i, 0.5);
    moved += choice.shift_x != 0 || choice.shift_y != 0;
    flips += choice.flip_horizontal;
  }
  EXPECT_NEAR(moved, 1000, 80);
  EXPECT_NEAR(flips, 500, 60);
}

TEST(ChooseCrop, AlternatesWithTheTurn) {
  const CropOptions options = {.alternating_flip = true};
  for (uint64_t example = 0; example < 20; ++example) {
    for (uint64_t turn : {6, 7}) {
      const CropChoice choice = ChooseCrop(options, 1, turn, Random(example));
      EXPECT_EQ(choice.flip_horizontal, turn == 6);
      EXPECT_FALSE(ChooseCrop(options, 0, turn, Random(example)).flip_horizontal);
    }
  }
}

TEST(ChooseCrop, DoesNothingWhenOff) {
  EXPECT_FALSE(CropOptions{}.enabled());
  EXPECT_EQ(Choose({}, 3), CropChoice());
}

}  // namespace
}  // namespace fovea
