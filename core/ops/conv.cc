// Convolution and its gradients with respect to data and weights.
#include <algorithm>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/activation.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

using ops::ExpectDims;
using ops::ExpectOneFloat;
using ops::ExpectRank;

// ---- Shapes.

absl::Status CheckChannels(const Conv& conv, int64_t input_channels, const Dims& weight) {
  if (conv.group < 1 || weight[0] % conv.group != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "weight has ", weight[0], " output channels, expected a multiple of group ", conv.group));
  }
  if (input_channels != weight[1] * conv.group) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight has ", weight[1], " input channels",
                     conv.group > 1 ? absl::StrCat(" in each of ", conv.group, " groups") : "",
                     ", input has ", input_channels));
  }
  if (weight[2] != conv.window.kernel[0] || weight[3] != conv.window.kernel[1]) {
    return absl::InvalidArgumentError(absl::StrCat("weight has a ", weight[2], "x", weight[3],
                                                   " kernel, expected ", conv.window.kernel[0], "x",
                                                   conv.window.kernel[1]));
  }
  return absl::OkStatus();
}

// y of a convolution of x with w.
absl::StatusOr<Dims> ConvDims(const Conv& conv, const Dims& x, const Dims& w) {
  RETURN_IF_ERROR(CheckChannels(conv, x[1], w));
  ASSIGN_OR_RETURN(const int64_t height, ops::WindowExtent(conv.window, 0, x[2], false));
  ASSIGN_OR_RETURN(const int64_t width, ops::WindowExtent(conv.window, 1, x[3], false));
  return Dims{x[0], w[0], height, width};
}

absl::StatusOr<std::vector<Type>> InferConv(const Node& node, absl::Span<const Type> inputs) {
  const auto& conv = std::get<Conv>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2 + conv.has_bias + conv.has_residual));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectParameters(inputs, 2, 2 + conv.has_bias));
  if (conv.has_residual) {
    RETURN_IF_ERROR(ops::ExpectDType("residual", inputs.back(), inputs[0].dtype));
  }
  RETURN_IF_ERROR(ExpectRank("input", inputs[0], 4));
  RETURN_IF_ERROR(ExpectRank("weight", inputs[1], 4));
  RETURN_IF_ERROR(ops::ExpectActivation(conv.activation));
  ASSIGN_OR_RETURN(const Dims y, ConvDims(conv, inputs[0].dims, inputs[1].dims));
  if (conv.has_bias) RETURN_IF_ERROR(ExpectDims("bias", inputs[2], {y[1]}));
  if (conv.has_residual) RETURN_IF_ERROR(ExpectDims("residual", inputs.back(), y));
  return std::vector<Type>{{inputs[0].dtype, y}};
}

absl::StatusOr<std::vector<Type>> InferConvBackwardData(const Node& node,
                                                        absl::Span<const Type> inputs) {
  const auto& op = std::get<ConvBackwardData>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ExpectRank("weight", inputs[1], 4));
  RETURN_IF_ERROR(ExpectRank("the input of the forward op", {inputs[0].dtype, op.input}, 4));
  ASSIGN_OR_RETURN(const Dims y, ConvDims(op.forward, op.input, inputs[1].dims));
  RETURN_IF_ERROR(ExpectDims("output gradient", inputs[0], y));
  return std::vector<Type>{{inputs[0].dtype, op.input}};
}

absl::StatusOr<std::vector<Type>> InferConvBackwardWeights(const Node& node,
                                                           absl::Span<const Type> inputs) {
  const auto& op = std::get<ConvBackwardWeights>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ExpectRank("input", inputs[0], 4));
  RETURN_IF_ERROR(ExpectRank("weight", {inputs[0].dtype, op.weight}, 4));
  ASSIGN_OR_RETURN(const Dims y, ConvDims(op.forward, inputs[0].dims, op.weight));
  RETURN_IF_ERROR(ExpectDims("output gradient", inputs[1], y));
  return std::vector<Type>{{ops::ParameterType(inputs[0].dtype), op.weight}};
}

