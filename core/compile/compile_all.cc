#include "core/compile/compile_all.h"

#include <algorithm>
#include <utility>

#include "core/base/cpu_budget.h"
#include "core/base/status.h"
#include "core/base/thread_pool.h"
#include "core/compile/compile.h"

namespace fovea {
namespace {

absl::StatusOr<std::shared_ptr<const Program>> CompileOne(const Graph& graph,
                                                          const Backend& backend,
                                                          const ProgramSpec& spec,
                                                          CompileOptions options) {
  options.layout_plan = spec.plan;
  ASSIGN_OR_RETURN(Graph of_batch, WithBatch(graph, spec.batch));
  return Compile(std::move(of_batch), backend, options);
}

}  // namespace

void RunThrough(const CoreGate& gate, int cores, absl::FunctionRef<void()> work) {
  if (gate == nullptr) return work();
  gate(cores, work);
}

std::vector<absl::StatusOr<std::shared_ptr<const Program>>> CompileAll(
    const Graph& graph, const Backend& backend, const std::vector<ProgramSpec>& specs,
    const CompileOptions& options, const CoreGate& gate) {
  std::vector<absl::StatusOr<std::shared_ptr<const Program>>> programs(specs.size());
  const auto compile = [&](int64_t i) {
    RunThrough(gate, 1, [&] { programs[i] = CompileOne(graph, backend, specs[i], options); });
  };
  const int count = static_cast<int>(specs.size());
  // The caller is one of the threads.
  const int helpers = std::min(ReadCpuBudget().threads(), count) - 1;
  if (helpers < 1) {
    for (int i = 0; i < count; ++i) compile(i);
    return programs;
  }
  ThreadPool pool({.threads = helpers, .name = "compile"});
  ParallelFor(&pool, count, compile);
  return programs;
}

}  // namespace fovea
