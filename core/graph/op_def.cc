#include "core/graph/op_def.h"

#include <cctype>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"

namespace fovea {
namespace {

// "ConvBackwardData" → "conv_backward_data".
std::string SnakeCase(absl::string_view name) {
  std::string text;
  for (char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) && !text.empty()) text += '_';
    text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

std::string NodeLabel(const Node& node) {
  return absl::StrCat(SnakeCase(OpOf(node.attrs).name), " \"", node.name, "\"");
}

}  // namespace

const OpDef& OpOf(const Attrs& attrs) {
  return std::visit([](const auto& op) -> const OpDef& { return OpOf(op); }, attrs);
}

absl::StatusOr<std::vector<Type>> InferTypes(const Node& node, absl::Span<const Type> inputs) {
  absl::StatusOr<std::vector<Type>> types = OpOf(node.attrs).infer(node, inputs);
  if (types.ok()) return types;
  return absl::Status(types.status().code(),
                      absl::StrCat(NodeLabel(node), ": ", types.status().message()));
}

absl::StatusOr<std::vector<Type>> InferTypes(const Graph& graph, const Node& node) {
  const ValueId count = static_cast<ValueId>(graph.values().size());
  for (ValueId id : node.inputs) {
    if (id < 0 || id >= count) {
      return absl::InvalidArgumentError(absl::StrCat(NodeLabel(node), ": input value ", id,
                                                     " does not exist; there are ", count));
    }
  }
  absl::StatusOr<std::vector<Type>> types = InferTypes(node, graph.InputTypes(node));
  if (types.ok() || node.inputs.empty()) return types;
  std::string inputs;
  for (ValueId id : node.inputs) {
    absl::StrAppend(&inputs, inputs.empty() ? "" : ", ", "\"", graph.value(id).name, "\" ",
                    graph.type(id).ToString());
  }
  return absl::Status(types.status().code(),
                      absl::StrCat(types.status().message(), " (inputs: ", inputs, ")"));
}

double GraphFlops(const Graph& graph) {
  double flops = 0;
  for (const Node& node : graph.nodes()) {
    flops += OpOf(node.attrs).flops(node, graph.InputTypes(node));
  }
  return flops;
}

absl::StatusOr<std::vector<ValueId>> GradientBuilder::Add(absl::string_view suffix, Attrs attrs,
                                                          std::vector<ValueId> inputs) {
  return graph_.Add(absl::StrCat(node_.name, ".", suffix), attrs, std::move(inputs),
                    node_.constants);
}

}  // namespace fovea
