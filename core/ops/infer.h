// What the shape rules of all ops share: checks whose errors say what was found and what was
// expected, and the extent of a sliding window.
//
// Every function returns InvalidArgument or OK; the caller of OpDef::infer adds the node's name.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/op_def.h"

namespace fovea::ops {

bool IsFloat(DType dtype);

absl::Status ExpectInputs(absl::Span<const Type> inputs, size_t count);
// All inputs [0, count) are floating and of one dtype.
absl::Status ExpectOneFloat(absl::Span<const Type> inputs, size_t count);
// What an op on `dtype` keeps its biases, scales, statistics and gradients of parameters in: f32
// for the types of 16 bits, else `dtype`. Source: Micikevicius et al. 2018, "Mixed precision
// training".
DType ParameterType(DType dtype);
// The inputs [first, last) are of the ParameterType of input 0.
absl::Status ExpectParameters(absl::Span<const Type> inputs, size_t first, size_t last);
absl::Status ExpectRank(absl::string_view what, const Type& type, int rank);
absl::Status ExpectRankAtLeast(absl::string_view what, const Type& type, int rank);
absl::Status ExpectDims(absl::string_view what, const Type& type, const Dims& expected);
absl::Status ExpectDType(absl::string_view what, const Type& type, DType expected);
// u8 or i8.
absl::Status ExpectQuantized(absl::string_view what, DType found);
// `count` constants, all above 0.
absl::Status ExpectScales(const Node& node, int64_t count);
absl::Status ExpectActivation(const ActivationSpec& activation);
// No constants, or one for each of `count` classes.
absl::Status ExpectClassWeights(const Node& node, int64_t count);

// The output extent of a window along axis 0 (height) or 1 (width) of an input with this extent.
// With `ceil` the extent rounds up, but the last window starts inside the input or the padding in
// front of it.
absl::StatusOr<int64_t> WindowExtent(const Window& window, int axis, int64_t extent, bool ceil);

inline double NoFlops(const Node&, absl::Span<const Type>) { return 0; }

// The gradient of an op that has none: Unimplemented, saying why.
absl::Status NoGradient(GradientBuilder& builder);

}  // namespace fovea::ops
