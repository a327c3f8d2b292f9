// A kernel that runs an op's reference on dense host memory. Host backends use it for ops they
// have no faster kernel for.
#pragma once

#include "core/backend/backend.h"

namespace fovea {

// Whether the reference computes this node: everything but floats of 16 bits, which it only casts.
bool HasReferenceKernel(const Graph& graph, const Node& node);

// InvalidArgument when an input or output of the node is not dense.
absl::StatusOr<Lowered> LowerReference(const Graph& graph, const Node& node);

}  // namespace fovea
