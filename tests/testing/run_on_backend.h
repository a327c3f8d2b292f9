// Runs an op case on a backend, through Compile and Executor, in float.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/runtime/program.h"
#include "tests/testing/op_cases.h"

namespace fovea {

struct RunOptions {
  CompileOptions compile;
  bool gradients = false;
  // Inputs of rank 4 are reordered to this layout of the backend before the op reads them, as they
  // would be in the middle of a net.
  Layout image_layout = kDense;
};

struct BackendRun {
  std::shared_ptr<const Program> program;
  std::vector<NamedTensor> outputs;  // in the order of the case's graph
};

absl::StatusOr<BackendRun> RunOnBackend(const OpCase& op_case, const Backend& backend,
                                        const RunOptions& options);

}  // namespace fovea
