#include "core/train/serving_precision.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/train/recipe.h"

namespace fovea {

std::vector<v1::ServedPrecision> PrecisionsToTry(const v1::TrainingConfig& config) {
  switch (config.serving().precision()) {
    case v1::SERVED_PRECISION_BF16:
    case v1::SERVED_PRECISION_INT8:
      return {v1::SERVED_PRECISION_FP32, config.serving().precision()};
    case v1::SERVED_PRECISION_AUTO:
      return {v1::SERVED_PRECISION_FP32, v1::SERVED_PRECISION_BF16, v1::SERVED_PRECISION_INT8};
    default:
      return {v1::SERVED_PRECISION_FP32};
  }
}

double PrecisionLoss(const v1::TrainingConfig& config, double fp32, double value) {
  const NamedMeasure& measure = BestMeasureOf(config);
  const double worse = measure.higher_is_better ? fp32 - value : value - fp32;
  const bool relative = IsRegression(config.task()) && measure.name != "r2";
  return relative && fp32 != 0 ? worse / std::abs(fp32) : worse;
}

int ChoosePrecision(const v1::TrainingConfig& config, std::vector<v1::PrecisionReport>& reports) {
  const double max_loss = config.serving().max_loss();
  const v1::PrecisionReport& fp32 = reports.front();
  // Asked for by name it is taken though it were slower.
  const bool fastest = config.serving().precision() == v1::SERVED_PRECISION_AUTO;
  size_t chosen = 0;
  for (size_t i = 1; i < reports.size(); ++i) {
    v1::PrecisionReport& report = reports[i];
    if (!report.refused().empty()) continue;
    if (fp32.has_value() && report.has_value()) {
      report.set_loss(PrecisionLoss(config, fp32.value(), report.value()));
    }
    // Written so that a loss that is not a number is refused.
    if (!(fp32.has_value() == report.has_value() && report.loss() <= max_loss)) {
      report.set_refused(absl::StrCat("found ", report.measure(), " worse by ", report.loss(),
                                      " than in FP32, expected at most max_loss ", max_loss));
      continue;
    }
    if (!fastest || report.images_per_second() > reports[chosen].images_per_second()) chosen = i;
  }
  return static_cast<int>(chosen);
}

}  // namespace fovea
