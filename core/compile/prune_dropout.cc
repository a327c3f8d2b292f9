#include "core/compile/pass_util.h"
#include "core/compile/passes.h"

namespace fovea {

absl::Status PruneDropout(Graph& graph, const Backend&) {
  std::vector<bool> dead(graph.nodes().size(), false);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (!std::holds_alternative<Dropout>(node.attrs)) continue;
    dead[i] = true;
    graph.ReplaceUses(node.outputs[0], node.inputs[0]);
  }
  RemoveNodes(graph, dead);
  return absl::OkStatus();
}

}  // namespace fovea
