#include "core/base/status.h"
#include "core/compile/pass_util.h"
#include "core/compile/passes.h"

namespace fovea {
namespace {

// The convolution whose output `norm` alone reads and which nothing follows yet, or −1.
NodeId FoldableConv(const Graph& graph, const Uses& uses, NodeId norm) {
  const NodeId producer = uses.OnlyFeeds(graph.nodes()[norm].inputs[0], norm);
  if (producer < 0) return -1;
  const Conv* conv = std::get_if<Conv>(&graph.nodes()[producer].attrs);
  if (conv == nullptr || conv->has_residual || conv->activation.kind != Activation::kNone)
    return -1;
  return producer;
}

}  // namespace

absl::Status FoldBatchNorms(Graph& graph, const Backend&) {
  const Uses uses(graph);
  const size_t count = graph.nodes().size();
  std::vector<bool> dead(count, false);
  std::vector<std::vector<Node>> before(count);  // nodes to insert before node i

  for (size_t i = 0; i < count; ++i) {
    const BatchNorm* norm = std::get_if<BatchNorm>(&graph.nodes()[i].attrs);
    if (norm == nullptr) continue;
    const NodeId conv_id = FoldableConv(graph, uses, static_cast<NodeId>(i));
    if (conv_id < 0) continue;
    const Node norm_node = graph.nodes()[i];
    const Node conv_node = graph.nodes()[conv_id];
    Conv conv = std::get<Conv>(conv_node.attrs);

    Node fold;
    fold.name = norm_node.name + ".fold";
    fold.attrs = FoldBatchNorm{norm->epsilon, conv.has_bias};
    fold.inputs = {conv_node.inputs[1], norm_node.inputs[1], norm_node.inputs[2],
                   norm_node.inputs[3], norm_node.inputs[4]};
    if (conv.has_bias) fold.inputs.push_back(conv_node.inputs[2]);
    const Type weight = graph.type(conv_node.inputs[1]);
    const Type bias = graph.type(norm_node.inputs[1]);
    fold.outputs = {graph.AddValue(fold.name + ".weight", weight, Role::kTemporary),
                    graph.AddValue(fold.name + ".bias", bias, Role::kTemporary)};

    Node& target = graph.mutable_nodes()[conv_id];
    conv.has_bias = true;
    target.attrs = conv;
    target.inputs = {conv_node.inputs[0], fold.outputs[0], fold.outputs[1]};
    before[conv_id].push_back(std::move(fold));
    dead[i] = true;
    graph.ReplaceUses(norm_node.outputs[0], conv_node.outputs[0]);
  }

  std::vector<Node> nodes;
  for (size_t i = 0; i < count; ++i) {
    for (Node& node : before[i]) nodes.push_back(std::move(node));
    if (!dead[i]) nodes.push_back(std::move(graph.mutable_nodes()[i]));
  }
  graph.mutable_nodes() = std::move(nodes);
  return absl::OkStatus();
}

}  // namespace fovea
