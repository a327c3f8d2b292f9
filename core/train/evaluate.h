// Evaluates a net on a data set: the same code for the trainer's epochs and the server's Evaluate.
//
// The net must not have class or example weights of its own: the measures are of its probabilities.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/compile/buckets.h"
#include "core/data/dataset.h"
#include "core/train/target_scale.h"
#include "fovea/v1/decisions.pb.h"
#include "fovea/v1/report.pb.h"

namespace fovea {

// How probabilities become decisions.
struct Decisions {
  std::vector<double> thresholds;  // multi-label: one a label; binary: of the positive; else empty
  std::optional<v1::OpenSetRule> open_set;  // single-label
};

struct EvaluateOptions {
  v1::Task task = v1::TASK_SINGLE_LABEL;
  std::vector<std::string> labels;  // of the model and of the data set, in the same order
  Decisions decisions;
  // Regression: the net gives standardised values, and targets of the data set are in its units.
  std::optional<TargetScale> target_scale;
  int batch = 32;  // examples read ahead and run together
  int loader_threads = 1;
  const CancelToken* cancel = nullptr;
  const Clock* clock = Clock::Real();
};

// What a net says of a data set, and what is true, row by row; for binary, `labels` is 1.
struct Predictions {
  std::vector<float> probabilities;  // [n, labels]; regression: values in units
  std::vector<float> logits;         // [n, labels] where the graph has them as its second output
  std::vector<float> targets;        // [n, labels]
  double seconds = 0;                // reading, decoding and computing
};

// Runs every example of `dataset` through `executor`, whose graph's first output is the
// probabilities [n, labels]. Memory: 8 labels bytes an example, 12 with logits. Errors as Evaluate.
absl::StatusOr<Predictions> PredictAll(const Dataset& dataset, const EvaluateOptions& options,
                                       const BucketPrograms& programs, BucketExecutor& executor);

// PredictAll, measured. The Report has everything but the data set's name, revision and split, and
// the choices.
// InvalidArgument: the data set's pixels or labels are not the net's. FailedPrecondition: it is
// empty, or a probability is not finite. Cancelled.
absl::StatusOr<v1::Report> Evaluate(const Dataset& dataset, const EvaluateOptions& options,
                                    const BucketPrograms& programs, BucketExecutor& executor);

}  // namespace fovea
