// The inverted residual as one op: an expansion, a depthwise convolution and a projection. What
// each means is Conv's business.
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/tensor/tensor.h"

namespace fovea {
namespace {

// One of the convolutions: its input is the output of the one before. Its weights and bias are
// inputs `weights` and `weights` + 1 of the op.
struct Stage {
  const char* what;
  Conv conv;
  int weights;
};

std::vector<Stage> StagesOf(const InvertedResidual& op, const Type& depthwise_weights) {
  std::vector<Stage> stages;
  int weights = 1;
  const auto add = [&](const char* what, Conv conv) {
    conv.has_bias = true;
    stages.push_back({what, conv, weights});
    weights += 2;
  };
  if (op.has_expansion) add("expansion", {.activation = op.expansion});
  add("depthwise convolution",
      {.window = op.window,
       .group =
           static_cast<int32_t>(depthwise_weights.dims.rank() > 0 ? depthwise_weights.dims[0] : 1),
       .activation = op.depthwise});
  add("projection", {.has_residual = op.has_residual, .activation = op.projection});
  return stages;
}

// Calls f(stage as a node, its inputs) for each stage; f returns the stage's output. Inputs may be
// types or tensors.
template <typename Value, typename F>
absl::StatusOr<Value> ForEachStage(const Node& node, const Type& depthwise_weights,
                                   absl::Span<const Value> inputs, F f) {
  Value x = inputs[0];
  const auto& op = std::get<InvertedResidual>(node.attrs);
  for (const Stage& stage : StagesOf(op, depthwise_weights)) {
    Node conv;
    conv.name = stage.what;
    conv.attrs = stage.conv;
    std::vector<Value> conv_inputs = {x, inputs[stage.weights], inputs[stage.weights + 1]};
    if (stage.conv.has_residual) conv_inputs.push_back(inputs.back());
    ASSIGN_OR_RETURN(x, f(conv, conv_inputs));
  }
  return x;
}

int DepthwiseInput(const Node& node) {
  return std::get<InvertedResidual>(node.attrs).has_expansion ? 3 : 1;
}

absl::StatusOr<std::vector<Type>> Infer(const Node& node, absl::Span<const Type> inputs) {
  const auto& op = std::get<InvertedResidual>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 5 + 2 * op.has_expansion + op.has_residual));
  const auto infer = [](const Node& conv, const std::vector<Type>& types) -> absl::StatusOr<Type> {
    absl::StatusOr<std::vector<Type>> y = InferTypes(conv, types);
    if (!y.ok()) return y.status();
    return y->front();
  };
  ASSIGN_OR_RETURN(const Type y, ForEachStage(node, inputs[DepthwiseInput(node)], inputs, infer));
  return std::vector<Type>{y};
}

double Flops(const Node& node, absl::Span<const Type> inputs) {
  double flops = 0;
  const auto count = [&](const Node& conv, const std::vector<Type>& types) -> absl::StatusOr<Type> {
    flops += OpOf(conv.attrs).flops(conv, types);
    ASSIGN_OR_RETURN(const std::vector<Type> y, InferTypes(conv, types));
    return y.front();
  };
  const auto y = ForEachStage(node, inputs[DepthwiseInput(node)], inputs, count);
  return y.ok() ? flops : 0;
}

void Reference(const Node& node, absl::Span<const TensorView> in,
               absl::Span<const TensorView> out) {
  std::vector<Tensor> kept;
  kept.reserve(3);
  const auto run = [&](const Node& conv,
                       const std::vector<TensorView>& inputs) -> absl::StatusOr<TensorView> {
    std::vector<Type> types;
    for (const TensorView& input : inputs) types.push_back(input.type);
    ASSIGN_OR_RETURN(const std::vector<Type> y, InferTypes(conv, types));
    const bool last = inputs[1].data == in[DepthwiseInput(node) + 2].data;
    TensorView output = last ? out[0] : kept.emplace_back(y.front()).view();
    OpOf(conv.attrs).reference(conv, inputs, {&output, 1});
    return output;
  };
  const auto y = ForEachStage(node, in[DepthwiseInput(node)].type, in, run);
  CHECK(y.ok());
}

}  // namespace

const OpDef& OpOf(const InvertedResidual&) {
  static constexpr OpDef op = {"InvertedResidual", Infer, Flops, ops::NoGradient, Reference};
  return op;
}

}  // namespace fovea