// ---- Cost: 2 per multiply-add, taps on padding counted.

double ConvFlops(const Dims& y, const Dims& w) {
  return 2.0 * static_cast<double>(y.count()) * static_cast<double>(w[1] * w[2] * w[3]);
}

double FlopsConv(const Node& node, absl::Span<const Type> inputs) {
  const absl::StatusOr<std::vector<Type>> y = InferConv(node, inputs);
  return y.ok() ? ConvFlops(y->front().dims, inputs[1].dims) : 0;
}

double FlopsConvBackwardData(const Node&, absl::Span<const Type> inputs) {
  return ConvFlops(inputs[0].dims, inputs[1].dims);
}

double FlopsConvBackwardWeights(const Node& node, absl::Span<const Type> inputs) {
  return ConvFlops(inputs[1].dims, std::get<ConvBackwardWeights>(node.attrs).weight);
}

// ---- Gradient.

absl::Status GradientConv(GradientBuilder& builder) {
  const auto& conv = std::get<Conv>(builder.node().attrs);
  if (conv.has_residual || conv.activation.kind != Activation::kNone) {
    return absl::InvalidArgumentError(
        absl::StrCat("conv \"", builder.node().name,
                     "\" has a residual or a fused activation, expected neither in training"));
  }
  const ValueId dy = builder.dy();
  if (builder.wants(0)) {
    const ConvBackwardData op = {conv, builder.input_type(0).dims};
    ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", op, {dy, builder.input(1)}));
    builder.Set(0, dx[0]);
  }
  if (builder.wants(1)) {
    const ConvBackwardWeights op = {conv, builder.input_type(1).dims};
    ASSIGN_OR_RETURN(const auto dw, builder.Add("dw", op, {builder.input(0), dy}));
    builder.Set(1, dw[0]);
  }
  if (conv.has_bias && builder.wants(2)) {
    ASSIGN_OR_RETURN(const auto db, builder.Add("db", BiasBackward{}, {dy}));
    builder.Set(2, db[0]);
  }
  return absl::OkStatus();
}

// ---- Values. All sums run in double, so that a float result is the exact one but for a rounding.

struct Range {
  int64_t begin, end;
};

// The output positions whose tap lies inside an input of `extent`: position · stride + shift.
Range InsidePositions(int64_t positions, int64_t stride, int64_t shift, int64_t extent) {
  const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
  const int64_t end = extent - shift > 0 ? (extent - shift - 1) / stride + 1 : 0;
  return {begin, std::min(end, positions)};
}

// Calls f(x index, w index, y index) for one tap at all positions of one plane.
template <typename F>
void ForEachPosition(const Window& window, const Dims& x, const Dims& y, int64_t kh, int64_t kw,
                     int64_t x_plane, int64_t w, int64_t y_plane, F f) {
  const int64_t shift_h = kh * window.dilation[0] - window.pad[0];
  const int64_t shift_w = kw * window.dilation[1] - window.pad[1];
  const Range rows = InsidePositions(y[2], window.stride[0], shift_h, x[2]);
  const Range columns = InsidePositions(y[3], window.stride[1], shift_w, x[3]);
  for (int64_t oh = rows.begin; oh < rows.end; ++oh) {
    const int64_t x_row = x_plane + (oh * window.stride[0] + shift_h) * x[3] + shift_w;
    const int64_t y_row = y_plane + oh * y[3];
    for (int64_t ow = columns.begin; ow < columns.end; ++ow) {
      f(x_row + ow * window.stride[1], w, y_row + ow);
    }
  }
}

