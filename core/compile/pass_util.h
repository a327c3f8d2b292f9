// What several passes ask of a graph. Private to core/compile.
#pragma once

#include <vector>

#include "core/graph/graph.h"

namespace fovea {

// Readers and producers of every value at one moment; stale after a rewrite.
struct Uses {
  explicit Uses(const Graph& graph)
      : graph(graph), readers(graph.Readers()), producers(graph.Producers()) {}

  // The node that produces `value` when it is a temporary that `reader` alone reads, else −1.
  NodeId OnlyFeeds(ValueId value, NodeId reader) const {
    if (graph.value(value).role != Role::kTemporary || graph.IsOutput(value)) return -1;
    if (readers[value].size() != 1 || readers[value][0] != reader) return -1;
    return producers[value];
  }

  const Graph& graph;
  std::vector<std::vector<NodeId>> readers;
  std::vector<NodeId> producers;
};

// Removes the nodes marked true.
inline void RemoveNodes(Graph& graph, const std::vector<bool>& dead) {
  std::vector<Node>& nodes = graph.mutable_nodes();
  std::vector<Node> kept;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!dead[i]) kept.push_back(std::move(nodes[i]));
  }
  nodes = std::move(kept);
}

}  // namespace fovea
