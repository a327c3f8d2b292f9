// Batch normalisation (Ioffe and Szegedy 2015): inference, training, gradient, running statistics,
// and its folding into the convolution or dense layer before it.
#include <cmath>
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

// ---- Shapes.

// Inputs [first, last) hold one element per channel of x.
absl::Status CheckPerChannel(absl::Span<const Type> inputs, size_t first, size_t last,
                             int64_t channels) {
  for (size_t i = first; i < last; ++i) {
    RETURN_IF_ERROR(ops::ExpectDims(absl::StrCat("input ", i), inputs[i], {channels}));
  }
  return absl::OkStatus();
}

absl::Status CheckNorm(absl::Span<const Type> inputs, size_t floats) {
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, floats));
  return ops::ExpectRankAtLeast("input", inputs[0], 2);
}

absl::StatusOr<std::vector<Type>> InferBatchNorm(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 5));
  RETURN_IF_ERROR(CheckNorm(inputs, 5));
  RETURN_IF_ERROR(CheckPerChannel(inputs, 1, 5, inputs[0].dims[1]));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferBatchNormTraining(const Node&,
                                                         absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(CheckNorm(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectParameters(inputs, 1, 3));
  const Dims& x = inputs[0].dims;
  const DType dtype = inputs[0].dtype, statistics = ops::ParameterType(dtype);
  RETURN_IF_ERROR(CheckPerChannel(inputs, 1, 3, x[1]));
  return std::vector<Type>{{dtype, x}, {statistics, {x[1]}}, {statistics, {x[1]}}, {DType::kU8, x}};
}

absl::StatusOr<std::vector<Type>> InferBatchNormBackward(const Node&,
                                                         absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 7));
  RETURN_IF_ERROR(CheckNorm(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectParameters(inputs, 2, 6));
  const Dims& x = inputs[0].dims;
  const DType dtype = inputs[0].dtype, gradients = ops::ParameterType(dtype);
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[1], x));
  RETURN_IF_ERROR(CheckPerChannel(inputs, 2, 6, x[1]));
  RETURN_IF_ERROR(ops::ExpectDims("workspace", inputs[6], x));
  RETURN_IF_ERROR(ops::ExpectDType("workspace", inputs[6], DType::kU8));
  return std::vector<Type>{{dtype, x}, {gradients, {x[1]}}, {gradients, {x[1]}}};
}

absl::StatusOr<std::vector<Type>> InferFrozenBatchNormBackward(const Node&,
                                                               absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(CheckNorm(inputs, 3));
  RETURN_IF_ERROR(CheckPerChannel(inputs, 1, 3, inputs[0].dims[1]));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferUpdateStatistics(const Node& node,
                                                        absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 4));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 4));
  RETURN_IF_ERROR(ops::ExpectRank("mean", inputs[0], 1));
  RETURN_IF_ERROR(CheckPerChannel(inputs, 1, 4, inputs[0].dims[0]));
  const int64_t count = std::get<UpdateStatistics>(node.attrs).count;
  if (count < 1) {
    return absl::InvalidArgumentError(absl::StrCat("count is ", count, ", expected at least 1"));
  }
  return std::vector<Type>(2, {inputs[0].dtype, inputs[0].dims});
}

absl::StatusOr<std::vector<Type>> InferFoldBatchNorm(const Node& node,
                                                     absl::Span<const Type> inputs) {
  const bool has_bias = std::get<FoldBatchNorm>(node.attrs).has_bias;
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 5 + has_bias));
  RETURN_IF_ERROR(CheckNorm(inputs, inputs.size()));
  RETURN_IF_ERROR(CheckPerChannel(inputs, 1, inputs.size(), inputs[0].dims[0]));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims},
                           {inputs[0].dtype, {inputs[0].dims[0]}}};
}

// ---- Gradient.

absl::Status GradientBatchNorm(GradientBuilder& builder) {
  for (int i = 1; i < 5; ++i) {
    if (!builder.wants(i)) continue;
    return absl::UnimplementedError(
        absl::StrCat("BatchNorm \"", builder.node().name,
                     "\": found a parameter in its inference form, expected states only"));
  }
  const FrozenBatchNormBackward op = {std::get<BatchNorm>(builder.node().attrs).epsilon};
  ASSIGN_OR_RETURN(const auto gradients,
                   builder.Add("dx", op, {builder.dy(), builder.input(1), builder.input(4)}));
  builder.Set(0, gradients[0]);
  return absl::OkStatus();
}

