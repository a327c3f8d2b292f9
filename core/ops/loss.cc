// Softmax, and the fused losses with class and example weights. loss_rules.h has their formulas.
#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/loss_rules.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

// ---- Attributes.

absl::Status Expect(bool right, absl::string_view what, float found, absl::string_view expected) {
  if (right) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", found, ", expected ", expected));
}

absl::Status ExpectSmoothing(float found) {
  return Expect(found >= 0 && found < 1, "label_smoothing", found, "0 or more and less than 1");
}
absl::Status ExpectClip(float found) {
  return Expect(found >= 0 && found < 0.5f, "clip", found, "0 or more and less than 0.5");
}
absl::Status ExpectGamma(absl::string_view what, float found) {
  return Expect(found >= 0 && std::isfinite(found), what, found, "0 or more");
}

absl::Status CheckAttributes(const SoftmaxCrossEntropy& loss) {
  RETURN_IF_ERROR(ExpectSmoothing(loss.label_smoothing));
  return ExpectClip(loss.clip);
}
absl::Status CheckAttributes(const SoftmaxFocalLoss& loss) {
  RETURN_IF_ERROR(ExpectSmoothing(loss.label_smoothing));
  return ExpectGamma("gamma", loss.gamma);
}
absl::Status CheckAttributes(const SigmoidCrossEntropy& loss) {
  RETURN_IF_ERROR(ExpectSmoothing(loss.label_smoothing));
  return ExpectClip(loss.clip);
}
absl::Status CheckAttributes(const SigmoidFocalLoss& loss) {
  RETURN_IF_ERROR(ExpectSmoothing(loss.label_smoothing));
  RETURN_IF_ERROR(ExpectGamma("gamma", loss.gamma));
  return Expect(loss.alpha >= 0 && loss.alpha <= 1, "alpha", loss.alpha, "0 to 1");
}
absl::Status CheckAttributes(const AsymmetricLoss& loss) {
  RETURN_IF_ERROR(ExpectSmoothing(loss.label_smoothing));
  RETURN_IF_ERROR(ExpectGamma("gamma_plus", loss.gamma_plus));
  RETURN_IF_ERROR(ExpectGamma("gamma_minus", loss.gamma_minus));
  return Expect(loss.margin >= 0 && loss.margin < 1, "margin", loss.margin,
                "0 or more and less than 1");
}
absl::Status CheckAttributes(const SoftHammingLoss& loss) {
  return ExpectSmoothing(loss.label_smoothing);
}
absl::Status CheckAttributes(const RegressionLoss& loss) {
  return Expect(loss.delta > 0 && std::isfinite(loss.delta), "delta", loss.delta, "more than 0");
}

// ---- Shapes.

absl::StatusOr<std::vector<Type>> InferSoftmax(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRank("input", inputs[0], 2));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::Status CheckLoss(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, inputs.size()));
  RETURN_IF_ERROR(ops::ExpectRank("logits", inputs[0], 2));
  RETURN_IF_ERROR(ops::ExpectDims("targets", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectDims("example weights", inputs[2], {inputs[0].dims[0]}));
  return ops::ExpectClassWeights(node, inputs[0].dims[1]);
}

