// CalibrateOn: the scales of INT8 from pictures of a data set.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/data/dataset.h"
#include "core/graph/graph.h"
#include "core/graph/quantization.h"
#include "core/runtime/weights.h"
#include "fovea/v1/precision.pb.h"

namespace fovea {

// `graph`: of inference, on pictures of the data set's shape; `width`: threads. FailedPrecondition:
// the data set is empty. Cancelled; else the errors of the data set and of Calibrator.
absl::StatusOr<Quantization> CalibrateOn(const Dataset& dataset, const v1::Calibration& calibration,
                                         const Graph& graph, std::shared_ptr<Weights> weights,
                                         int width, const CancelToken* cancel);

}  // namespace fovea
