#include <algorithm>
#include <optional>

#include "core/compile/pass_util.h"
#include "core/compile/passes.h"

namespace fovea {
namespace {

// The node with `residual` summed into its output, or nothing when its op has no place for one.
std::optional<Node> WithResidual(Node node, ValueId residual, ActivationSpec activation) {
  const auto attach = [&](auto* attrs) {
    if (attrs->has_residual || attrs->activation.kind != Activation::kNone) return false;
    attrs->has_residual = true;
    attrs->activation = activation;
    return true;
  };
  bool attached = false;
  if (auto* conv = std::get_if<Conv>(&node.attrs)) attached = attach(conv);
  if (auto* dense = std::get_if<Dense>(&node.attrs)) attached = attach(dense);
  if (!attached) return std::nullopt;
  node.inputs.push_back(residual);
  return node;
}

// Whether `at` may overwrite `value`: a temporary made before it, which nobody reads later but
// `add`.
bool DeadAfter(const Graph& graph, const Uses& uses, ValueId value, NodeId at, NodeId add) {
  if (graph.value(value).role != Role::kTemporary || graph.IsOutput(value)) return false;
  const NodeId producer = uses.producers[value];
  if (producer < 0 || producer >= at) return false;
  // A reshaped value shares its memory with its source; leave those alone.
  if (std::holds_alternative<Reshape>(graph.nodes()[producer].attrs)) return false;
  return std::all_of(uses.readers[value].begin(), uses.readers[value].end(), [&](NodeId reader) {
    const bool view = std::holds_alternative<Reshape>(graph.nodes()[reader].attrs);
    return reader == add || (reader < at && !view);
  });
}

}  // namespace

absl::Status FuseResidual(Graph& graph, const Backend& backend) {
  const size_t count = graph.nodes().size();
  std::vector<bool> dead(count, false);
  for (NodeId i = 0; i < static_cast<NodeId>(count); ++i) {
    const Add* add = std::get_if<Add>(&graph.nodes()[i].attrs);
    if (add == nullptr) continue;
    const Node node = graph.nodes()[i];
    const Uses uses(graph);
    for (int side : {0, 1}) {
      const ValueId sum = node.inputs[side], residual = node.inputs[1 - side];
      const NodeId producer = uses.OnlyFeeds(sum, i);
      if (producer < 0 || residual == sum) continue;
      if (!DeadAfter(graph, uses, residual, producer, i)) continue;
      const std::vector<ValueId>& reads = graph.nodes()[producer].inputs;
      if (std::find(reads.begin(), reads.end(), residual) != reads.end()) continue;
      std::optional<Node> fused = WithResidual(graph.nodes()[producer], residual, add->activation);
      if (!fused || !backend.Supports(graph, *fused)) continue;
      graph.mutable_nodes()[producer] = *std::move(fused);
      // The Add's readers read the producer's output; the Add itself stays in place, unread, so
      // that node ids hold until the end.
      graph.ReplaceUses(node.outputs[0], sum);
      graph.mutable_nodes()[i].inputs.clear();
      dead[i] = true;
      break;
    }
  }
  RemoveNodes(graph, dead);
  return absl::OkStatus();
}

}  // namespace fovea
