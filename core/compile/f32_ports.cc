#include "core/compile/f32_ports.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace fovea {
namespace {

// Renames a value, so that its name is free for its f32 form.
std::string TakeName(Graph& graph, ValueId id) {
  std::string name = graph.value(id).name;
  graph.mutable_value(id).name = name + "@f64";
  return name;
}

}  // namespace

absl::StatusOr<Graph> WithF32Ports(Graph graph) {
  std::vector<Node> nodes = std::exchange(graph.mutable_nodes(), {});
  for (ValueId id : graph.ValuesOf(Role::kInput)) {
    const Type type = graph.type(id);
    if (type.dtype != DType::kF64) continue;
    const std::string name = TakeName(graph, id);
    graph.mutable_value(id).role = Role::kTemporary;
    const ValueId port = graph.AddInput(name, {DType::kF32, type.dims});
    graph.mutable_nodes().push_back({name + "@f64", Cast{DType::kF64}, {port}, {id}});
  }
  for (Node& node : nodes) graph.mutable_nodes().push_back(std::move(node));
  for (ValueId& id : graph.mutable_outputs()) {
    if (graph.type(id).dtype != DType::kF64) continue;
    const std::string name = TakeName(graph, id);
    ASSIGN_OR_RETURN(const ValueId port, graph.Add1(name + "@f32", Cast{DType::kF32}, {id}));
    graph.mutable_value(port).name = name;
    id = port;
  }
  return graph;
}

}  // namespace fovea