template <typename Op>
absl::StatusOr<std::vector<Type>> InferLoss(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(CheckLoss(node, inputs));
  RETURN_IF_ERROR(CheckAttributes(std::get<Op>(node.attrs)));
  return std::vector<Type>{{inputs[0].dtype, {1}}, {inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferLossBackward(const Node& node,
                                                    absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 4));
  RETURN_IF_ERROR(CheckLoss(node, inputs));
  RETURN_IF_ERROR(ops::ExpectDims("the gradient of the loss", inputs[3], {1}));
  RETURN_IF_ERROR(std::visit([](const auto& loss) { return CheckAttributes(loss); },
                             std::get<LossBackward>(node.attrs).forward));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

// ---- Gradient.

template <typename Op>
absl::Status GradientLoss(GradientBuilder& builder) {
  if (builder.dy(0) == kNoValue || builder.dy(1) != kNoValue) {
    return absl::InvalidArgumentError(absl::StrCat(
        "loss \"", builder.node().name, "\": expected a gradient of the loss and of nothing else"));
  }
  if (!builder.wants(0)) return absl::OkStatus();
  const LossBackward backward = {std::get<Op>(builder.node().attrs)};
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", backward,
                                              {builder.input(0), builder.input(1), builder.input(2),
                                               builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

// ---- Values. All sums run in double.

// The weight of class c; without class weights all are 1.
double ClassWeight(const Node& node, int64_t c) {
  return node.constants.empty() ? 1.0 : node.constants[c];
}

// log Σ exp(z); nothing overflows since the largest is taken out.
template <typename T>
double LogSumExp(const T* z, int64_t classes) {
  const double largest = *std::max_element(z, z + classes);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(z[c] - largest);
  return largest + std::log(sum);
}

template <typename T>
double SoftmaxRow(const T* z, int64_t classes, T* probabilities) {
  const double log_sum = LogSumExp(z, classes);
  for (int64_t c = 0; c < classes; ++c) probabilities[c] = static_cast<T>(std::exp(z[c] - log_sum));
  return log_sum;
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

// ---- Over a distribution.

// Σᵢ wᵢ Σ_c k_c tᵢ_c.
template <typename T>
double DistributionDivisor(const Node& node, absl::Span<const TensorView> in) {
  const int64_t classes = in[1].type.dims[1];
  double sum = 0;
  for (int64_t i = 0; i < in[1].count(); ++i) {
    sum += double{in[2].as<T>()[i / classes]} * ClassWeight(node, i % classes) * in[1].as<T>()[i];
  }
  return sum;
}

template <typename T, typename Op>
void DistributionForward(const Op& loss, const Node& node, absl::Span<const TensorView> in,
                         absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], classes = in[0].type.dims[1];
  double sum = 0;
  for (int64_t n = 0; n < rows; ++n) {
    const T *z = in[0].as<T>() + n * classes, *t = in[1].as<T>() + n * classes;
    const double weight = in[2].as<T>()[n];
    const double log_sum = SoftmaxRow(z, classes, out[1].as<T>() + n * classes);
    for (int64_t c = 0; c < classes; ++c) {
      const double target = ops::Smoothed(loss, t[c], static_cast<double>(classes));
      sum += weight * ClassWeight(node, c) * target * ops::TermOfClass(loss, log_sum - z[c]).value;
    }
  }
  const double divisor = DistributionDivisor<T>(node, in);
  *out[0].as<T>() = static_cast<T>(divisor == 0 ? 0 : sum / divisor);
}

// dz_j = wᵢ / D · (p_j Σ_c k_c t'_c h_c − k_j t'_j h_j) · dloss, h = −df / d log p, D the divisor.
template <typename T, typename Op>
void DistributionBackward(const Op& loss, const Node& node, absl::Span<const TensorView> in,
                          absl::Span<const TensorView> out) {
  const int64_t rows = in[0].type.dims[0], classes = in[0].type.dims[1];
  const double divisor = DistributionDivisor<T>(node, in);
  const double dloss = divisor == 0 ? 0 : *in[3].as<T>() / divisor;
  std::vector<double> pulls(static_cast<size_t>(classes));
  for (int64_t n = 0; n < rows; ++n) {
    const T *z = in[0].as<T>() + n * classes, *t = in[1].as<T>() + n * classes;
    const double log_sum = LogSumExp(z, classes), factor = dloss * in[2].as<T>()[n];
    double all = 0;
    for (int64_t c = 0; c < classes; ++c) {
      const double target = ops::Smoothed(loss, t[c], static_cast<double>(classes));
      pulls[c] = ClassWeight(node, c) * target * ops::TermOfClass(loss, log_sum - z[c]).pull;
      all += pulls[c];
    }
    for (int64_t c = 0; c < classes; ++c) {
      out[0].as<T>()[n * classes + c] =
          static_cast<T>(factor * (std::exp(z[c] - log_sum) * all - pulls[c]));
    }
  }
}

// ---- Value by value.

// Σ wᵢ over the known targets.
template <typename T>
double KnownDivisor(absl::Span<const TensorView> in) {
  const int64_t labels = in[1].type.dims[1];
  double sum = 0;
  for (int64_t i = 0; i < in[1].count(); ++i) {
    if (!std::isnan(in[1].as<T>()[i])) sum += in[2].as<T>()[i / labels];
  }
  return sum;
}

template <typename T, typename Op>
void LabelForward(const Op& loss, const Node& node, absl::Span<const TensorView> in,
                  absl::Span<const TensorView> out) {
  const int64_t labels = in[0].type.dims[1];
  double sum = 0;
  for (int64_t i = 0; i < in[0].count(); ++i) {
    const double z = in[0].as<T>()[i], t = in[1].as<T>()[i];
    out[1].as<T>()[i] = static_cast<T>(ops::Prediction(loss, z));
    if (std::isnan(t)) continue;
    const double weight = in[2].as<T>()[i / labels] * ClassWeight(node, i % labels);
    sum += weight * ops::TermOfLabel(loss, z, ops::Smoothed(loss, t, 2)).value;
  }
  const double divisor = KnownDivisor<T>(in);
  *out[0].as<T>() = static_cast<T>(divisor == 0 ? 0 : sum / divisor);
}

template <typename T, typename Op>
void LabelBackward(const Op& loss, const Node& node, absl::Span<const TensorView> in,
                   absl::Span<const TensorView> out) {
  const int64_t labels = in[0].type.dims[1];
  const double divisor = KnownDivisor<T>(in);
  const double dloss = divisor == 0 ? 0 : *in[3].as<T>() / divisor;
  for (int64_t i = 0; i < in[0].count(); ++i) {
    const double z = in[0].as<T>()[i], t = in[1].as<T>()[i];
    const double weight = in[2].as<T>()[i / labels] * ClassWeight(node, i % labels);
    const double slope =
        std::isnan(t) ? 0 : ops::TermOfLabel(loss, z, ops::Smoothed(loss, t, 2)).slope;
    out[0].as<T>()[i] = static_cast<T>(dloss * weight * slope);
  }
}

// ---- Both.

template <typename Op>
constexpr bool kOverDistribution =
    std::is_same_v<Op, SoftmaxCrossEntropy> || std::is_same_v<Op, SoftmaxFocalLoss>;

template <typename Op>
void ReferenceLoss(const Node& node, absl::Span<const TensorView> in,
                   absl::Span<const TensorView> out) {
  const Op& loss = std::get<Op>(node.attrs);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kOverDistribution<Op>) {
      DistributionForward<T>(loss, node, in, out);
    } else {
      LabelForward<T>(loss, node, in, out);
    }
  });
}

void ReferenceLossBackward(const Node& node, absl::Span<const TensorView> in,
                           absl::Span<const TensorView> out) {
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::visit(
        [&](const auto& loss) {
          if constexpr (kOverDistribution<std::decay_t<decltype(loss)>>) {
            DistributionBackward<T>(loss, node, in, out);
          } else {
            LabelBackward<T>(loss, node, in, out);
          }
        },
        std::get<LossBackward>(node.attrs).forward);
  });
}

