#include "core/train/evaluate.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/loader.h"
#include "core/train/metrics.h"

namespace fovea {
namespace {

// Probabilities and truth of the examples seen so far.
struct Predictions {
  std::vector<float> probabilities;  // [n, labels]
  std::vector<int32_t> label;        // [n], single-label
  std::vector<uint8_t> applies;      // [n, labels], multi-label
};

absl::Status CheckSizes(const Dataset& dataset, const EvaluateOptions& options,
                        const BucketPrograms& programs) {
  const auto expect = [](const char* what, int64_t found, int64_t expected) {
    if (found == expected) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the data set has ", found, " ", what, ", the model ", expected));
  };
  RETURN_IF_ERROR(expect("bytes a picture", static_cast<int64_t>(dataset.shape().bytes()),
                         static_cast<int64_t>(programs.example_bytes())));
  RETURN_IF_ERROR(expect("labels", dataset.labels(), static_cast<int64_t>(options.labels.size())));
  if (dataset.size() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError("found no example to measure, expected some");
}

void AppendTruth(const Batch& batch, int labels, v1::Task task, Predictions& all) {
  const float* targets = batch.targets.as<float>();
  for (int i = 0; i < batch.count; ++i) {
    const float* row = targets + static_cast<int64_t>(i) * labels;
    if (task == v1::TASK_MULTI_LABEL) {
      for (int label = 0; label < labels; ++label) all.applies.push_back(row[label] > 0.5f);
    } else {
      all.label.push_back(static_cast<int32_t>(std::max_element(row, row + labels) - row));
    }
  }
}

absl::StatusOr<Predictions> Predict(const Dataset& dataset, const EvaluateOptions& options,
                                    BucketExecutor& executor) {
  BatchLoader::Options loading;
  loading.dataset = &dataset;
  loading.order = BatchLoader::Order::kSequential;
  loading.batch_size = options.batch;
  loading.threads = options.loader_threads;
  loading.clock = options.clock;
  ASSIGN_OR_RETURN(const std::unique_ptr<BatchLoader> loader, BatchLoader::Create(loading));

  const int labels = dataset.labels();
  const size_t bytes = dataset.shape().bytes();
  Predictions all;
  all.probabilities.resize(static_cast<size_t>(dataset.size() * labels));
  std::vector<const uint8_t*> pixels;
  int64_t done = 0;
  while (true) {
    RETURN_IF_ERROR(CheckNotCancelled(options.cancel));
    ASSIGN_OR_RETURN(const Batch* batch, loader->Next());
    if (batch == nullptr) return all;
    pixels.clear();
    for (int i = 0; i < batch->count; ++i) {
      pixels.push_back(batch->pixels.as<uint8_t>() + static_cast<size_t>(i) * bytes);
    }
    RETURN_IF_ERROR(executor.Run(pixels, all.probabilities.data() + done * labels));
    AppendTruth(*batch, labels, options.task, all);
    done += batch->count;
  }
}

}  // namespace

absl::StatusOr<v1::Report> Evaluate(const Dataset& dataset, const EvaluateOptions& options,
                                    const BucketPrograms& programs, BucketExecutor& executor) {
  RETURN_IF_ERROR(CheckSizes(dataset, options, programs));
  const absl::Duration start = options.clock->Elapsed();
  ASSIGN_OR_RETURN(const Predictions all, Predict(dataset, options, executor));
  const double seconds = absl::ToDoubleSeconds(options.clock->Elapsed() - start);

  absl::StatusOr<v1::Report> report =
      options.task == v1::TASK_MULTI_LABEL
          ? MeasureMultiLabel(options.labels, all.probabilities, all.applies, options.thresholds)
          : MeasureSingleLabel(options.labels, all.probabilities, all.label);
  RETURN_IF_ERROR(report.status());
  report->set_seconds(seconds);
  if (seconds > 0) {
    report->set_images_per_second(static_cast<double>(dataset.size()) / seconds);
  }
  return report;
}

}  // namespace fovea
