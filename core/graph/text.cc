// The text form of a graph.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/graph/graph.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

std::string Names(const Graph& graph, const std::vector<ValueId>& ids) {
  return absl::StrJoin(
      ids, ", ", [&](std::string* out, ValueId id) { absl::StrAppend(out, graph.value(id).name); });
}

std::string ValueLine(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  std::string line =
      absl::StrCat(RoleName(value.role), " ", value.name, " ", value.type.ToString());
  if (value.offset != 0) absl::StrAppend(&line, " offset=", value.offset);
  if (value.spans_region) absl::StrAppend(&line, " spans_region");
  if (const ValueId parameter = graph.parameter_of(id); parameter != kNoValue) {
    absl::StrAppend(&line, " of ", graph.value(parameter).name);
  }
  return line + "\n";
}

// conv1 = Conv(pixels, conv1.weight) kernel=[3,3] : f32[8,16,28,28]
// The node's name stands in front where it is not that of the first output.
std::string NodeLine(const Graph& graph, const Node& node) {
  std::string line;
  if (node.outputs.empty() || graph.value(node.outputs[0]).name != node.name) {
    absl::StrAppend(&line, node.name, ": ");
  }
  absl::StrAppend(&line, Names(graph, node.outputs), " = ", OpOf(node.attrs).name, "(",
                  Names(graph, node.inputs), ")");
  // AttrsToText begins with the op's name.
  line += AttrsToText(node.attrs).substr(OpOf(node.attrs).name.size());
  if (!node.constants.empty()) {
    absl::StrAppend(&line, " constants=", ConstantsToText(node.constants));
  }
  const auto type = [&](std::string* out, ValueId id) {
    absl::StrAppend(out, graph.type(id).ToString());
  };
  return absl::StrCat(line, " : ", absl::StrJoin(node.outputs, ", ", type), "\n");
}

}  // namespace

std::string ToText(const Graph& graph) {
  std::string text;
  for (size_t id = 0; id < graph.values().size(); ++id) {
    if (graph.values()[id].role == Role::kTemporary) continue;
    text += ValueLine(graph, static_cast<ValueId>(id));
  }
  for (const Node& node : graph.nodes()) text += NodeLine(graph, node);
  if (!graph.outputs().empty()) {
    absl::StrAppend(&text, "output ", Names(graph, graph.outputs()), "\n");
  }
  return text;
}

}  // namespace fovea
