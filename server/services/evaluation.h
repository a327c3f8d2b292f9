// Evaluate: a served model on a split of a data set. Private to server/services.
#pragma once

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/data/dataset_types.h"
#include "core/data/store.h"
#include "fovea/v1/report.pb.h"
#include "server/serving/served_version.h"
#include "server/telemetry/metrics.h"

namespace fovea {

// Blocks until the split is measured. The data set's labels may be in another order than the
// model's, and some may be missing. InvalidArgument: another task, or a label the model does not
// know. FailedPrecondition: the split is empty. Cancelled.
absl::StatusOr<v1::Report> EvaluateOn(const ServedVersion& model, const DatasetStore& store,
                                      Split split, int width, const CancelToken& cancel,
                                      Metrics& metrics);

}  // namespace fovea
