// AddGradients: walks the graph backwards from the loss and asks every op for its gradient.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/training_graph.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

// Whether each value depends on a parameter: only those have gradients.
std::vector<bool> DependsOnParameter(const Graph& graph) {
  std::vector<bool> depends(graph.values().size(), false);
  for (ValueId id : graph.ValuesOf(Role::kParameter)) depends[id] = true;
  for (const Node& node : graph.nodes()) {
    const bool any = std::any_of(node.inputs.begin(), node.inputs.end(),
                                 [&](ValueId id) { return depends[id]; });
    if (!any) continue;
    for (ValueId id : node.outputs) depends[id] = true;
  }
  return depends;
}

// The contributions to the gradient of every value, and their sum.
class Gradients {
 public:
  explicit Gradients(Graph& graph) : graph_(graph), parts_(graph.values().size()) {}

  void AddPart(ValueId value, ValueId part) { parts_[value].push_back(part); }

  // kNoValue when nothing depends on the value.
  absl::StatusOr<ValueId> Sum(ValueId value) {
    std::vector<ValueId>& parts = parts_[value];
    while (parts.size() > 1) {
      const ValueId b = parts.back();
      parts.pop_back();
      ASSIGN_OR_RETURN(parts.back(),
                       graph_.Add1(absl::StrCat(graph_.value(value).name, ".sum_gradients"), Add{},
                                   {parts.back(), b}));
    }
    return parts.empty() ? kNoValue : parts[0];
  }

 private:
  Graph& graph_;
  std::vector<std::vector<ValueId>> parts_;
};

absl::Status AddNodeGradient(Graph& graph, const Node& node, const std::vector<bool>& depends,
                             Gradients& gradients) {
  std::vector<bool> wanted;
  for (ValueId id : node.inputs) wanted.push_back(depends[id]);
  if (std::find(wanted.begin(), wanted.end(), true) == wanted.end()) return absl::OkStatus();
  std::vector<ValueId> dy;
  for (ValueId id : node.outputs) {
    ASSIGN_OR_RETURN(dy.emplace_back(), gradients.Sum(id));
  }
  if (std::all_of(dy.begin(), dy.end(), [](ValueId id) { return id == kNoValue; })) {
    return absl::OkStatus();
  }
  const OpDef& op = OpOf(node.attrs);
  if (op.gradient == nullptr) {
    return absl::UnimplementedError(absl::StrCat(op.name, " \"", node.name, "\" has no gradient"));
  }
  GradientBuilder builder(graph, node, dy, wanted);
  RETURN_IF_ERROR(op.gradient(builder));
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId part = builder.input_gradients()[i];
    if (part != kNoValue && wanted[i]) gradients.AddPart(node.inputs[i], part);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddGradients(Graph& graph, ValueId loss) {
  if (graph.type(loss).dims.count() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("the loss \"", graph.value(loss).name, "\" is ",
                                                   graph.type(loss).ToString(),
                                                   ", expected one element"));
  }
  const std::vector<bool> depends = DependsOnParameter(graph);
  const std::vector<ValueId> parameters = graph.ValuesOf(Role::kParameter);
  const std::vector<Node> forward = graph.nodes();
  Gradients gradients(graph);
  ASSIGN_OR_RETURN(const ValueId one, graph.Add1("dloss", Fill{1.0f}, {}));
  gradients.AddPart(loss, one);
  for (auto node = forward.rbegin(); node != forward.rend(); ++node) {
    RETURN_IF_ERROR(AddNodeGradient(graph, *node, depends, gradients));
  }
  for (ValueId parameter : parameters) {
    ASSIGN_OR_RETURN(const ValueId gradient, gradients.Sum(parameter));
    if (gradient == kNoValue) {
      return absl::InvalidArgumentError(absl::StrCat("parameter \"", graph.value(parameter).name,
                                                     "\" does not influence the loss"));
    }
    graph.SetGradient(parameter, gradient);
  }
  return absl::OkStatus();
}

}  // namespace fovea
