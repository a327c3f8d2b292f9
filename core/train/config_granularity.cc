// How alike the classes are: what fine-grained ones ask for, where the configuration leaves it
// open.
#include "core/train/config_sections.h"

namespace fovea {
namespace {

constexpr double kFineSmoothing = 0.1;
constexpr absl::string_view kReason = "fine-grained classes";

// Whether the loss of the configuration, given or default, takes smoothed targets.
bool TakesSmoothing(const v1::TrainingConfig& config) {
  return config.loss_case() == v1::TrainingConfig::LOSS_NOT_SET || config.has_cross_entropy() ||
         config.has_focal();
}

}  // namespace

void FillGranularity(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (fill.is_regression()) return;  // has no classes
  if (config.granularity() == v1::GRANULARITY_UNSPECIFIED) {
    config.set_granularity(v1::GRANULARITY_ORDINARY);
    fill.Chose("granularity", v1::Granularity_Name(config.granularity()), "the default");
  }
  if (config.granularity() != v1::GRANULARITY_FINE) return;
  if (!config.has_label_smoothing() && TakesSmoothing(config)) {
    config.set_label_smoothing(kFineSmoothing);
    fill.Chose("label_smoothing", kFineSmoothing, kReason);
  }
  if (!config.has_mixup() && !config.has_cutmix()) {
    config.mutable_mixup();  // completed with the data
    fill.Chose("mixup", "on", kReason);
  }
}

void CheckGranularity(ConfigCheck& check) {
  const v1::Granularity granularity = check.config().granularity();
  if (!v1::Granularity_IsValid(granularity)) {
    check.Wrong("granularity", absl::StrCat(granularity), "a value of Granularity");
  } else if (granularity == v1::GRANULARITY_FINE && check.is_regression()) {
    check.Wrong("granularity", v1::Granularity_Name(granularity), "none in a regression");
  }
}

}  // namespace fovea
