// Evaluates a net on a data set: the same code for the trainer's epochs and the server's Evaluate.
//
// The net must not have class or example weights of its own: the measures are of its probabilities.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/compile/buckets.h"
#include "core/data/dataset.h"
#include "fovea/v1/report.pb.h"

namespace fovea {

struct EvaluateOptions {
  v1::Task task = v1::TASK_SINGLE_LABEL;
  std::vector<std::string> labels;  // of the model and of the data set, in the same order
  std::vector<double> thresholds;   // multi-label: one a label
  int batch = 32;                   // examples read ahead and run together
  int loader_threads = 1;
  const CancelToken* cancel = nullptr;
  const Clock* clock = Clock::Real();
};

// Runs every example of `dataset` through `executor`, whose graph's first output is the
// probabilities [n, labels]. The Report has everything but the data set's name, revision and split,
// and the choices. Memory: (4 labels + 4) bytes an example.
// InvalidArgument: the data set's pixels or labels are not the net's. FailedPrecondition: it is
// empty, or a probability is not finite. Cancelled.
absl::StatusOr<v1::Report> Evaluate(const Dataset& dataset, const EvaluateOptions& options,
                                    const BucketPrograms& programs, BucketExecutor& executor);

}  // namespace fovea
