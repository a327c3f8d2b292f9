// Whole-graph copies: another batch size, another float type.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/graph.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

// Whether the attributes of a node say how large the batch is.
bool HoldsBatch(const Attrs& attrs) {
  if (const auto* reshape = std::get_if<Reshape>(&attrs)) {
    return reshape->dims.rank() > 0 && reshape->dims[0] > 0;
  }
  return std::holds_alternative<ConvBackwardData>(attrs) ||
         std::holds_alternative<PoolBackward>(attrs) ||
         std::holds_alternative<UpdateStatistics>(attrs);
}

bool HasBatchAxis(const Value& input) {
  return input.type.dims.rank() >= 2 || input.name == "example_weights";
}

absl::Status InferAgain(Graph& graph, const Node& node) {
  ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(graph, node));
  for (size_t i = 0; i < types.size(); ++i) {
    Value& output = graph.mutable_value(node.outputs[i]);
    if (output.role == Role::kTemporary) {
      output.type = types[i];
    } else if (output.type.dims != types[i].dims) {
      return absl::InvalidArgumentError(absl::StrCat(
          "node \"", node.name, "\" would overwrite ", RoleName(output.role), " \"", output.name,
          "\" of type ", output.type.ToString(), " with ", types[i].ToString()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Graph> WithBatch(const Graph& graph, int64_t batch) {
  if (batch < 1) {
    return absl::InvalidArgumentError(absl::StrCat("batch is ", batch, ", expected at least 1"));
  }
  Graph result = graph;
  for (ValueId id : result.ValuesOf(Role::kInput)) {
    Value& input = result.mutable_value(id);
    if (HasBatchAxis(input)) input.type.dims[0] = batch;
  }
  for (const Node& node : graph.nodes()) {
    if (HoldsBatch(node.attrs)) {
      return absl::InvalidArgumentError(
          absl::StrCat("node \"", node.name, "\" (", AttrsToText(node.attrs),
                       ") holds the batch size in its attributes; the batch of a graph with such "
                       "a node cannot be changed"));
    }
    RETURN_IF_ERROR(InferAgain(result, node));
  }
  return result;
}

Graph WithFloatType(const Graph& graph, DType dtype) {
  Graph result = graph;
  result.set_float_type(dtype);
  const auto replace = [dtype](DType& old) {
    if (old == DType::kF32) old = dtype;
  };
  for (size_t id = 0; id < graph.values().size(); ++id) {
    replace(result.mutable_value(static_cast<ValueId>(id)).type.dtype);
  }
  for (Node& node : result.mutable_nodes()) {
    if (auto* fill = std::get_if<Fill>(&node.attrs)) replace(fill->dtype);
    if (auto* normalize = std::get_if<Normalize>(&node.attrs)) replace(normalize->dtype);
    if (auto* cast = std::get_if<Cast>(&node.attrs)) replace(cast->dtype);
    if (auto* dequantize = std::get_if<Dequantize>(&node.attrs)) replace(dequantize->dtype);
    if (auto* conv = std::get_if<QuantizedConv>(&node.attrs)) replace(conv->dtype);
    if (auto* dense = std::get_if<QuantizedDense>(&node.attrs)) replace(dense->dtype);
  }
  return result;
}

}  // namespace fovea
