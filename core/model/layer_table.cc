#include "core/model/layer_table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/graph/op_def.h"

namespace fovea {

namespace {

v1::Layer RowOf(const Graph& graph, const Node& node, std::set<ValueId>& counted) {
  v1::Layer row;
  const auto& op = OpOf(node.attrs);
  const Dims& dims = graph.type(node.outputs[0]).dims;
  row.set_name(node.name);
  row.set_op(std::string(op.name));
  for (int64_t extent : dims.extents()) row.add_output_shape(extent);
  if (dims.rank() > 0) row.set_output_shape(0, 1);
  int64_t parameters = 0;
  for (ValueId id : node.inputs) {
    if (graph.value(id).role == Role::kParameter && counted.insert(id).second) {
      parameters += graph.type(id).dims.count();
    }
  }
  row.set_parameters(parameters);
  const double batch = dims.rank() > 0 && dims[0] > 0 ? dims[0] : 1;
  row.set_flops(static_cast<uint64_t>(op.flops(node, graph.InputTypes(node)) / batch));
  return row;
}

constexpr int kColumns = 5;
using Cells = std::array<std::string, kColumns>;

// Names to the left, numbers to the right.
std::string Line(const Cells& cells, const std::array<size_t, kColumns>& widths) {
  std::string line;
  for (int i = 0; i < kColumns; ++i) {
    const std::string blanks(widths[i] - cells[i].size(), ' ');
    const bool left = i < 3;
    absl::StrAppend(&line, i == 0 ? "" : "  ", left ? "" : blanks, cells[i], left ? blanks : "");
  }
  return line + "\n";
}

}  // namespace

std::vector<v1::Layer> LayerTable(const Graph& graph) {
  std::vector<v1::Layer> rows;
  std::set<ValueId> counted;
  for (const Node& node : graph.nodes()) rows.push_back(RowOf(graph, node, counted));
  return rows;
}

void SetLayers(const Graph& graph, v1::ModelManifest& manifest) {
  manifest.clear_layers();
  for (v1::Layer& row : LayerTable(graph)) *manifest.add_layers() = std::move(row);
}

std::string LayerTableText(const v1::ModelManifest& manifest) {
  std::vector<Cells> lines = {{"layer", "op", "output", "parameters", "FLOPs"}};
  uint64_t parameters = 0, flops = 0;
  for (const v1::Layer& layer : manifest.layers()) {
    parameters += layer.parameters();
    flops += layer.flops();
    lines.push_back({layer.name(), layer.op(), absl::StrJoin(layer.output_shape(), "x"),
                     absl::StrCat(layer.parameters()), absl::StrCat(layer.flops())});
  }
  lines.push_back({"total", "", "", absl::StrCat(parameters), absl::StrCat(flops)});
  std::array<size_t, kColumns> widths = {};
  for (const Cells& cells : lines) {
    for (int i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string text;
  for (const Cells& cells : lines) text += Line(cells, widths);
  return text;
}

}  // namespace fovea
