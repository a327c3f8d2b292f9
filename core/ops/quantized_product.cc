// Convolution and dense layers on quantised values: what Conv and Dense make of the values that
// those stand for, quantised again.
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/quantized.h"
#include "core/tensor/tensor.h"

namespace fovea {
namespace {

// Where the scales stand among the constants.
enum ScaleIndex : size_t { kOfY, kOfResidual, kOfX, kOfWeights };

const Conv& ProductOf(const QuantizedConv& op) { return op.conv; }
const Dense& ProductOf(const QuantizedDense& op) { return op.dense; }

// The same product of floats.
template <typename Op>
Node FloatNode(const Node& node) {
  Node product;
  product.name = node.name;
  product.attrs = ProductOf(std::get<Op>(node.attrs));
  return product;
}

template <typename Op>
absl::StatusOr<std::vector<Type>> Infer(const Node& node, absl::Span<const Type> inputs) {
  const auto& op = std::get<Op>(node.attrs);
  const auto& product = ProductOf(op);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2 + product.has_bias + product.has_residual));
  RETURN_IF_ERROR(ops::ExpectQuantized("input", inputs[0].dtype));
  RETURN_IF_ERROR(ops::ExpectDType("weight", inputs[1], DType::kI8));
  if (product.has_bias && !ops::IsFloat(inputs[2].dtype)) {
    RETURN_IF_ERROR(ops::ExpectDType("bias", inputs[2], DType::kF32));
  }
  const bool quantised = ops::IsQuantized(op.dtype);
  if (!quantised && !ops::IsFloat(op.dtype)) RETURN_IF_ERROR(ops::ExpectQuantized("y", op.dtype));
  if (product.has_residual && ops::IsQuantized(inputs.back().dtype) != quantised) {
    return absl::InvalidArgumentError(
        absl::StrCat("the residual is ", DTypeName(inputs.back().dtype), " and y ",
                     DTypeName(op.dtype), ", expected both quantised or both floats"));
  }
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("weight", inputs[1], 2));
  RETURN_IF_ERROR(ops::ExpectScales(node, kOfWeights + inputs[1].dims[0]));
  std::vector<Type> floats(inputs.begin(), inputs.end());
  for (Type& type : floats) type.dtype = DType::kF32;
  ASSIGN_OR_RETURN(std::vector<Type> types, InferTypes(FloatNode<Op>(node), floats));
  types[0].dtype = op.dtype;
  return types;
}

template <typename Op>
double Flops(const Node& node, absl::Span<const Type> inputs) {
  std::vector<Type> floats(inputs.begin(), inputs.end());
  for (Type& type : floats) type.dtype = DType::kF32;
  const Node product = FloatNode<Op>(node);
  return OpOf(product.attrs).flops(product, floats);
}

// What a tensor stands for, as doubles; scale(i) is that of element i.
template <typename Scale>
Tensor Doubles(const TensorView& tensor, Scale scale) {
  Tensor values({DType::kF64, tensor.type.dims});
  for (int64_t i = 0; i < values.count(); ++i) {
    values.as<double>()[i] = ops::LoadQuantized(tensor, i, scale(i));
  }
  return values;
}

template <typename Op>
void Reference(const Node& node, absl::Span<const TensorView> in,
               absl::Span<const TensorView> out) {
  const auto& product = ProductOf(std::get<Op>(node.attrs));
  const std::vector<float>& scales = node.constants;
  const int64_t row = in[1].count() / in[1].type.dims[0];
  const auto of_weight = [&](int64_t o) { return double{scales[kOfWeights + o]}; };
  std::vector<Tensor> values;
  values.push_back(Doubles(in[0], [&](int64_t) { return scales[kOfX]; }));
  values.push_back(Doubles(in[1], [&](int64_t i) { return of_weight(i / row); }));
  if (product.has_bias) {
    values.push_back(Doubles(in[2], [&](int64_t o) { return scales[kOfX] * of_weight(o); }));
  }
  if (product.has_residual) {
    values.push_back(Doubles(in.back(), [&](int64_t) { return scales[kOfResidual]; }));
  }
  const std::vector<TensorView> inputs(values.begin(), values.end());
  const Tensor y({DType::kF64, out[0].type.dims});
  const TensorView view = y;
  const Node float_node = FloatNode<Op>(node);
  OpOf(float_node.attrs).reference(float_node, inputs, {&view, 1});
  for (int64_t i = 0; i < y.count(); ++i) {
    ops::StoreQuantized(out[0], i, y.as<double>()[i], scales[kOfY]);
  }
}

}  // namespace

const OpDef& OpOf(const QuantizedConv&) {
  static constexpr OpDef op = {"QuantizedConv", Infer<QuantizedConv>, Flops<QuantizedConv>,
                               ops::NoGradient, Reference<QuantizedConv>};
  return op;
}

const OpDef& OpOf(const QuantizedDense&) {
  static constexpr OpDef op = {"QuantizedDense", Infer<QuantizedDense>, Flops<QuantizedDense>,
                               ops::NoGradient, Reference<QuantizedDense>};
  return op;
}

}  // namespace fovea
