#include "core/compile/compile.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/cpu_budget.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"
#include "core/compile/passes.h"
#include "core/compile/program_builder.h"
#include "core/compile/quantize.h"

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

// Rewrites the graph for what it shall compute in.
absl::Status RunTypePasses(const CompileOptions& options, Graph& graph, const Backend& backend) {
  switch (options.compute_type) {
    case DType::kBF16:
      return RunPasses(kMixedPrecisionPasses, graph, backend);
    case DType::kI8: {
      if (options.training || options.quantization == nullptr) {
        return absl::InvalidArgumentError(
            "compute_type i8 is for inference by a quantization, found no quantization or "
            "training");
      }
      RETURN_IF_ERROR(QuantizeProducts(graph, backend, *options.quantization));
      graph.Prune();
      return Verify(graph);
    }
    default:
      if (options.training || !options.optimize) return absl::OkStatus();
      return RunPasses(kF32InferencePasses, graph, backend);
  }
}

}  // namespace

absl::Status CheckComputes(const Backend& backend, DType compute_type) {
  switch (compute_type) {
    case DType::kBF16:
      return CheckBf16(backend);
    case DType::kI8:
      return CheckInt8(backend);
    default:
      return absl::OkStatus();
  }
}

absl::Status RunInferencePasses(Graph& graph, const Backend& backend) {
  return RunPasses(kInferencePasses, graph, backend);
}

absl::StatusOr<std::shared_ptr<const Program>> Compile(Graph graph, const Backend& backend,
                                                       const CompileOptions& given) {
  CompileOptions options = given;
  if (options.width <= 0) options.width = ReadCpuBudget().threads();
  const ScopedWidth width(options.width);
  RETURN_IF_ERROR(Verify(graph));
  if (options.optimize) {
    RETURN_IF_ERROR(options.training ? RunPasses(kTrainingPasses, graph, backend)
                                     : RunInferencePasses(graph, backend));
  }
  RETURN_IF_ERROR(RunTypePasses(options, graph, backend));
  ASSIGN_OR_RETURN(graph, backend.Prepare(std::move(graph), options));
  if (absl::Status status = Verify(graph); !status.ok()) {
    return Annotate(status, absl::StrCat("as prepared by backend \"", backend.name(), "\""));
  }
  return ProgramBuilder(std::move(graph), backend, options).Build();
}

}  // namespace fovea