absl::Status GradientBatchNormTraining(GradientBuilder& builder) {
  if (builder.dy(1) != kNoValue || builder.dy(2) != kNoValue) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch_norm_training \"", builder.node().name,
        "\": found a gradient of the mean or the variance, expected one of the result only"));
  }
  const auto& forward = std::get<BatchNormTraining>(builder.node().attrs);
  const BatchNormBackward op = {forward.epsilon, forward.relu};
  ASSIGN_OR_RETURN(const auto gradients,
                   builder.Add("dx", op,
                               {builder.input(0), builder.dy(), builder.input(1), builder.input(2),
                                builder.output(1), builder.output(2), builder.output(3)}));
  for (int i : {0, 1, 2}) {
    if (builder.wants(i)) builder.Set(i, gradients[i]);
  }
  return absl::OkStatus();
}

// ---- Values. Sums run in double.

struct Planes {
  explicit Planes(const Dims& x)
      : batch(x[0]), channels(x[1]), plane(x.count() / (x[0] * x[1])), count(batch * plane) {}
  // Calls f(flat index) for every element of one channel.
  template <typename F>
  void ForEach(int64_t channel, F f) const {
    for (int64_t n = 0; n < batch; ++n) {
      const int64_t begin = (n * channels + channel) * plane;
      for (int64_t i = begin; i < begin + plane; ++i) f(i);
    }
  }
  int64_t batch, channels, plane;
  int64_t count;  // elements of one channel
};

void ReferenceBatchNorm(const Node& node, absl::Span<const TensorView> in,
                        absl::Span<const TensorView> out) {
  const double epsilon = std::get<BatchNorm>(node.attrs).epsilon;
  const Planes planes(in[0].type.dims);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < planes.channels; ++c) {
      const double factor = in[1].as<T>()[c] / std::sqrt(in[4].as<T>()[c] + epsilon);
      const double mean = in[3].as<T>()[c], shift = in[2].as<T>()[c];
      planes.ForEach(c, [&](int64_t i) {
        out[0].as<T>()[i] = static_cast<T>(factor * (in[0].as<T>()[i] - mean) + shift);
      });
    }
  });
}

struct Moments {
  double mean = 0, variance = 0;  // biased
};

template <typename T>
Moments ChannelMoments(const Planes& planes, int64_t channel, const T* x) {
  const double count = static_cast<double>(planes.count);
  Moments moments;
  planes.ForEach(channel, [&](int64_t i) { moments.mean += x[i]; });
  moments.mean /= count;
  planes.ForEach(channel, [&](int64_t i) {
    const double centred = x[i] - moments.mean;
    moments.variance += centred * centred;
  });
  moments.variance /= count;
  return moments;
}

void ReferenceBatchNormTraining(const Node& node, absl::Span<const TensorView> in,
                                absl::Span<const TensorView> out) {
  const auto& op = std::get<BatchNormTraining>(node.attrs);
  const Planes planes(in[0].type.dims);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* x = in[0].as<T>();
    for (int64_t c = 0; c < planes.channels; ++c) {
      const Moments moments = ChannelMoments(planes, c, x);
      out[1].as<T>()[c] = static_cast<T>(moments.mean);
      out[2].as<T>()[c] = static_cast<T>(moments.variance);
      const double factor = in[1].as<T>()[c] / std::sqrt(moments.variance + op.epsilon);
      planes.ForEach(c, [&](int64_t i) {
        const double y = factor * (x[i] - moments.mean) + in[2].as<T>()[c];
        out[0].as<T>()[i] = static_cast<T>(op.relu && !(y > 0) ? 0.0 : y);
        if (op.relu) out[3].as<uint8_t>()[i] = y > 0;
      });
    }
  });
}

// With x̂ = (x − mean) / √(variance + ε) and m elements a channel:
//   dshift = Σ dy;  dscale = Σ dy x̂;  dx = scale / √(variance + ε) · (dy − dshift/m − x̂ dscale/m)
void ReferenceBatchNormBackward(const Node& node, absl::Span<const TensorView> in,
                                absl::Span<const TensorView> out) {
  const auto& op = std::get<BatchNormBackward>(node.attrs);
  const Planes planes(in[0].type.dims);
  const double count = static_cast<double>(planes.count);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto dy = [&](int64_t i) -> double {
      return op.relu && in[6].as<uint8_t>()[i] == 0 ? 0.0 : in[1].as<T>()[i];
    };
    for (int64_t c = 0; c < planes.channels; ++c) {
      const double mean = in[4].as<T>()[c];
      const double inverse = 1 / std::sqrt(in[5].as<T>()[c] + static_cast<double>(op.epsilon));
      const auto normalised = [&](int64_t i) { return (in[0].as<T>()[i] - mean) * inverse; };
      double dscale = 0, dshift = 0;
      planes.ForEach(c, [&](int64_t i) {
        dscale += dy(i) * normalised(i);
        dshift += dy(i);
      });
      const double factor = in[2].as<T>()[c] * inverse;
      planes.ForEach(c, [&](int64_t i) {
        out[0].as<T>()[i] =
            static_cast<T>(factor * (dy(i) - dshift / count - normalised(i) * dscale / count));
      });
      out[1].as<T>()[c] = static_cast<T>(dscale);
      out[2].as<T>()[c] = static_cast<T>(dshift);
    }
  });
}

