// Softmax, and the two fused losses with class and example weights.
#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/activation.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

// ---- Shapes.

absl::StatusOr<std::vector<Type>> InferSoftmax(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRank("input", inputs[0], 2));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

// inputs[0] is what the first input of the loss or of its gradient is called, [N,C].
absl::Status CheckLoss(const Node& node, absl::Span<const Type> inputs, absl::string_view first) {
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, inputs.size()));
  RETURN_IF_ERROR(ops::ExpectRank(first, inputs[0], 2));
  RETURN_IF_ERROR(ops::ExpectDims("targets", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectDims("example weights", inputs[2], {inputs[0].dims[0]}));
  return ops::ExpectClassWeights(node, inputs[0].dims[1]);
}

absl::StatusOr<std::vector<Type>> InferLoss(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(CheckLoss(node, inputs, "logits"));
  return std::vector<Type>{{inputs[0].dtype, {1}}, {inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferLossBackward(const Node& node,
                                                    absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 4));
  RETURN_IF_ERROR(CheckLoss(node, inputs, "probabilities"));
  RETURN_IF_ERROR(ops::ExpectDims("the gradient of the loss", inputs[3], {1}));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

// ---- Gradient.

template <typename Backward>
absl::Status GradientLoss(GradientBuilder& builder) {
  if (builder.dy(0) == kNoValue || builder.dy(1) != kNoValue) {
    return absl::InvalidArgumentError(absl::StrCat(
        "loss \"", builder.node().name, "\": expected a gradient of the loss and of nothing else"));
  }
  if (!builder.wants(0)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", Backward{},
                                              {builder.output(1), builder.input(1),
                                               builder.input(2), builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

// ---- Values. Sums run in double.

// The weight of class c; without class weights all are 1.
double ClassWeight(const Node& node, int64_t c) {
  return node.constants.empty() ? 1.0 : node.constants[c];
}

// Writes softmax(z) and returns log Σ exp(z); nothing overflows since the largest is taken out.
template <typename T>
double SoftmaxRow(const T* z, int64_t classes, T* probabilities) {
  const double largest = *std::max_element(z, z + classes);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(z[c] - largest);
  for (int64_t c = 0; c < classes; ++c) {
    probabilities[c] = static_cast<T>(std::exp(z[c] - largest) / sum);
  }
  return largest + std::log(sum);
}

void ReferenceSoftmax(const Node&, absl::Span<const TensorView> in,
                      absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], classes = in[0].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t n = 0; n < rows; ++n) {
      SoftmaxRow(in[0].as<T>() + n * classes, classes, out[0].as<T>() + n * classes);
    }
  });
}

// Σ_c k_c t_c of one example.
template <typename T>
double TargetWeight(const Node& node, const T* targets, int64_t classes) {
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += ClassWeight(node, c) * targets[c];
  return sum;
}

void ReferenceSoftmaxCrossEntropy(const Node& node, absl::Span<const TensorView> in,
                                  absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], classes = in[0].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    double sum = 0, divisor = 0;
    for (int64_t n = 0; n < rows; ++n) {
      const T *z = in[0].as<T>() + n * classes, *t = in[1].as<T>() + n * classes;
      const double weight = in[2].as<T>()[n];
      const double log_sum = SoftmaxRow(z, classes, out[1].as<T>() + n * classes);
      for (int64_t c = 0; c < classes; ++c) {
        sum += weight * ClassWeight(node, c) * t[c] * (log_sum - z[c]);
      }
      divisor += weight * TargetWeight(node, t, classes);
    }
    *out[0].as<T>() = static_cast<T>(divisor == 0 ? 0 : sum / divisor);
  });
}

