#include <algorithm>
#include <array>
#include <optional>

#include "core/compile/pass_util.h"
#include "core/compile/passes.h"

namespace fovea {
namespace {

// A convolution of the kind that a stage may be: with a bias and, but for the last, no residual.
const Conv* StageConv(const Graph& graph, NodeId id) {
  if (id < 0) return nullptr;
  const Conv* conv = std::get_if<Conv>(&graph.nodes()[id].attrs);
  return conv != nullptr && conv->has_bias ? conv : nullptr;
}

bool IsPointwise(const Conv& conv) { return conv.group == 1 && conv.window == Window(); }

// Every input channel is filtered by one kernel.
bool IsDepthwise(const Graph& graph, const Node& node, const Conv& conv) {
  return conv.group > 1 && conv.group == graph.type(node.inputs[0]).dims[1] &&
         conv.group == graph.type(node.inputs[1]).dims[0] && !conv.has_residual;
}

struct Fused {
  Node node;
  std::vector<NodeId> absorbed;
};

// The inverted residual that ends with the projection `last`, with its expansion if it has one.
std::optional<Fused> FuseAt(const Graph& graph, const Uses& uses, NodeId last, bool expand) {
  const Node& projection = graph.nodes()[last];
  const Conv* project = StageConv(graph, last);
  if (project == nullptr || !IsPointwise(*project)) return std::nullopt;
  const NodeId middle = uses.OnlyFeeds(projection.inputs[0], last);
  const Conv* filter = StageConv(graph, middle);
  if (filter == nullptr || !IsDepthwise(graph, graph.nodes()[middle], *filter)) return std::nullopt;
  const Node& depthwise = graph.nodes()[middle];

  InvertedResidual op;
  op.window = filter->window;
  op.depthwise = filter->activation;
  op.projection = project->activation;
  op.has_residual = project->has_residual;
  Fused fused = {projection, {middle}};
  std::vector<ValueId>& inputs = fused.node.inputs;
  inputs = {depthwise.inputs[0]};
  if (expand) {
    const NodeId first = uses.OnlyFeeds(depthwise.inputs[0], middle);
    const Conv* expansion = StageConv(graph, first);
    if (expansion == nullptr || !IsPointwise(*expansion) || expansion->has_residual) {
      return std::nullopt;
    }
    op.has_expansion = true;
    op.expansion = expansion->activation;
    inputs = graph.nodes()[first].inputs;
    fused.absorbed.push_back(first);
  }
  inputs.insert(inputs.end(), depthwise.inputs.begin() + 1, depthwise.inputs.end());
  inputs.insert(inputs.end(), projection.inputs.begin() + 1, projection.inputs.end());
  fused.node.attrs = op;
  return fused;
}

}  // namespace

absl::Status FuseInvertedResiduals(Graph& graph, const Backend& backend) {
  const Uses uses(graph);
  const size_t count = graph.nodes().size();
  std::vector<bool> dead(count, false);
  for (NodeId i = 0; i < static_cast<NodeId>(count); ++i) {
    for (const bool expand : {true, false}) {
      std::optional<Fused> fused = FuseAt(graph, uses, i, expand);
      if (!fused || !backend.Supports(graph, fused->node)) continue;
      graph.mutable_nodes()[i] = std::move(fused->node);
      for (NodeId absorbed : fused->absorbed) dead[absorbed] = true;
      break;
    }
  }
  RemoveNodes(graph, dead);
  return absl::OkStatus();
}

}  // namespace fovea
