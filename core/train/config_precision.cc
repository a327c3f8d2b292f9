// What a step computes in, how the cpu backend lays it out, how the result is stored, and what it
// is served in.
#include <cmath>

#include "core/train/config_sections.h"

namespace fovea {
namespace {

void FillLayoutPlan(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.layout_plan() != v1::LAYOUT_PLAN_UNSPECIFIED) return;
  if (config.backend() != v1::BACKEND_CPU || config.precision() == v1::PRECISION_FP64) return;
  config.set_layout_plan(v1::LAYOUT_PLAN_BLOCKED_WINOGRAD);
  fill.Chose("layout_plan", v1::LayoutPlan_Name(config.layout_plan()),
             "the fastest plan for training");
}

void CheckPlan(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (!v1::LayoutPlan_IsValid(config.layout_plan())) {
    check.Wrong("layout_plan", static_cast<int>(config.layout_plan()), "a value of LayoutPlan");
  } else if (config.backend() == v1::BACKEND_REFERENCE &&
             config.layout_plan() != v1::LAYOUT_PLAN_UNSPECIFIED) {
    check.Wrong("layout_plan", v1::LayoutPlan_Name(config.layout_plan()),
                "none on BACKEND_REFERENCE");
  }
}

bool MayServeInInt8(const v1::TrainingConfig& config) {
  const v1::ServedPrecision precision = config.serving().precision();
  return precision == v1::SERVED_PRECISION_INT8 || precision == v1::SERVED_PRECISION_AUTO;
}

void FillCalibration(ConfigFill& fill) {
  if (!MayServeInInt8(fill.config())) return;
  v1::Calibration& calibration = *fill.config().mutable_serving()->mutable_calibration();
  if (calibration.examples() == 0) {
    calibration.set_examples(256);
    fill.Chose("serving.calibration.examples", calibration.examples(), "the default");
  }
  if (!calibration.has_share()) {
    calibration.set_share(0.9999);
    fill.Chose("serving.calibration.share", calibration.share(), "the default");
  }
}

void FillServing(ConfigFill& fill) {
  v1::ServingPrecision& serving = *fill.config().mutable_serving();
  if (serving.precision() == v1::SERVED_PRECISION_UNSPECIFIED) {
    serving.set_precision(v1::SERVED_PRECISION_FP32);
    fill.Chose("serving.precision", v1::ServedPrecision_Name(serving.precision()), "the default");
  }
  if (serving.precision() != v1::SERVED_PRECISION_FP32 && !serving.has_max_loss()) {
    serving.set_max_loss(0.002);
    fill.Chose("serving.max_loss", serving.max_loss(), "the default");
  }
  FillCalibration(fill);
}

void CheckServing(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  const v1::ServingPrecision& serving = config.serving();
  if (!v1::ServedPrecision_IsValid(serving.precision())) {
    check.Wrong("serving.precision", static_cast<int>(serving.precision()),
                "a value of ServedPrecision");
  } else if (serving.precision() != v1::SERVED_PRECISION_FP32) {
    CheckHasValidation(check, "serving.precision");
    if (config.backend() != v1::BACKEND_CPU) {
      check.Wrong(
          "serving.precision",
          absl::StrCat(v1::ServedPrecision_Name(serving.precision()), " on BACKEND_REFERENCE"),
          "SERVED_PRECISION_FP32, or BACKEND_CPU");
    }
  }
  const double max_loss = serving.max_loss();
  check.Range("serving.max_loss", max_loss, max_loss >= 0 && std::isfinite(max_loss),
              "a finite number of at least 0");
  if (serving.calibration().has_share()) {
    const double share = serving.calibration().share();
    check.Range("serving.calibration.share", share, share > 0 && share <= 1,
                "more than 0 and at most 1");
  }
}

}  // namespace

void FillPrecision(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.precision() == v1::PRECISION_UNSPECIFIED) {
    config.set_precision(v1::PRECISION_FP32);
    fill.Chose("precision", v1::Precision_Name(config.precision()), "the default");
  }
  FillLayoutPlan(fill);
  if (config.storage() == v1::STORAGE_UNSPECIFIED) {
    config.set_storage(v1::STORAGE_FP32);
    fill.Chose("storage", v1::Storage_Name(config.storage()), "the default");
  }
  FillServing(fill);
}

void CheckPrecision(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  const v1::Precision precision = config.precision();
  if (!v1::Precision_IsValid(precision)) {
    check.Wrong("precision", static_cast<int>(precision), "a value of Precision");
  } else if (precision == v1::PRECISION_FP64 && config.backend() != v1::BACKEND_REFERENCE) {
    check.Wrong("precision", "PRECISION_FP64 on BACKEND_CPU",
                "PRECISION_FP32 or PRECISION_BF16, or BACKEND_REFERENCE");
  } else if (precision == v1::PRECISION_BF16 && config.backend() != v1::BACKEND_CPU) {
    check.Wrong("precision", "PRECISION_BF16 on BACKEND_REFERENCE",
                "PRECISION_FP32 or PRECISION_FP64, or BACKEND_CPU");
  }
  CheckPlan(check);
  if (!v1::Storage_IsValid(config.storage())) {
    check.Wrong("storage", static_cast<int>(config.storage()), "a value of Storage");
  }
  CheckServing(check);
}

}  // namespace fovea
