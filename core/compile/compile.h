// Compile: Graph → passes → Prepare → Lower → plan → Program.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"
#include "core/runtime/program.h"

namespace fovea {

// OK when the backend computes in this type (CompileOptions::compute_type) on this machine;
// FailedPrecondition says what that takes.
absl::Status CheckComputes(const Backend& backend, DType compute_type);

// Compiles `graph` for `backend`. An inference graph (options.training false) goes through the
// inference passes, and its nodes that depend on parameters and states only become the prologue.
// InvalidArgument: the graph does not verify, or compute_type is i8 in training or without a
// quantization. FailedPrecondition: compute_type is bf16 or i8, in which the backend does not
// compute on this machine. Unimplemented: a node has no kernel there, or (unless
// allow_slow_kernels) a convolution or dense only a slow one. Thread-safe.
absl::StatusOr<std::shared_ptr<const Program>> Compile(Graph graph, const Backend& backend,
                                                       const CompileOptions& options);

}  // namespace fovea
