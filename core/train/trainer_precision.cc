// Trainer's choice of what the published version computes in.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/model/served_precision.h"
#include "core/train/calibration.h"
#include "core/train/decisions.h"
#include "core/train/golden.h"
#include "core/train/serving_precision.h"
#include "core/train/trainer.h"

namespace fovea {
namespace {

constexpr int kTimedRuns = 5;

// Of a full batch of pictures from `dataset`, the fastest of some runs.
absl::StatusOr<double> ImagesPerSecond(const Dataset& dataset, int batch, const Clock& clock,
                                       BucketExecutor& executor, int64_t row_count) {
  ASSIGN_OR_RETURN(const auto pixels, FirstPixels(dataset, batch));
  std::vector<const uint8_t*> examples;
  for (int i = 0; i < batch; ++i) examples.push_back(pixels[i % pixels.size()].data());
  std::vector<float> outputs(static_cast<size_t>(batch * row_count));
  absl::Duration fastest = absl::InfiniteDuration();
  for (int run = 0; run < kTimedRuns; ++run) {
    const absl::Duration begin = clock.Elapsed();
    RETURN_IF_ERROR(executor.Run(examples, outputs.data()));
    if (run > 0) fastest = std::min(fastest, clock.Elapsed() - begin);  // the first touches memory
  }
  if (fastest <= absl::ZeroDuration()) return 0;
  return batch / absl::ToDoubleSeconds(fastest);
}

}  // namespace

absl::StatusOr<v1::ServedPrecision> Trainer::TryPrecisions(
    std::vector<v1::PrecisionReport>& reports) {
  const v1::TrainingConfig& config = options_.job.config();
  const std::vector<v1::ServedPrecision> precisions = PrecisionsToTry(config);
  if (precisions.size() == 1) return precisions.front();
  for (v1::ServedPrecision precision : precisions) {
    ASSIGN_OR_RETURN(reports.emplace_back(), TryPrecision(precision));
  }
  const v1::PrecisionReport& chosen = reports[ChoosePrecision(config, reports)];
  RETURN_IF_ERROR(PrepareInference(Graph(inference_->graph()), ComputeTypeOf(chosen.precision())));
  RETURN_IF_ERROR(TellPrecision(chosen, reports));
  return chosen.precision();
}

absl::StatusOr<v1::PrecisionReport> Trainer::TryPrecision(v1::ServedPrecision precision) {
  const v1::TrainingConfig& config = options_.job.config();
  const NamedMeasure& measure = BestMeasureOf(config);
  v1::PrecisionReport report;
  report.set_precision(precision);
  report.set_measure(std::string(measure.name));
  const DType type = ComputeTypeOf(precision);
  const absl::Status computes = CheckComputes(*options_.backend, type);
  if (absl::IsFailedPrecondition(computes)) {
    report.set_refused(std::string(computes.message()));
    return report;
  }
  RETURN_IF_ERROR(computes);
  if (type == DType::kI8) RETURN_IF_ERROR(Calibrate());
  RETURN_IF_ERROR(PrepareInference(Graph(inference_->graph()), type));
  ASSIGN_OR_RETURN(const v1::Report found,
                   EvaluateOn(*options_.validation, GivenDecisions(config, options_.labels)));
  if (const auto value = measure.get(found.measures())) report.set_value(*value);
  ASSIGN_OR_RETURN(const double speed,
                   ImagesPerSecond(*options_.validation, inference_->max_batch(), *options_.clock,
                                   *evaluator_, inference_->row_count()));
  report.set_images_per_second(speed);
  return report;
}

absl::Status Trainer::Calibrate() {
  const v1::Calibration& calibration = options_.job.config().serving().calibration();
  ASSIGN_OR_RETURN(Quantization found,
                   CalibrateOn(*options_.validation, calibration, inference_->graph(),
                               training_->evaluated(), inference_options_.width, options_.cancel));
  quantization_ = std::make_shared<const Quantization>(std::move(found));
  return absl::OkStatus();
}

absl::Status Trainer::TellPrecision(const v1::PrecisionReport& chosen,
                                    absl::Span<const v1::PrecisionReport> reports) {
  std::string text = absl::StrCat("will be served in ", PrecisionText(chosen.precision()));
  for (const v1::PrecisionReport& report : reports) {
    absl::StrAppend(&text, "; ", PrecisionText(report.precision()), ": ");
    if (report.has_value()) {
      absl::StrAppend(&text, report.measure(), " ", report.value(), ", ",
                      static_cast<int64_t>(report.images_per_second()), " images/s");
    }
    if (!report.refused().empty()) {
      absl::StrAppend(&text, report.has_value() ? ", " : "", "refused: ", report.refused());
    }
  }
  v1::JobEvent event;
  event.mutable_note()->set_text(std::move(text));
  return Emit(std::move(event));
}

}  // namespace fovea
