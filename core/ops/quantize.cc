// From floats to integers of 8 bits and back.
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/quantized.h"

namespace fovea {
namespace {

absl::StatusOr<std::vector<Type>> InferQuantize(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectScales(node, 1));
  const DType dtype = std::get<Quantize>(node.attrs).dtype;
  RETURN_IF_ERROR(ops::ExpectQuantized("the result", dtype));
  return std::vector<Type>{{dtype, inputs[0].dims}};
}

void ReferenceQuantize(const Node& node, absl::Span<const TensorView> in,
                       absl::Span<const TensorView> out) {
  for (int64_t i = 0; i < out[0].count(); ++i) {
    ops::StoreQuantized(out[0], i, ops::LoadQuantized(in[0], i, 1), node.constants[0]);
  }
}

absl::StatusOr<std::vector<Type>> InferDequantize(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectQuantized("input", inputs[0].dtype));
  RETURN_IF_ERROR(ops::ExpectScales(node, 1));
  const DType dtype = std::get<Dequantize>(node.attrs).dtype;
  if (!ops::IsFloat(dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the result is ", DTypeName(dtype), ", expected a floating-point type"));
  }
  return std::vector<Type>{{dtype, inputs[0].dims}};
}

void ReferenceDequantize(const Node& node, absl::Span<const TensorView> in,
                         absl::Span<const TensorView> out) {
  for (int64_t i = 0; i < out[0].count(); ++i) {
    ops::StoreQuantized(out[0], i, ops::LoadQuantized(in[0], i, node.constants[0]), 1);
  }
}

absl::StatusOr<std::vector<Type>> InferQuantizeWeights(const Node& node,
                                                       absl::Span<const Type> inputs) {
  const bool has_bias = std::get<QuantizeWeights>(node.attrs).has_bias;
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1 + has_bias));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1 + has_bias));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("weight", inputs[0], 2));
  const int64_t outputs = inputs[0].dims[0];
  RETURN_IF_ERROR(ops::ExpectScales(node, 1 + outputs));
  std::vector<Type> types = {{DType::kI8, inputs[0].dims}};
  if (has_bias) {
    RETURN_IF_ERROR(ops::ExpectDims("bias", inputs[1], {outputs}));
    types.push_back(inputs[1]);
  }
  return types;
}

void ReferenceQuantizeWeights(const Node& node, absl::Span<const TensorView> in,
                              absl::Span<const TensorView> out) {
  const int64_t outputs = in[0].type.dims[0], row = in[0].count() / outputs;
  for (int64_t o = 0; o < outputs; ++o) {
    const double scale = node.constants[1 + o];
    for (int64_t i = o * row; i < (o + 1) * row; ++i) {
      ops::StoreQuantized(out[0], i, ops::LoadQuantized(in[0], i, 1), scale);
    }
    if (in.size() == 1) continue;
    ops::StoreQuantized(out[1], o, ops::LoadQuantized(in[1], o, 1), node.constants[0] * scale);
  }
}

}  // namespace

const OpDef& OpOf(const Quantize&) {
  static constexpr OpDef op = {"Quantize", InferQuantize, ops::NoFlops, ops::NoGradient,
                               ReferenceQuantize};
  return op;
}

const OpDef& OpOf(const Dequantize&) {
  static constexpr OpDef op = {"Dequantize", InferDequantize, ops::NoFlops, ops::NoGradient,
                               ReferenceDequantize};
  return op;
}

const OpDef& OpOf(const QuantizeWeights&) {
  static constexpr OpDef op = {"QuantizeWeights", InferQuantizeWeights, ops::NoFlops,
                               ops::NoGradient, ReferenceQuantizeWeights};
  return op;
}

}  // namespace fovea
