// Augmentation, cache, loader and mixing of a configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/train/config.h"
#include "core/train/recipe.h"
#include "tests/core/train/config_testing.h"

namespace fovea {
namespace {

using testing::Digits;
using ::testing::HasSubstr;

TEST(DataConfig, GivesWhatIsNamedItsDefaultsAndSaysSo) {
  const auto complete =
      Complete(testing::ParseConfig("augmentation { random_resized_crop {} cutout {} } "
                                    "mixup {} cutmix {}"),
               Digits(), 1);
  ASSERT_TRUE(complete.ok()) << complete.status();
  std::map<std::string, std::string> values;
  for (const v1::Choice& choice : complete->choices) values[choice.name()] = choice.value();
  EXPECT_EQ(values["config.augmentation.pad_and_crop_pixels"], "0");
  EXPECT_EQ(values["config.augmentation.random_resized_crop.min_scale"], "0.08");
  EXPECT_EQ(values["config.augmentation.cutout.pixels"], "14");
  EXPECT_EQ(values["config.mixup.probability"], "0.5");
  EXPECT_EQ(values["config.cutmix.alpha"], "1");
  EXPECT_FALSE(complete->config.augmentation().has_rotation());
}

TEST(DataConfig, LoadsOnAllThreadsWhatDoesNotFitIntoTheCache) {
  const auto fits = Complete({}, Digits(), TrainingBudget(3, 1000 * 28 * 28));
  ASSERT_TRUE(fits.ok()) << fits.status();
  EXPECT_EQ(fits->config.loader_threads(), 1);
  const auto larger = Complete({}, Digits(), TrainingBudget(3, 1000 * 28 * 28 - 1));
  ASSERT_TRUE(larger.ok()) << larger.status();
  EXPECT_EQ(larger->config.loader_threads(), 3);
  EXPECT_EQ(larger->config.cache_bytes(), 1000 * 28 * 28 - 1);
}

struct WrongCase {
  const char* config;
  const char* field;
  const char* description;
};

TEST(DataConfig, NamesTheFieldTheFoundAndTheExpectedOfEveryViolation) {
  const WrongCase cases[] = {
      {"augmentation { rotation { degrees: 181 } }", "augmentation.rotation.degrees",
       "found 181, expected a number in [0, 180]"},
      {"augmentation { rotation { probability: nan } }", "augmentation.rotation.probability",
       "found nan, expected a number in [0, 1]"},
      {"augmentation { random_resized_crop { min_scale: 0.5 max_scale: 0.4 } }",
       "augmentation.random_resized_crop.max_scale",
       "found 0.4, expected a number in [min_scale, 1], min_scale is 0.5"},
      {"augmentation { random_resized_crop { min_scale: 0 } }",
       "augmentation.random_resized_crop.min_scale", "found 0, expected a number in (0, 1]"},
      {"augmentation { affine { shear_degrees: 41 } }", "augmentation.affine.shear_degrees",
       "found 41, expected a number in [0, 40]"},
      {"augmentation { color_jitter { hue: 0.6 } }", "augmentation.color_jitter.hue",
       "found 0.6, expected a number in [0, 0.5]"},
      {"augmentation { gaussian_blur { max_sigma: 21 } }", "augmentation.gaussian_blur.max_sigma",
       "found 21, expected a number in [min_sigma, 20], min_sigma is 0.1"},
      {"augmentation { gaussian_noise { deviation: -1 } }", "augmentation.gaussian_noise.deviation",
       "found -1, expected a number in [0, 1]"},
      {"augmentation { rand_augment { operations: 0 } }", "augmentation.rand_augment.operations",
       "found 0, expected a number in [1, 14]"},
      {"augmentation { random_erasing { fill: 9 } }", "augmentation.random_erasing.fill",
       "found 9, expected ERASING_FILL_NOISE"},
      {"augmentation { cutout { pixels: 57 } }", "augmentation.cutout.pixels",
       "found 57, expected a number in [1, 56]"},
      {"augmentation { alternating_flip: true horizontal_flip: 0.5 }",
       "augmentation.horizontal_flip", "found 0.5, expected 0, since alternating_flip is true"},
      {"mixup { alpha: 0 }", "mixup.alpha", "found 0, expected a number in (0, 100]"},
      {"mixup { probability: 0.7 } cutmix { probability: 0.5 }", "cutmix.probability",
       "found 0.5, expected at most 0.3"},
      {"loader_threads: 65", "loader_threads", "found 65, expected 1 to 64"},
      {"prefetch_batches: 0", "prefetch_batches", "found 0, expected 1 to 64"},
      {"cache_bytes: 1125899906842625", "cache_bytes",
       "found 1125899906842625, expected at most 1125899906842624"},
  };
  for (const WrongCase& wrong : cases) {
    SCOPED_TRACE(wrong.config);
    std::vector<FieldViolation> violations;
    EXPECT_TRUE(absl::IsInvalidArgument(
        Complete(testing::ParseConfig(wrong.config), Digits(), 2, &violations).status()));
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].field, std::string("config.") + wrong.field);
    EXPECT_THAT(violations[0].description, HasSubstr(wrong.description));
  }
}

TEST(Recipe, TurnsAugmentationIntoParts) {
  const auto complete = Complete(
      testing::ParseConfig(
          "augmentation { border: BORDER_REFLECT alternating_flip: true "
          "random_resized_crop { max_ratio: 3 } rotation { degrees: 20 } affine { translate: 0.3 } "
          "color_jitter { hue: 0.1 } gaussian_blur { max_sigma: 3 } gaussian_noise {} "
          "rand_augment { operations: 3 magnitude: 7 } random_erasing { fill: ERASING_FILL_BLACK } "
          "cutout { pixels: 5 } } mixup { alpha: 0.4 } cutmix { probability: 0.25 }"),
      Digits(), 1);
  ASSERT_TRUE(complete.ok()) << complete.status();
  const AugmentOptions options = AugmentOptionsOf(complete->config);
  EXPECT_EQ(options.pad_mode, PadMode::kReflect);
  EXPECT_TRUE(options.crop.alternating_flip);
  EXPECT_EQ(options.geometry.crop_probability, 1);
  EXPECT_EQ(options.geometry.crop_max_ratio, 3);
  EXPECT_EQ(options.geometry.rotate_degrees, 20);
  EXPECT_EQ(options.geometry.translate, 0.3);
  EXPECT_EQ(options.color.hue, 0.1);
  EXPECT_EQ(options.color.max_sigma, 3);
  EXPECT_EQ(options.color.noise_probability, 0.5);
  EXPECT_EQ(options.rand.operations, 3);
  EXPECT_EQ(options.rand.magnitude, 7);
  EXPECT_EQ(options.erasing.fill, ErasingFill::kBlack);
  EXPECT_EQ(options.erasing.cutout_pixels, 5);
  const MixOptions mix = MixOptionsOf(complete->config);
  EXPECT_EQ(mix.mixup_alpha, 0.4);
  EXPECT_EQ(mix.cutmix_probability, 0.25);
}

}  // namespace
}  // namespace fovea