// Calls f(x index, w index, y index) for every product of a convolution; padding is left out.
template <typename F>
void ForEachProduct(const Conv& conv, const Dims& x, const Dims& w, const Dims& y, F f) {
  const int64_t outputs_per_group = w[0] / conv.group;
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t o = 0; o < w[0]; ++o) {
      const int64_t y_plane = (n * y[1] + o) * y[2] * y[3];
      for (int64_t i = 0; i < w[1]; ++i) {
        const int64_t channel = o / outputs_per_group * w[1] + i;
        const int64_t x_plane = (n * x[1] + channel) * x[2] * x[3];
        for (int64_t kh = 0; kh < w[2]; ++kh) {
          for (int64_t kw = 0; kw < w[3]; ++kw) {
            const int64_t w_index = ((o * w[1] + i) * w[2] + kh) * w[3] + kw;
            ForEachPosition(conv.window, x, y, kh, kw, x_plane, w_index, y_plane, f);
          }
        }
      }
    }
  }
}

template <typename T>
void Store(const std::vector<double>& sums, const TensorView& target) {
  for (size_t i = 0; i < sums.size(); ++i) target.as<T>()[i] = static_cast<T>(sums[i]);
}

void ReferenceConv(const Node& node, absl::Span<const TensorView> in,
                   absl::Span<const TensorView> out) {
  const auto& conv = std::get<Conv>(node.attrs);
  const Dims& dims = out[0].type.dims;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *x = in[0].as<T>(), *w = in[1].as<T>();
    std::vector<double> sums(static_cast<size_t>(dims.count()));
    ForEachProduct(conv, in[0].type.dims, in[1].type.dims, dims,
                   [&](int64_t xi, int64_t wi, int64_t yi) {
                     sums[yi] += static_cast<double>(x[xi]) * static_cast<double>(w[wi]);
                   });
    const int64_t plane = dims[2] * dims[3];
    for (int64_t i = 0; i < dims.count(); ++i) {
      double sum = sums[i];
      if (conv.has_bias) sum += in[2].as<T>()[i / plane % dims[1]];
      if (conv.has_residual) sum += in.back().as<T>()[i];
      out[0].as<T>()[i] = static_cast<T>(ops::ApplyActivation(conv.activation, sum));
    }
  });
}

void ReferenceConvBackwardData(const Node& node, absl::Span<const TensorView> in,
                               absl::Span<const TensorView> out) {
  const auto& op = std::get<ConvBackwardData>(node.attrs);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *dy = in[0].as<T>(), *w = in[1].as<T>();
    std::vector<double> dx(static_cast<size_t>(out[0].count()));
    ForEachProduct(op.forward, op.input, in[1].type.dims, in[0].type.dims,
                   [&](int64_t xi, int64_t wi, int64_t yi) {
                     dx[xi] += static_cast<double>(dy[yi]) * static_cast<double>(w[wi]);
                   });
    Store<T>(dx, out[0]);
  });
}

void ReferenceConvBackwardWeights(const Node& node, absl::Span<const TensorView> in,
                                  absl::Span<const TensorView> out) {
  const auto& op = std::get<ConvBackwardWeights>(node.attrs);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *x = in[0].as<T>(), *dy = in[1].as<T>();
    std::vector<double> dw(static_cast<size_t>(out[0].count()));
    ForEachProduct(op.forward, in[0].type.dims, op.weight, in[1].type.dims,
                   [&](int64_t xi, int64_t wi, int64_t yi) {
                     dw[wi] += static_cast<double>(x[xi]) * static_cast<double>(dy[yi]);
                   });
    Store<T>(dw, out[0]);
  });
}

}  // namespace

const OpDef& OpOf(const Conv&) {
  static constexpr OpDef op = {"Conv", InferConv, FlopsConv, GradientConv, ReferenceConv};
  return op;
}

const OpDef& OpOf(const ConvBackwardData&) {
  static constexpr OpDef op = {"ConvBackwardData", InferConvBackwardData, FlopsConvBackwardData,
                               ops::NoGradient, ReferenceConvBackwardData};
  return op;
}

const OpDef& OpOf(const ConvBackwardWeights&) {
  static constexpr OpDef op = {"ConvBackwardWeights", InferConvBackwardWeights,
                               FlopsConvBackwardWeights, ops::NoGradient,
                               ReferenceConvBackwardWeights};
  return op;
}

}  // namespace fovea
