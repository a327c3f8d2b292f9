// Dense layers, their gradients, and the gradient of a bias.
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

absl::StatusOr<std::vector<Type>> InferDense(const Node& node, absl::Span<const Type> inputs) {
  const auto& dense = std::get<Dense>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2 + dense.has_bias + dense.has_residual));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectParameters(inputs, 2, 2 + dense.has_bias));
  if (dense.has_residual) {
    RETURN_IF_ERROR(ops::ExpectDType("residual", inputs.back(), inputs[0].dtype));
  }
  RETURN_IF_ERROR(ExpectRank("input", inputs[0], 2));
  RETURN_IF_ERROR(ExpectRank("weight", inputs[1], 2));
  RETURN_IF_ERROR(ops::ExpectActivation(dense.activation));
  const Dims &x = inputs[0].dims, &w = inputs[1].dims;
  if (x[1] != w[1]) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight has ", w[1], " input features, input has ", x[1]));
  }
  const Dims y = {x[0], w[0]};
  if (dense.has_bias) RETURN_IF_ERROR(ExpectDims("bias", inputs[2], {w[0]}));
  if (dense.has_residual) RETURN_IF_ERROR(ExpectDims("residual", inputs.back(), y));
  return std::vector<Type>{{inputs[0].dtype, y}};
}

absl::StatusOr<std::vector<Type>> InferDenseBackwardData(const Node&,
                                                         absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ExpectRank("output gradient", inputs[0], 2));
  RETURN_IF_ERROR(ExpectRank("weight", inputs[1], 2));
  const Dims &dy = inputs[0].dims, &w = inputs[1].dims;
  if (dy[1] != w[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight has ", w[0], " output features, the output gradient has ", dy[1]));
  }
  return std::vector<Type>{{inputs[0].dtype, {dy[0], w[1]}}};
}

absl::StatusOr<std::vector<Type>> InferDenseBackwardWeights(const Node&,
                                                            absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ExpectRank("input", inputs[0], 2));
  RETURN_IF_ERROR(ExpectRank("output gradient", inputs[1], 2));
  const Dims &x = inputs[0].dims, &dy = inputs[1].dims;
  if (x[0] != dy[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has ", x[0], " rows, the output gradient has ", dy[0]));
  }
  return std::vector<Type>{{ops::ParameterType(inputs[0].dtype), {dy[1], x[1]}}};
}

absl::StatusOr<std::vector<Type>> InferBiasBackward(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("output gradient", inputs[0], 2));
  return std::vector<Type>{{ops::ParameterType(inputs[0].dtype), {inputs[0].dims[1]}}};
}

// ---- Cost.

double FlopsDense(const Node&, absl::Span<const Type> inputs) {
  return 2.0 * static_cast<double>(inputs[0].dims[0]) * static_cast<double>(inputs[1].dims.count());
}

double FlopsDenseBackwardWeights(const Node&, absl::Span<const Type> inputs) {
  return 2.0 * static_cast<double>(inputs[0].dims.count()) * static_cast<double>(inputs[1].dims[1]);
}

// ---- Gradient.

absl::Status GradientDense(GradientBuilder& builder) {
  const auto& dense = std::get<Dense>(builder.node().attrs);
  if (dense.has_residual || dense.activation.kind != Activation::kNone) {
    return absl::InvalidArgumentError(
        absl::StrCat("dense \"", builder.node().name,
                     "\" has a residual or a fused activation, expected neither in training"));
  }
  const ValueId dy = builder.dy();
  if (builder.wants(0)) {
    ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", DenseBackwardData{}, {dy, builder.input(1)}));
    builder.Set(0, dx[0]);
  }
  if (builder.wants(1)) {
    ASSIGN_OR_RETURN(const auto dw,
                     builder.Add("dw", DenseBackwardWeights{}, {builder.input(0), dy}));
    builder.Set(1, dw[0]);
  }
  if (dense.has_bias && builder.wants(2)) {
    ASSIGN_OR_RETURN(const auto db, builder.Add("db", BiasBackward{}, {dy}));
    builder.Set(2, db[0]);
  }
  return absl::OkStatus();
}

// ---- Values.

// Σ_k a[k · a_step] b[k · b_step], in double.
template <typename T>
double Dot(const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    sum += static_cast<double>(a[k * a_step]) * static_cast<double>(b[k * b_step]);
  }
  return sum;
}

void ReferenceDense(const Node& node, absl::Span<const TensorView> in,
                    absl::Span<const TensorView> out) {
  const auto& dense = std::get<Dense>(node.attrs);
  const int64_t rows = in[0].type.dims[0], features = in[0].type.dims[1];
  const int64_t units = in[1].type.dims[0];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t o = 0; o < units; ++o) {
        double sum =
            Dot(in[0].as<T>() + n * features, 1, in[1].as<T>() + o * features, 1, features);
        if (dense.has_bias) sum += in[2].as<T>()[o];
        if (dense.has_residual) sum += in.back().as<T>()[n * units + o];
        out[0].as<T>()[n * units + o] = static_cast<T>(ops::ApplyActivation(dense.activation, sum));
      }
    }
  });
}

void ReferenceDenseBackwardData(const Node&, absl::Span<const TensorView> in,
                                absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], units = in[0].type.dims[1];
  const int64_t features = in[1].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t k = 0; k < features; ++k) {
        out[0].as<T>()[n * features + k] =
            static_cast<T>(Dot(in[0].as<T>() + n * units, 1, in[1].as<T>() + k, features, units));
      }
    }
  });
}

void ReferenceDenseBackwardWeights(const Node&, absl::Span<const TensorView> in,
                                   absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], features = in[0].type.dims[1];
  const int64_t units = in[1].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t o = 0; o < units; ++o) {
      for (int64_t k = 0; k < features; ++k) {
        out[0].as<T>()[o * features + k] =
            static_cast<T>(Dot(in[0].as<T>() + k, features, in[1].as<T>() + o, units, rows));
      }
    }
  });
}

void ReferenceBiasBackward(const Node&, absl::Span<const TensorView> in,
                           absl::Span<const TensorView> out) {
  const Dims& dims = in[0].type.dims;
  const int64_t channels = dims[1], plane = dims.count() / (dims[0] * dims[1]);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::vector<double> sums(static_cast<size_t>(channels));
    for (int64_t i = 0; i < dims.count(); ++i) {
      sums[i / plane % channels] += in[0].as<T>()[i];
    }
    for (int64_t c = 0; c < channels; ++c) out[0].as<T>()[c] = static_cast<T>(sums[c]);
  });
}

}  // namespace

const OpDef& OpOf(const Dense&) {
  static constexpr OpDef op = {"Dense", InferDense, FlopsDense, GradientDense, ReferenceDense};
  return op;
}

const OpDef& OpOf(const DenseBackwardData&) {
  static constexpr OpDef op = {"DenseBackwardData", InferDenseBackwardData, FlopsDense,
                               ops::NoGradient, ReferenceDenseBackwardData};
  return op;
}

const OpDef& OpOf(const DenseBackwardWeights&) {
  static constexpr OpDef op = {"DenseBackwardWeights", InferDenseBackwardWeights,
                               FlopsDenseBackwardWeights, ops::NoGradient,
                               ReferenceDenseBackwardWeights};
  return op;
}

const OpDef& OpOf(const BiasBackward&) {
  static constexpr OpDef op = {"BiasBackward", InferBiasBackward, ops::NoFlops, ops::NoGradient,
                               ReferenceBiasBackward};
  return op;
}

}  // namespace fovea
