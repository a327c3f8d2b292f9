#include <algorithm>

#include "core/compile/pass_util.h"
#include "core/compile/passes.h"

namespace fovea {
namespace {

struct Match {
  NodeId norm = -1;           // BatchNormTraining
  NodeId relu = -1;           // Activate of its output
  NodeId relu_backward = -1;  // −1 when the graph has no gradients
  NodeId norm_backward = -1;
};

// The single node of the given attributes that reads `value`, or −1; `others` counts the rest.
template <typename T>
NodeId ReaderOf(const Graph& graph, const Uses& uses, ValueId value, int* others) {
  NodeId found = -1;
  *others = 0;
  for (NodeId reader : uses.readers[value]) {
    if (found < 0 && std::holds_alternative<T>(graph.nodes()[reader].attrs)) {
      found = reader;
    } else {
      ++*others;
    }
  }
  return found;
}

bool FindMatch(const Graph& graph, const Uses& uses, NodeId relu, Match* match) {
  const Node& node = graph.nodes()[relu];
  match->relu = relu;
  match->norm = uses.OnlyFeeds(node.inputs[0], relu);
  if (match->norm < 0) return false;
  const Node& norm = graph.nodes()[match->norm];
  if (!std::holds_alternative<BatchNormTraining>(norm.attrs)) return false;

  int others = 0;
  match->relu_backward = ReaderOf<ActivateBackward>(graph, uses, node.outputs[0], &others);
  if (match->relu_backward < 0) return true;
  if (graph.nodes()[match->relu_backward].inputs[0] != node.outputs[0]) return false;
  const ValueId dy = graph.nodes()[match->relu_backward].outputs[0];
  match->norm_backward = ReaderOf<BatchNormBackward>(graph, uses, dy, &others);
  return match->norm_backward >= 0 && others == 0 &&
         graph.nodes()[match->norm_backward].inputs[1] == dy;
}

}  // namespace

absl::Status FuseNormRelu(Graph& graph, const Backend& backend) {
  const Uses uses(graph);
  std::vector<bool> dead(graph.nodes().size(), false);
  for (NodeId i = 0; i < static_cast<NodeId>(graph.nodes().size()); ++i) {
    const Activate* activate = std::get_if<Activate>(&graph.nodes()[i].attrs);
    if (activate == nullptr || activate->activation.kind != Activation::kRelu) continue;
    Match match;
    if (!FindMatch(graph, uses, i, &match)) continue;
    Node norm = graph.nodes()[match.norm];
    std::get<BatchNormTraining>(norm.attrs).relu = true;
    if (!backend.Supports(graph, norm)) continue;

    const Node relu = graph.nodes()[i];
    graph.mutable_nodes()[match.norm] = norm;
    graph.ReplaceUses(relu.outputs[0], relu.inputs[0]);
    dead[match.relu] = true;
    if (match.relu_backward < 0) continue;
    Node& backward = graph.mutable_nodes()[match.norm_backward];
    std::get<BatchNormBackward>(backward.attrs).relu = true;
    backward.inputs[1] = graph.nodes()[match.relu_backward].inputs[1];
    dead[match.relu_backward] = true;
  }
  RemoveNodes(graph, dead);
  return absl::OkStatus();
}

}  // namespace fovea
