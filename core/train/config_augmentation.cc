// Random changes of training images, and dropout, of a configuration.
#include <algorithm>

#include "core/train/config_part.h"
#include "core/train/config_sections.h"

namespace fovea {
namespace {

// Absent messages stay absent: what is not named is off.
void FillGeometry(ConfigFill& fill, v1::Augmentation& augmentation) {
  if (augmentation.has_random_resized_crop()) {
    PartFill crop(fill, "augmentation.random_resized_crop",
                  *augmentation.mutable_random_resized_crop());
    crop.Default("probability", 1);
    crop.Default("min_scale", 0.08);
    crop.Default("max_scale", 1);
    crop.Default("min_ratio", 3.0 / 4);
    crop.Default("max_ratio", 4.0 / 3);
  }
  if (augmentation.has_rotation()) {
    PartFill rotation(fill, "augmentation.rotation", *augmentation.mutable_rotation());
    rotation.Default("probability", 1);
    rotation.Default("degrees", 15);
  }
  if (augmentation.has_affine()) {
    PartFill affine(fill, "augmentation.affine", *augmentation.mutable_affine());
    affine.Default("probability", 1);
    affine.Default("translate", 0.1);
    affine.Default("min_scale", 0.9);
    affine.Default("max_scale", 1.1);
    affine.Default("shear_degrees", 0);
  }
}

void FillColor(ConfigFill& fill, v1::Augmentation& augmentation) {
  if (augmentation.has_color_jitter()) {
    PartFill(fill, "augmentation.color_jitter", *augmentation.mutable_color_jitter())
        .Default("probability", 1);
  }
  if (augmentation.has_gaussian_blur()) {
    PartFill blur(fill, "augmentation.gaussian_blur", *augmentation.mutable_gaussian_blur());
    blur.Default("probability", 0.5);
    blur.Default("min_sigma", 0.1);
    blur.Default("max_sigma", 2);
  }
  if (augmentation.has_gaussian_noise()) {
    PartFill noise(fill, "augmentation.gaussian_noise", *augmentation.mutable_gaussian_noise());
    noise.Default("probability", 0.5);
    noise.Default("deviation", 0.05);
  }
  if (augmentation.has_rand_augment()) {
    PartFill rand(fill, "augmentation.rand_augment", *augmentation.mutable_rand_augment());
    rand.Default("probability", 1);
    rand.Default("operations", 2);
    rand.Default("magnitude", 9);
  }
}

void FillErasing(ConfigFill& fill, v1::Augmentation& augmentation) {
  if (augmentation.has_random_erasing()) {
    v1::RandomErasing& erasing = *augmentation.mutable_random_erasing();
    PartFill part(fill, "augmentation.random_erasing", erasing);
    part.Default("probability", 0.5);
    part.Default("min_area", 0.02);
    part.Default("max_area", 0.4);
    part.Default("min_ratio", 0.3);
    part.Default("max_ratio", 1 / 0.3);
    if (erasing.fill() == v1::ERASING_FILL_UNSPECIFIED) {
      erasing.set_fill(v1::ERASING_FILL_NOISE);
      fill.Chose("augmentation.random_erasing.fill", v1::ErasingFill_Name(erasing.fill()),
                 "the default");
    }
  }
  if (augmentation.has_cutout()) {
    const v1::InputShape& input = fill.config().input();
    PartFill cutout(fill, "augmentation.cutout", *augmentation.mutable_cutout());
    cutout.Default("probability", 1);
    cutout.Default("pixels", std::max(std::min(input.width(), input.height()) / 2, 1u),
                   "half the shorter input side");
  }
}

void CheckGeometry(ConfigCheck& check, const v1::Augmentation& augmentation) {
  if (augmentation.has_random_resized_crop()) {
    PartCheck crop(check, "augmentation.random_resized_crop", augmentation.random_resized_crop());
    crop.Share("probability");
    crop.UpTo("min_scale", 1);
    crop.Bounds("min_scale", "max_scale", 0, 1);
    crop.Bounds("min_ratio", "max_ratio", 0.1, 10);
  }
  if (augmentation.has_rotation()) {
    PartCheck rotation(check, "augmentation.rotation", augmentation.rotation());
    rotation.Share("probability");
    rotation.Between("degrees", 0, 180);
  }
  if (augmentation.has_affine()) {
    PartCheck affine(check, "augmentation.affine", augmentation.affine());
    affine.Share("probability");
    affine.Between("translate", 0, 1);
    affine.Bounds("min_scale", "max_scale", 0.1, 10);
    affine.Between("shear_degrees", 0, 40);
  }
}

void CheckColor(ConfigCheck& check, const v1::Augmentation& augmentation) {
  if (augmentation.has_color_jitter()) {
    PartCheck jitter(check, "augmentation.color_jitter", augmentation.color_jitter());
    jitter.Share("probability");
    for (const char* part : {"brightness", "contrast", "saturation"}) jitter.Between(part, 0, 2);
    jitter.Between("hue", 0, 0.5);
  }
  if (augmentation.has_gaussian_blur()) {
    PartCheck blur(check, "augmentation.gaussian_blur", augmentation.gaussian_blur());
    blur.Share("probability");
    blur.Bounds("min_sigma", "max_sigma", 0.1, 20);
  }
  if (augmentation.has_gaussian_noise()) {
    PartCheck noise(check, "augmentation.gaussian_noise", augmentation.gaussian_noise());
    noise.Share("probability");
    noise.Share("deviation");
  }
  if (augmentation.has_rand_augment()) {
    PartCheck rand(check, "augmentation.rand_augment", augmentation.rand_augment());
    rand.Share("probability");
    rand.Between("operations", 1, 14);
    rand.Between("magnitude", 0, 30);
  }
}

void CheckErasing(ConfigCheck& check, const v1::Augmentation& augmentation) {
  if (augmentation.has_random_erasing()) {
    PartCheck erasing(check, "augmentation.random_erasing", augmentation.random_erasing());
    erasing.Share("probability");
    erasing.UpTo("min_area", 1);
    erasing.Bounds("min_area", "max_area", 0, 1);
    erasing.Bounds("min_ratio", "max_ratio", 0.1, 10);
    if (!v1::ErasingFill_IsValid(augmentation.random_erasing().fill())) {
      check.Wrong("augmentation.random_erasing.fill",
                  static_cast<int>(augmentation.random_erasing().fill()),
                  "ERASING_FILL_NOISE, ERASING_FILL_GREY or ERASING_FILL_BLACK");
    }
  }
  if (augmentation.has_cutout()) {
    const v1::InputShape& input = check.config().input();
    PartCheck cutout(check, "augmentation.cutout", augmentation.cutout());
    cutout.Share("probability");
    cutout.Between("pixels", 1, 2.0 * std::max(input.width(), input.height()));
  }
}

void CheckCrop(ConfigCheck& check, const v1::Augmentation& augmentation) {
  const v1::InputShape& input = check.config().input();
  const uint32_t most = std::min(input.width(), input.height()) / 2;
  if (augmentation.pad_and_crop_pixels() > most) {
    check.Wrong("augmentation.pad_and_crop_pixels", augmentation.pad_and_crop_pixels(),
                absl::StrCat("at most ", most, ", half the shorter input side"));
  }
  check.Share("augmentation.horizontal_flip", augmentation.horizontal_flip());
  check.Share("augmentation.vertical_flip", augmentation.vertical_flip());
  if (augmentation.alternating_flip() && augmentation.horizontal_flip() != 0) {
    check.Wrong("augmentation.horizontal_flip", augmentation.horizontal_flip(),
                "0, since alternating_flip is true");
  }
  if (!v1::Border_IsValid(augmentation.border())) {
    check.Wrong("augmentation.border", static_cast<int>(augmentation.border()),
                "BORDER_BLACK or BORDER_REFLECT");
  }
}

}  // namespace

void FillAugmentation(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  v1::Augmentation& augmentation = *config.mutable_augmentation();
  if (!augmentation.has_pad_and_crop_pixels()) {
    const bool crops = augmentation.has_random_resized_crop();
    augmentation.set_pad_and_crop_pixels(
        crops ? 0 : std::min(config.input().width(), config.input().height()) / 8);
    fill.Chose("augmentation.pad_and_crop_pixels", augmentation.pad_and_crop_pixels(),
               crops ? "random_resized_crop moves pictures already"
                     : "an eighth of the shorter input side");
  }
  if (augmentation.border() == v1::BORDER_UNSPECIFIED) {
    augmentation.set_border(v1::BORDER_BLACK);
    fill.Chose("augmentation.border", v1::Border_Name(augmentation.border()), "the default");
  }
  FillGeometry(fill, augmentation);
  FillColor(fill, augmentation);
  FillErasing(fill, augmentation);
  if (!config.has_dropout()) {
    config.set_dropout(0);
    fill.Chose("dropout", 0, "the default");
  }
}

void CheckAugmentation(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  CheckCrop(check, config.augmentation());
  CheckGeometry(check, config.augmentation());
  CheckColor(check, config.augmentation());
  CheckErasing(check, config.augmentation());
  check.Range("dropout", config.dropout(), config.dropout() >= 0 && config.dropout() < 1,
              "a number in [0, 1)");
}

}  // namespace fovea
