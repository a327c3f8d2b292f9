// Compiles many Programs of one graph side by side.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"
#include "core/runtime/program.h"

namespace fovea {

// Runs `work` on the calling thread while `cores` cores are free for it, for who shares them with
// others; may wait first. Empty: at once. Called from several threads.
using CoreGate = std::function<void(int cores, absl::FunctionRef<void()> work)>;

// `work` through a gate that may be empty.
void RunThrough(const CoreGate& gate, int cores, absl::FunctionRef<void()> work);

struct ProgramSpec {
  int batch = 1;
  LayoutPlan plan = LayoutPlan::kDefault;
};

// The programs of `specs`, in their order; `options` gives all but the plan. Each is an error of
// WithBatch or Compile where it could not be made. Uses threads of its own, as many as the CPU
// budget, and the caller's; each program is compiled through the gate, on one core.
std::vector<absl::StatusOr<std::shared_ptr<const Program>>> CompileAll(
    const Graph& graph, const Backend& backend, const std::vector<ProgramSpec>& specs,
    const CompileOptions& options, const CoreGate& gate);

}  // namespace fovea
