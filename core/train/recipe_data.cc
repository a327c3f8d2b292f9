// The part of a recipe that concerns training pictures.
#include "core/train/recipe.h"

namespace fovea {
namespace {

GeometryOptions GeometryOf(const v1::Augmentation& augmentation) {
  GeometryOptions options;
  if (augmentation.has_random_resized_crop()) {
    const v1::RandomResizedCrop& crop = augmentation.random_resized_crop();
    options.crop_probability = crop.probability();
    options.crop_min_scale = crop.min_scale();
    options.crop_max_scale = crop.max_scale();
    options.crop_min_ratio = crop.min_ratio();
    options.crop_max_ratio = crop.max_ratio();
  }
  if (augmentation.has_affine()) {
    const v1::Affine& affine = augmentation.affine();
    options.affine_probability = affine.probability();
    options.translate = affine.translate();
    options.min_scale = affine.min_scale();
    options.max_scale = affine.max_scale();
    options.shear_degrees = affine.shear_degrees();
  }
  if (augmentation.has_rotation()) {
    options.rotate_probability = augmentation.rotation().probability();
    options.rotate_degrees = augmentation.rotation().degrees();
  }
  return options;
}

ColorOptions ColorOf(const v1::Augmentation& augmentation) {
  ColorOptions options;
  if (augmentation.has_color_jitter()) {
    const v1::ColorJitter& jitter = augmentation.color_jitter();
    options.jitter_probability = jitter.probability();
    options.brightness = jitter.brightness();
    options.contrast = jitter.contrast();
    options.saturation = jitter.saturation();
    options.hue = jitter.hue();
  }
  if (augmentation.has_gaussian_blur()) {
    options.blur_probability = augmentation.gaussian_blur().probability();
    options.min_sigma = augmentation.gaussian_blur().min_sigma();
    options.max_sigma = augmentation.gaussian_blur().max_sigma();
  }
  if (augmentation.has_gaussian_noise()) {
    options.noise_probability = augmentation.gaussian_noise().probability();
    options.noise_deviation = augmentation.gaussian_noise().deviation();
  }
  return options;
}

ErasingFill FillOf(v1::ErasingFill fill) {
  if (fill == v1::ERASING_FILL_GREY) return ErasingFill::kGrey;
  return fill == v1::ERASING_FILL_BLACK ? ErasingFill::kBlack : ErasingFill::kNoise;
}

ErasingOptions ErasingOf(const v1::Augmentation& augmentation) {
  ErasingOptions options;
  if (augmentation.has_random_erasing()) {
    const v1::RandomErasing& erasing = augmentation.random_erasing();
    options.erase_probability = erasing.probability();
    options.min_area = erasing.min_area();
    options.max_area = erasing.max_area();
    options.min_ratio = erasing.min_ratio();
    options.max_ratio = erasing.max_ratio();
    options.fill = FillOf(erasing.fill());
  }
  if (augmentation.has_cutout()) {
    options.cutout_probability = augmentation.cutout().probability();
    options.cutout_pixels = static_cast<int>(augmentation.cutout().pixels());
  }
  return options;
}

}  // namespace

AugmentOptions AugmentOptionsOf(const v1::TrainingConfig& config) {
  const v1::Augmentation& augmentation = config.augmentation();
  AugmentOptions options;
  options.pad_mode =
      augmentation.border() == v1::BORDER_REFLECT ? PadMode::kReflect : PadMode::kZero;
  options.crop.pad_pixels = static_cast<int>(augmentation.pad_and_crop_pixels());
  options.crop.flip_horizontal = augmentation.horizontal_flip();
  options.crop.flip_vertical = augmentation.vertical_flip();
  options.crop.alternating_flip = augmentation.alternating_flip();
  options.geometry = GeometryOf(augmentation);
  options.color = ColorOf(augmentation);
  options.erasing = ErasingOf(augmentation);
  if (augmentation.has_rand_augment()) {
    options.rand.probability = augmentation.rand_augment().probability();
    options.rand.operations = static_cast<int>(augmentation.rand_augment().operations());
    options.rand.magnitude = augmentation.rand_augment().magnitude();
  }
  return options;
}

MixOptions MixOptionsOf(const v1::TrainingConfig& config) {
  MixOptions options;
  if (config.has_mixup()) {
    options.mixup_probability = config.mixup().probability();
    options.mixup_alpha = config.mixup().alpha();
  }
  if (config.has_cutmix()) {
    options.cutmix_probability = config.cutmix().probability();
    options.cutmix_alpha = config.cutmix().alpha();
  }
  return options;
}

}  // namespace fovea
