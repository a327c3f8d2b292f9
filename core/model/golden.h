// CheckGolden: whether a model says what it said when it was published.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "fovea/v1/manifest.pb.h"

namespace fovea {

// Runs the examples, `outputs` values each: examples × outputs floats.
using RunExamples =
    absl::FunctionRef<absl::Status(absl::Span<const uint8_t* const> examples, float* outputs)>;

// FailedPrecondition names the first output beyond the tolerance, what was found and expected.
// DataLoss: the examples are not of `pixel_bytes` and `outputs` each.
absl::Status CheckGolden(const v1::Golden& golden, size_t pixel_bytes, size_t outputs,
                         RunExamples run);

}  // namespace fovea
