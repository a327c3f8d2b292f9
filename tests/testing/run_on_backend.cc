#include "tests/testing/run_on_backend.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"

namespace fovea {
namespace {

// Every rank-4 float input is read through a Reorder.
absl::Status ReorderImages(Graph& graph, Layout layout) {
  std::vector<Node> nodes = std::exchange(graph.mutable_nodes(), {});
  for (ValueId id : graph.ValuesOf(Role::kInput)) {
    const Type type = graph.type(id);
    if (type.dims.rank() != 4 || type.dtype != DType::kF32) continue;
    ASSIGN_OR_RETURN(const ValueId copy, graph.Add1(absl::StrCat(graph.value(id).name, "_image"),
                                                    Reorder{layout}, {id}));
    for (Node& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), id, copy);
  }
  for (Node& node : nodes) graph.mutable_nodes().push_back(std::move(node));
  return Verify(graph);
}

// Writes a case's tensor where the program reads it. What nobody reads is no port.
absl::Status Load(const Value& value, const Tensor& tensor, Weights& weights, Executor& executor) {
  if (value.role == Role::kInput) {
    if (executor.program().FindInput(value.name) < 0) return absl::OkStatus();
    return executor.SetInput(value.name, tensor);
  }
  char* region = static_cast<char*>(weights.region(value.role));
  const size_t offset = static_cast<size_t>(value.offset) * DTypeBytes(value.type.dtype);
  RETURN_IF_ERROR(weights.backend().Upload(tensor.data(), region + offset, tensor.bytes()));
  weights.Touch();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BackendRun> RunOnBackend(const OpCase& op_case, const Backend& backend,
                                        const RunOptions& options) {
  ASSIGN_OR_RETURN(const CaseGraph built, BuildCaseGraph(op_case, DType::kF32, options.gradients));
  Graph graph = built.graph;
  if (options.image_layout != kDense) {
    RETURN_IF_ERROR(ReorderImages(graph, options.image_layout));
  }
  const int slots = static_cast<int>(graph.ValuesOf(Role::kSlot).size());
  ASSIGN_OR_RETURN(const std::shared_ptr<Weights> weights,
                   Weights::Create(backend, graph, {slots, /*gradients=*/true}));
  BackendRun run;
  ASSIGN_OR_RETURN(run.program, Compile(std::move(graph), backend, options.compile));
  ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor,
                   Executor::Create(run.program, weights));
  for (const NamedTensor& input : MakeInputs(op_case, built)) {
    const Value& value = built.graph.value(built.graph.Find(input.name));
    RETURN_IF_ERROR(Load(value, input.tensor, *weights, *executor));
  }
  RETURN_IF_ERROR(executor->Run());
  for (ValueId id : built.graph.outputs()) {
    const Value& value = built.graph.value(id);
    Tensor tensor(value.type);
    RETURN_IF_ERROR(executor->GetOutput(value.name, tensor));
    run.outputs.push_back({value.name, std::move(tensor)});
  }
  return run;
}

}  // namespace fovea
