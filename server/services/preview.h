// What training would see of a data set, drawn for people.
#pragma once

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/data/store.h"
#include "fovea/v1/datasets.pb.h"

namespace fovea {

// Decodes, augments, draws and encodes on this thread. InvalidArgument with field violations for
// what is wrong with the request; of the configuration only the parts that a preview uses are
// looked at. FailedPrecondition (EMPTY_SPLIT) when the split has no image.
absl::StatusOr<v1::DatasetPreview> Preview(const DatasetStore& store,
                                           const v1::PreviewDatasetRequest& request,
                                           const CancelToken& cancel);

}  // namespace fovea