void ReferenceFrozenBatchNormBackward(const Node& node, absl::Span<const TensorView> in,
                                      absl::Span<const TensorView> out) {
  const double epsilon = std::get<FrozenBatchNormBackward>(node.attrs).epsilon;
  const Planes planes(in[0].type.dims);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < planes.channels; ++c) {
      const double factor = in[1].as<T>()[c] / std::sqrt(in[2].as<T>()[c] + epsilon);
      planes.ForEach(
          c, [&](int64_t i) { out[0].as<T>()[i] = static_cast<T>(factor * in[0].as<T>()[i]); });
    }
  });
}

// Outputs may be the running values they overwrite. One example has no unbiased variance: the
// biased one is taken.
void ReferenceUpdateStatistics(const Node& node, absl::Span<const TensorView> in,
                               absl::Span<const TensorView> out) {
  const auto& op = std::get<UpdateStatistics>(node.attrs);
  const double count = static_cast<double>(op.count);
  const double unbias = op.count > 1 ? count / (count - 1) : 1.0;
  const double momentum = op.momentum;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < in[0].count(); ++c) {
      const double mean = in[0].as<T>()[c], variance = in[1].as<T>()[c] * unbias;
      out[0].as<T>()[c] = static_cast<T>(momentum * in[2].as<T>()[c] + (1 - momentum) * mean);
      out[1].as<T>()[c] = static_cast<T>(momentum * in[3].as<T>()[c] + (1 - momentum) * variance);
    }
  });
}

void ReferenceFoldBatchNorm(const Node& node, absl::Span<const TensorView> in,
                            absl::Span<const TensorView> out) {
  const auto& op = std::get<FoldBatchNorm>(node.attrs);
  const int64_t outputs = in[0].type.dims[0], per_output = in[0].count() / outputs;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t o = 0; o < outputs; ++o) {
      const double factor =
          in[1].as<T>()[o] / std::sqrt(in[4].as<T>()[o] + static_cast<double>(op.epsilon));
      for (int64_t i = o * per_output; i < (o + 1) * per_output; ++i) {
        out[0].as<T>()[i] = static_cast<T>(factor * in[0].as<T>()[i]);
      }
      const double bias = op.has_bias ? in[5].as<T>()[o] : T{0};
      out[1].as<T>()[o] = static_cast<T>(factor * (bias - in[3].as<T>()[o]) + in[2].as<T>()[o]);
    }
  });
}

}  // namespace

const OpDef& OpOf(const BatchNorm&) {
  static constexpr OpDef op = {"BatchNorm", InferBatchNorm, ops::NoFlops, GradientBatchNorm,
                               ReferenceBatchNorm};
  return op;
}

const OpDef& OpOf(const FrozenBatchNormBackward&) {
  static constexpr OpDef op = {"FrozenBatchNormBackward", InferFrozenBatchNormBackward,
                               ops::NoFlops, ops::NoGradient, ReferenceFrozenBatchNormBackward};
  return op;
}

const OpDef& OpOf(const BatchNormTraining&) {
  static constexpr OpDef op = {"BatchNormTraining",       InferBatchNormTraining,     ops::NoFlops,
                               GradientBatchNormTraining, ReferenceBatchNormTraining, 0b1000};
  return op;
}

const OpDef& OpOf(const BatchNormBackward&) {
  static constexpr OpDef op = {"BatchNormBackward", InferBatchNormBackward, ops::NoFlops,
                               ops::NoGradient, ReferenceBatchNormBackward};
  return op;
}

const OpDef& OpOf(const UpdateStatistics&) {
  static constexpr OpDef op = {"UpdateStatistics", InferUpdateStatistics, ops::NoFlops, nullptr,
                               ReferenceUpdateStatistics};
  return op;
}

const OpDef& OpOf(const FoldBatchNorm&) {
  static constexpr OpDef op = {"FoldBatchNorm", InferFoldBatchNorm, ops::NoFlops, ops::NoGradient,
                               ReferenceFoldBatchNorm};
  return op;
}

}  // namespace fovea
