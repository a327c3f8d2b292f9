// PReLU: a rectifier whose slope below zero is learned, one a channel (He, Zhang, Ren, Sun 2015
// "Delving Deep", equations 1 and 8).
#include <vector>

#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

absl::StatusOr<std::vector<Type>> InferPRelu(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("input", inputs[0], 2));
  RETURN_IF_ERROR(ops::ExpectDims("slope", inputs[1], {inputs[0].dims[1]}));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferPReluBackward(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("input", inputs[0], 2));
  RETURN_IF_ERROR(ops::ExpectDims("slope", inputs[1], {inputs[0].dims[1]}));
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[2], inputs[0].dims));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}, {inputs[0].dtype, inputs[1].dims}};
}

absl::Status GradientPRelu(GradientBuilder& builder) {
  ASSIGN_OR_RETURN(
      const auto gradients,
      builder.Add("dx", PReluBackward{}, {builder.input(0), builder.input(1), builder.dy()}));
  for (int i : {0, 1}) {
    if (builder.wants(i)) builder.Set(i, gradients[i]);
  }
  return absl::OkStatus();
}

// The channel of a flat index.
struct ChannelOf {
  explicit ChannelOf(const Dims& x) : channels(x[1]), plane(x.count() / (x[0] * x[1])) {}
  int64_t operator()(int64_t i) const { return i / plane % channels; }
  int64_t channels, plane;
};

void ReferencePRelu(const Node&, absl::Span<const TensorView> in,
                    absl::Span<const TensorView> out) {
  const ChannelOf channel(in[0].type.dims);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      const T x = in[0].as<T>()[i];
      out[0].as<T>()[i] = x > 0 ? x : in[1].as<T>()[channel(i)] * x;
    }
  });
}

void ReferencePReluBackward(const Node&, absl::Span<const TensorView> in,
                            absl::Span<const TensorView> out) {
  const ChannelOf channel(in[0].type.dims);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::vector<double> dslope(static_cast<size_t>(channel.channels));
    for (int64_t i = 0; i < out[0].count(); ++i) {
      const T x = in[0].as<T>()[i], dy = in[2].as<T>()[i];
      out[0].as<T>()[i] = x > 0 ? dy : in[1].as<T>()[channel(i)] * dy;
      if (!(x > 0)) dslope[channel(i)] += static_cast<double>(x) * static_cast<double>(dy);
    }
    for (int64_t c = 0; c < channel.channels; ++c) out[1].as<T>()[c] = static_cast<T>(dslope[c]);
  });
}

}  // namespace

const OpDef& OpOf(const PRelu&) {
  static constexpr OpDef op = {"PRelu", InferPRelu, ops::NoFlops, GradientPRelu, ReferencePRelu};
  return op;
}

const OpDef& OpOf(const PReluBackward&) {
  static constexpr OpDef op = {"PReluBackward", InferPReluBackward, ops::NoFlops, ops::NoGradient,
                               ReferencePReluBackward};
  return op;
}

}  // namespace fovea
