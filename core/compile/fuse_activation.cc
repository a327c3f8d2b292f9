#include <optional>

#include "core/compile/pass_util.h"
#include "core/compile/passes.h"

namespace fovea {
namespace {

std::optional<Node> WithActivation(Node node, ActivationSpec activation) {
  const auto attach = [&](auto* attrs) {
    if (attrs == nullptr || attrs->activation.kind != Activation::kNone) return false;
    attrs->activation = activation;
    return true;
  };
  if (attach(std::get_if<Conv>(&node.attrs)) || attach(std::get_if<Dense>(&node.attrs)) ||
      attach(std::get_if<Add>(&node.attrs))) {
    return node;
  }
  return std::nullopt;
}

}  // namespace

absl::Status FuseActivation(Graph& graph, const Backend& backend) {
  const Uses uses(graph);
  const size_t count = graph.nodes().size();
  std::vector<bool> dead(count, false);
  for (NodeId i = 0; i < static_cast<NodeId>(count); ++i) {
    const Activate* activate = std::get_if<Activate>(&graph.nodes()[i].attrs);
    if (activate == nullptr) continue;
    const ValueId input = graph.nodes()[i].inputs[0], output = graph.nodes()[i].outputs[0];
    const NodeId producer = uses.OnlyFeeds(input, i);
    if (producer < 0) continue;
    std::optional<Node> fused = WithActivation(graph.nodes()[producer], activate->activation);
    if (!fused || !backend.Supports(graph, *fused)) continue;
    graph.mutable_nodes()[producer] = *std::move(fused);
    graph.ReplaceUses(output, input);
    dead[i] = true;
  }
  RemoveNodes(graph, dead);
  return absl::OkStatus();
}

}  // namespace fovea
