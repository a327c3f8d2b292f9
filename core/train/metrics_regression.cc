#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/train/metrics.h"

namespace fovea {
namespace {

absl::Status CheckValues(absl::Span<const float> values, size_t targets, size_t truth) {
  if (targets == 0) return absl::InvalidArgumentError("found no target to measure, expected some");
  if (truth == 0) {
    return absl::FailedPreconditionError("found no example to measure, expected some");
  }
  if (values.size() != truth || truth % targets != 0) {
    return absl::InvalidArgumentError(absl::StrCat("found ", values.size(), " values and ", truth,
                                                   " true ones, expected examples x ", targets,
                                                   " of both"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the model gives example ", i / targets, " the value ", values[i],
                     " for target ", i % targets, ", expected a finite one: its weights diverged"));
  }
  return absl::OkStatus();
}

// One target: every `stride`-th value from `first` on.
v1::TargetReport MeasureTarget(absl::Span<const float> values, absl::Span<const float> truth,
                               size_t first, size_t stride) {
  const size_t examples = truth.size() / stride;
  const auto n = static_cast<double>(examples);
  double sum = 0, squares = 0, absolutes = 0, largest = 0;
  for (size_t i = first; i < truth.size(); i += stride) {
    const double error = double{values[i]} - double{truth[i]};
    sum += truth[i];
    squares += error * error;
    absolutes += std::abs(error);
    largest = std::max(largest, std::abs(error));
  }
  double variance = 0;
  for (size_t i = first; i < truth.size(); i += stride) {
    const double distance = truth[i] - sum / n;
    variance += distance * distance;
  }
  v1::TargetReport report;
  report.set_mse(squares / n);
  report.set_rmse(std::sqrt(squares / n));
  report.set_mae(absolutes / n);
  if (variance > 0) report.set_r2(1 - squares / variance);
  report.set_max_error(largest);
  return report;
}

}  // namespace

absl::StatusOr<v1::Report> MeasureRegression(v1::Task task, absl::Span<const std::string> targets,
                                             absl::Span<const float> values,
                                             absl::Span<const float> truth) {
  RETURN_IF_ERROR(CheckValues(values, targets.size(), truth.size()));
  v1::Report report;
  report.set_task(task);
  report.mutable_measures()->set_examples(truth.size() / targets.size());
  v1::RegressionMeasures& all = *report.mutable_measures()->mutable_regression();
  const auto n = static_cast<double>(targets.size());
  double r2 = 0;
  int defined = 0;
  for (size_t target = 0; target < targets.size(); ++target) {
    v1::TargetReport& row = *report.add_targets();
    row = MeasureTarget(values, truth, target, targets.size());
    row.set_name(targets[target]);
    all.set_mse(all.mse() + row.mse() / n);
    all.set_rmse(std::sqrt(all.mse()));
    all.set_mae(all.mae() + row.mae() / n);
    all.set_max_error(std::max(all.max_error(), row.max_error()));
    if (!row.has_r2()) continue;
    r2 += row.r2();
    ++defined;
  }
  if (defined > 0) all.set_r2(r2 / defined);
  return report;
}

}  // namespace fovea
