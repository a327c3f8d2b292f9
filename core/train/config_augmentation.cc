// Random changes of training images, and dropout, of a configuration.
#include <algorithm>

#include "core/train/config_sections.h"

namespace fovea {

void FillAugmentation(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  v1::Augmentation& augmentation = *config.mutable_augmentation();
  if (!augmentation.has_pad_and_crop_pixels()) {
    augmentation.set_pad_and_crop_pixels(std::min(config.input().width(), config.input().height()) /
                                         8);
    fill.Chose("augmentation.pad_and_crop_pixels", augmentation.pad_and_crop_pixels(),
               "an eighth of the shorter input side");
  }
  if (!config.has_dropout()) {
    config.set_dropout(0);
    fill.Chose("dropout", 0, "the default");
  }
}

void CheckAugmentation(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  const uint32_t most = std::min(config.input().width(), config.input().height()) / 2;
  if (config.augmentation().pad_and_crop_pixels() > most) {
    check.Wrong("augmentation.pad_and_crop_pixels", config.augmentation().pad_and_crop_pixels(),
                absl::StrCat("at most ", most, ", half the shorter input side"));
  }
  check.Share("augmentation.horizontal_flip", config.augmentation().horizontal_flip());
  check.Share("augmentation.vertical_flip", config.augmentation().vertical_flip());
  check.Range("dropout", config.dropout(), config.dropout() >= 0 && config.dropout() < 1,
              "a number in [0, 1)");
}

}  // namespace fovea
