#include "core/compile/compile.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/cpu_budget.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"
#include "core/compile/passes.h"
#include "core/compile/program_builder.h"

namespace fovea {
namespace {

struct Pass {
  const char* name;
  absl::Status (*run)(Graph& graph, const Backend& backend);
};

constexpr Pass kInferencePasses[] = {
    {"prune dropout", PruneDropout},
    {"fold batch norms", FoldBatchNorms},
    {"fuse residual", FuseResidual},
    {"fuse activation", FuseActivation},
};

constexpr Pass kF32InferencePasses[] = {
    {"fuse inverted residuals", FuseInvertedResiduals},
};

constexpr Pass kTrainingPasses[] = {
    {"fuse norm and relu", FuseNormRelu},
};

constexpr Pass kMixedPrecisionPasses[] = {
    {"cast to bf16", CastToBf16},
};

absl::Status Annotate(const absl::Status& status, absl::string_view where) {
  return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
}

absl::Status RunPasses(absl::Span<const Pass> passes, Graph& graph, const Backend& backend) {
  for (const Pass& pass : passes) {
    if (absl::Status status = pass.run(graph, backend); !status.ok()) {
      return Annotate(status, absl::StrCat("pass \"", pass.name, "\""));
    }
#ifndef NDEBUG
    if (absl::Status status = Verify(graph); !status.ok()) {
      return Annotate(status, absl::StrCat("after pass \"", pass.name, "\""));
    }
#endif
  }
  graph.Prune();
  return Verify(graph);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Program>> Compile(Graph graph, const Backend& backend,
                                                       const CompileOptions& given) {
  CompileOptions options = given;
  if (options.width <= 0) options.width = ReadCpuBudget().threads();
  const ScopedWidth width(options.width);
  RETURN_IF_ERROR(Verify(graph));
  if (options.optimize) {
    const absl::Span<const Pass> passes = options.training
                                              ? absl::Span<const Pass>(kTrainingPasses)
                                              : absl::Span<const Pass>(kInferencePasses);
    RETURN_IF_ERROR(RunPasses(passes, graph, backend));
    if (!options.training && options.compute_type == DType::kF32) {
      RETURN_IF_ERROR(RunPasses(kF32InferencePasses, graph, backend));
    }
  }
  if (options.compute_type == DType::kBF16) {
    RETURN_IF_ERROR(RunPasses(kMixedPrecisionPasses, graph, backend));
  }
  ASSIGN_OR_RETURN(graph, backend.Prepare(std::move(graph), options));
  if (absl::Status status = Verify(graph); !status.ok()) {
    return Annotate(status, absl::StrCat("as prepared by backend \"", backend.name(), "\""));
  }
  return ProgramBuilder(std::move(graph), backend, options).Build();
}

}  // namespace fovea