// dz_j = wᵢ / D · (p_j Σ_c k_c t_c − k_j t_j) · dloss, with the divisor D of the loss.
void ReferenceSoftmaxCrossEntropyBackward(const Node& node, absl::Span<const TensorView> in,
                                          absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], classes = in[0].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *p = in[0].as<T>(), *t = in[1].as<T>(), *weights = in[2].as<T>();
    double divisor = 0;
    for (int64_t n = 0; n < rows; ++n) {
      divisor += weights[n] * TargetWeight(node, t + n * classes, classes);
    }
    const double dloss = divisor == 0 ? 0 : *in[3].as<T>() / divisor;
    for (int64_t n = 0; n < rows; ++n) {
      const double target_weight = TargetWeight(node, t + n * classes, classes);
      for (int64_t c = 0; c < classes; ++c) {
        const int64_t i = n * classes + c;
        out[0].as<T>()[i] = static_cast<T>(dloss * weights[n] *
                                           (p[i] * target_weight - ClassWeight(node, c) * t[i]));
      }
    }
  });
}

template <typename T>
double WeightSum(const TensorView& weights) {
  double sum = 0;
  for (int64_t n = 0; n < weights.count(); ++n) sum += weights.as<T>()[n];
  return sum;
}

void ReferenceSigmoidCrossEntropy(const Node& node, absl::Span<const TensorView> in,
                                  absl::Span<const TensorView> out) {
  const int64_t labels = in[0].type.dims[1];
  const ActivationSpec sigmoid = {Activation::kSigmoid};
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    double sum = 0;
    for (int64_t i = 0; i < in[0].count(); ++i) {
      const double z = in[0].as<T>()[i], t = in[1].as<T>()[i];
      const double weight = in[2].as<T>()[i / labels] * ClassWeight(node, i % labels);
      sum += weight * (std::max(z, 0.0) - z * t + std::log1p(std::exp(-std::abs(z))));
      out[1].as<T>()[i] = static_cast<T>(ops::ApplyActivation(sigmoid, z));
    }
    const double divisor = static_cast<double>(labels) * WeightSum<T>(in[2]);
    *out[0].as<T>() = static_cast<T>(divisor == 0 ? 0 : sum / divisor);
  });
}

// dz = wᵢ k_l (p − t) / (L Σ w) · dloss.
void ReferenceSigmoidCrossEntropyBackward(const Node& node, absl::Span<const TensorView> in,
                                          absl::Span<const TensorView> out) {
  const int64_t labels = in[0].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const double divisor = static_cast<double>(labels) * WeightSum<T>(in[2]);
    const double dloss = divisor == 0 ? 0 : *in[3].as<T>() / divisor;
    for (int64_t i = 0; i < in[0].count(); ++i) {
      const double weight = in[2].as<T>()[i / labels] * ClassWeight(node, i % labels);
      out[0].as<T>()[i] =
          static_cast<T>(dloss * weight * (double{in[0].as<T>()[i]} - in[1].as<T>()[i]));
    }
  });
}

}  // namespace

const OpDef& OpOf(const Softmax&) {
  static constexpr OpDef op = {"Softmax", InferSoftmax, ops::NoFlops, ops::NoGradient,
                               ReferenceSoftmax};
  return op;
}

const OpDef& OpOf(const SoftmaxCrossEntropy&) {
  static constexpr OpDef op = {"SoftmaxCrossEntropy", InferLoss, ops::NoFlops,
                               GradientLoss<SoftmaxCrossEntropyBackward>,
                               ReferenceSoftmaxCrossEntropy};
  return op;
}

const OpDef& OpOf(const SoftmaxCrossEntropyBackward&) {
  static constexpr OpDef op = {"SoftmaxCrossEntropyBackward", InferLossBackward, ops::NoFlops,
                               ops::NoGradient, ReferenceSoftmaxCrossEntropyBackward};
  return op;
}

const OpDef& OpOf(const SigmoidCrossEntropy&) {
  static constexpr OpDef op = {"SigmoidCrossEntropy", InferLoss, ops::NoFlops,
                               GradientLoss<SigmoidCrossEntropyBackward>,
                               ReferenceSigmoidCrossEntropy};
  return op;
}

const OpDef& OpOf(const SigmoidCrossEntropyBackward&) {
  static constexpr OpDef op = {"SigmoidCrossEntropyBackward", InferLossBackward, ops::NoFlops,
                               ops::NoGradient, ReferenceSigmoidCrossEntropyBackward};
  return op;
}

}  // namespace fovea
