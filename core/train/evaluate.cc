#include "core/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/base/status.h"
#include "core/data/loader.h"
#include "core/train/metrics.h"
#include "core/train/metrics_common.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

absl::Status CheckSizes(const Dataset& dataset, const EvaluateOptions& options,
                        const BucketPrograms& programs) {
  const auto expect = [](const char* what, int64_t found, int64_t expected) {
    if (found == expected) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the data set has ", found, " ", what, ", the model ", expected));
  };
  RETURN_IF_ERROR(expect("bytes a picture", static_cast<int64_t>(dataset.shape().bytes()),
                         static_cast<int64_t>(programs.example_bytes())));
  RETURN_IF_ERROR(expect("labels", dataset.labels(),
                         OutputsOf(options.task, static_cast<int>(options.labels.size()))));
  if (dataset.size() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError("found no example to measure, expected some");
}

// Appends the outputs of a batch, [count, row] with the logits behind the probabilities.
void AppendOutputs(absl::Span<const float> outputs, size_t row, size_t labels, Predictions& all) {
  for (size_t at = 0; at < outputs.size(); at += row) {
    const auto begin = outputs.begin() + static_cast<std::ptrdiff_t>(at);
    const auto middle = begin + static_cast<std::ptrdiff_t>(labels);
    all.probabilities.insert(all.probabilities.end(), begin, middle);
    if (row > labels) {
      all.logits.insert(all.logits.end(), middle, middle + static_cast<std::ptrdiff_t>(labels));
    }
  }
}

std::vector<uint8_t> Applies(const Predictions& all) {
  std::vector<uint8_t> applies(all.targets.size());
  std::transform(all.targets.begin(), all.targets.end(), applies.begin(), [](float target) {
    return std::isnan(target) ? kUnknownTruth : uint8_t{target > 0.5f};
  });
  return applies;
}

absl::StatusOr<v1::Report> MeasureOneLabel(const Predictions& all, const EvaluateOptions& options) {
  const size_t labels = options.labels.size();
  std::vector<int32_t> truth;
  for (auto row = all.targets.begin(); row != all.targets.end();
       row += static_cast<std::ptrdiff_t>(labels)) {
    const auto end = row + static_cast<std::ptrdiff_t>(labels);
    truth.push_back(static_cast<int32_t>(std::max_element(row, end) - row));
  }
  ASSIGN_OR_RETURN(v1::Report report, MeasureSingleLabel(options.labels, all.probabilities, truth));
  if (options.decisions.open_set.has_value()) {
    *report.mutable_measures()->mutable_single_label()->mutable_open_set() =
        MeasureOpenSet(*options.decisions.open_set, all.probabilities, all.logits, truth);
  }
  return report;
}

absl::StatusOr<v1::Report> MeasureTask(const Predictions& all, const EvaluateOptions& options) {
  const std::vector<double>& thresholds = options.decisions.thresholds;
  switch (options.task) {
    case v1::TASK_MULTI_LABEL:
      return MeasureMultiLabel(options.labels, all.probabilities, Applies(all), thresholds);
    case v1::TASK_BINARY:
      return MeasureBinary(options.labels, all.probabilities, Applies(all),
                           thresholds.empty() ? 0.5 : thresholds[0]);
    case v1::TASK_REGRESSION:
    case v1::TASK_UNIT_REGRESSION:
      return MeasureRegression(options.task, options.labels, all.probabilities, all.targets);
    default:
      return MeasureOneLabel(all, options);
  }
}

}  // namespace

absl::StatusOr<Predictions> PredictAll(const Dataset& dataset, const EvaluateOptions& options,
                                       const BucketPrograms& programs, BucketExecutor& executor) {
  RETURN_IF_ERROR(CheckSizes(dataset, options, programs));
  const absl::Duration start = options.clock->Elapsed();
  BatchLoader::Options loading;
  loading.dataset = &dataset;
  loading.order = BatchLoader::Order::kSequential;
  loading.batch_size = options.batch;
  loading.threads = options.loader_threads;
  loading.clock = options.clock;
  ASSIGN_OR_RETURN(const std::unique_ptr<BatchLoader> loader, BatchLoader::Create(loading));

  const auto labels = static_cast<size_t>(dataset.labels());
  const auto row = static_cast<size_t>(programs.row_count());
  const size_t bytes = dataset.shape().bytes();
  Predictions all;
  std::vector<float> outputs(static_cast<size_t>(options.batch) * row);
  std::vector<const uint8_t*> pixels;
  while (true) {
    RETURN_IF_ERROR(CheckNotCancelled(options.cancel));
    ASSIGN_OR_RETURN(const Batch* batch, loader->Next());
    if (batch == nullptr) break;
    const auto count = static_cast<size_t>(batch->count);
    pixels.clear();
    for (size_t i = 0; i < count; ++i) pixels.push_back(batch->pixels.as<uint8_t>() + i * bytes);
    RETURN_IF_ERROR(executor.Run(pixels, outputs.data()));
    AppendOutputs(absl::MakeConstSpan(outputs).first(count * row), row, labels, all);
    const float* targets = batch->targets.as<float>();
    all.targets.insert(all.targets.end(), targets, targets + count * labels);
  }
  RETURN_IF_ERROR(
      metrics_internal::CheckProbabilities(all.probabilities, labels, all.targets.size() / labels));
  if (options.target_scale.has_value()) ToUnits(*options.target_scale, all.probabilities);
  all.seconds = absl::ToDoubleSeconds(options.clock->Elapsed() - start);
  return all;
}

absl::StatusOr<v1::Report> Evaluate(const Dataset& dataset, const EvaluateOptions& options,
                                    const BucketPrograms& programs, BucketExecutor& executor) {
  ASSIGN_OR_RETURN(const Predictions all, PredictAll(dataset, options, programs, executor));
  ASSIGN_OR_RETURN(v1::Report report, MeasureTask(all, options));
  report.set_seconds(all.seconds);
  if (all.seconds > 0) {
    report.set_images_per_second(static_cast<double>(dataset.size()) / all.seconds);
  }
  return report;
}

}  // namespace fovea