template <typename Op>
constexpr OpDef LossDef(absl::string_view name) {
  return {name, InferLoss<Op>, ops::NoFlops, GradientLoss<Op>, ReferenceLoss<Op>};
}

}  // namespace

const OpDef& OpOf(const Softmax&) {
  static constexpr OpDef op = {"Softmax", InferSoftmax, ops::NoFlops, ops::NoGradient,
                               ReferenceSoftmax};
  return op;
}

const OpDef& OpOf(const SoftmaxCrossEntropy&) {
  static constexpr OpDef op = LossDef<SoftmaxCrossEntropy>("SoftmaxCrossEntropy");
  return op;
}

const OpDef& OpOf(const SoftmaxFocalLoss&) {
  static constexpr OpDef op = LossDef<SoftmaxFocalLoss>("SoftmaxFocalLoss");
  return op;
}

const OpDef& OpOf(const SigmoidCrossEntropy&) {
  static constexpr OpDef op = LossDef<SigmoidCrossEntropy>("SigmoidCrossEntropy");
  return op;
}

const OpDef& OpOf(const SigmoidFocalLoss&) {
  static constexpr OpDef op = LossDef<SigmoidFocalLoss>("SigmoidFocalLoss");
  return op;
}

const OpDef& OpOf(const AsymmetricLoss&) {
  static constexpr OpDef op = LossDef<AsymmetricLoss>("AsymmetricLoss");
  return op;
}

const OpDef& OpOf(const SoftHammingLoss&) {
  static constexpr OpDef op = LossDef<SoftHammingLoss>("SoftHammingLoss");
  return op;
}

const OpDef& OpOf(const RegressionLoss&) {
  static constexpr OpDef op = LossDef<RegressionLoss>("RegressionLoss");
  return op;
}

const OpDef& OpOf(const LossBackward&) {
  static constexpr OpDef op = {"LossBackward", InferLossBackward, ops::NoFlops, ops::NoGradient,
                               ReferenceLossBackward};
  return op;
}

}  // namespace fovea
