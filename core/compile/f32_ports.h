// WithF32Ports: a graph in double precision that is fed and read in single precision.
#pragma once

#include "absl/status/statusor.h"
#include "core/graph/graph.h"

namespace fovea {

// The same graph, whose f64 inputs and outputs are f32 of the same names, behind Cast nodes. A
// graph without any comes back unchanged. Parameters, states, gradients and slots stay as they are.
absl::StatusOr<Graph> WithF32Ports(Graph graph);

}  // namespace fovea
