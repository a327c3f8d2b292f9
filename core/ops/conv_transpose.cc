// Transposed convolution: what ConvBackwardData computes, as a layer. Its own data gradient is a
// convolution.
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

// The convolution that is transposed: of y with w, without bias.
Conv Transposed(const ConvTranspose& op) {
  Conv conv;
  conv.window = op.window;
  conv.group = op.group;
  return conv;
}

absl::StatusOr<int64_t> Extent(const ConvTranspose& op, int axis, int64_t extent) {
  const Window& window = op.window;
  if (op.output_pad[axis] < 0 || op.output_pad[axis] >= window.stride[axis]) {
    return absl::InvalidArgumentError(absl::StrCat("output padding is ", op.output_pad[axis],
                                                   ", expected 0 to less than the stride, ",
                                                   window.stride[axis]));
  }
  const int64_t dilated = int64_t{window.dilation[axis]} * (window.kernel[axis] - 1) + 1;
  const int64_t y = (extent - 1) * window.stride[axis] + dilated - window.pad[axis] -
                    window.pad[axis + 2] + op.output_pad[axis];
  if (y >= 1) return y;
  return absl::InvalidArgumentError(absl::StrCat("the output's ", axis == 0 ? "height" : "width",
                                                 " would be ", y, ", expected at least 1"));
}

absl::StatusOr<std::vector<Type>> InferConvTranspose(const Node& node,
                                                     absl::Span<const Type> inputs) {
  const auto& op = std::get<ConvTranspose>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2 + op.has_bias));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, inputs.size()));
  RETURN_IF_ERROR(ops::ExpectRank("input", inputs[0], 4));
  RETURN_IF_ERROR(ops::ExpectRank("weight", inputs[1], 4));
  const Dims &x = inputs[0].dims, &w = inputs[1].dims;
  if (op.group < 1 || w[0] % op.group != 0 || x[1] != w[0]) {
    return absl::InvalidArgumentError(absl::StrCat("weight has ", w[0], " input channels in ",
                                                   op.group, " groups, input has ", x[1]));
  }
  ASSIGN_OR_RETURN(const int64_t height, Extent(op, 0, x[2]));
  ASSIGN_OR_RETURN(const int64_t width, Extent(op, 1, x[3]));
  const Dims y = {x[0], w[1] * op.group, height, width};
  Node transposed;
  transposed.attrs = ConvBackwardData{Transposed(op), y};
  RETURN_IF_ERROR(OpOf(transposed.attrs).infer(transposed, inputs.first(2)).status());
  if (op.has_bias) RETURN_IF_ERROR(ops::ExpectDims("bias", inputs[2], {y[1]}));
  return std::vector<Type>{{inputs[0].dtype, y}};
}

double FlopsConvTranspose(const Node&, absl::Span<const Type> inputs) {
  const Dims& w = inputs[1].dims;
  return 2.0 * static_cast<double>(inputs[0].dims.count()) *
         static_cast<double>(w[1] * w[2] * w[3]);
}

absl::Status GradientConvTranspose(GradientBuilder& builder) {
  const auto& op = std::get<ConvTranspose>(builder.node().attrs);
  const ValueId dy = builder.dy();
  if (builder.wants(0)) {
    ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", Transposed(op), {dy, builder.input(1)}));
    builder.Set(0, dx[0]);
  }
  if (builder.wants(1)) {
    const ConvBackwardWeights weights = {Transposed(op), builder.input_type(1).dims};
    ASSIGN_OR_RETURN(const auto dw, builder.Add("dw", weights, {dy, builder.input(0)}));
    builder.Set(1, dw[0]);
  }
  if (op.has_bias && builder.wants(2)) {
    ASSIGN_OR_RETURN(const auto db, builder.Add("db", BiasBackward{}, {dy}));
    builder.Set(2, db[0]);
  }
  return absl::OkStatus();
}

void ReferenceConvTranspose(const Node& node, absl::Span<const TensorView> in,
                            absl::Span<const TensorView> out) {
  const auto& op = std::get<ConvTranspose>(node.attrs);
  const Dims& y = out[0].type.dims;
  Node transposed;
  transposed.attrs = ConvBackwardData{Transposed(op), y};
  OpOf(transposed.attrs).reference(transposed, in.first(2), out);
  if (!op.has_bias) return;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t plane = y[2] * y[3];
    for (int64_t i = 0; i < y.count(); ++i) {
      out[0].as<T>()[i] += in[2].as<T>()[i / plane % y[1]];
    }
  });
}

}  // namespace

const OpDef& OpOf(const ConvTranspose&) {
  static constexpr OpDef op = {"ConvTranspose", InferConvTranspose, FlopsConvTranspose,
                               GradientConvTranspose, ReferenceConvTranspose};
  return op;
}

}  // namespace fovea
