// What stands around an update: the scale that clips gradients by their norm, the sum of several
// batches' gradients, and the moving average of the weights.
#include <algorithm>
#include <cmath>
#include <limits>
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

// ---- NormScale.

absl::StatusOr<std::vector<Type>> InferNormScale(const Node& node, absl::Span<const Type> inputs) {
  const auto& op = std::get<NormScale>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRank("gradients", inputs[0], 1));
  if (!(op.max_norm > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the largest norm is ", op.max_norm, ", expected more than 0"));
  }
  return std::vector<Type>{{inputs[0].dtype, {1}}};
}

void ReferenceNormScale(const Node& node, absl::Span<const TensorView> in,
                        absl::Span<const TensorView> out) {
  const auto& op = std::get<NormScale>(node.attrs);
  const double limit = op.clip_value > 0 ? op.clip_value : std::numeric_limits<double>::infinity();
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    double sum = 0;
    for (int64_t i = 0; i < in[0].count(); ++i) {
      const double g = in[0].as<T>()[i];
      const double clipped = std::abs(g) > limit ? limit : g;
      sum += clipped * clipped;
    }
    const double norm = std::sqrt(sum), largest = op.max_norm;
    *out[0].as<T>() = static_cast<T>(norm <= largest ? 1 : largest / norm);
  });
}

// ---- SumGradients.

absl::StatusOr<std::vector<Type>> InferSumGradients(const Node& node,
                                                    absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectDims("sum", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectDType("step", inputs[2], DType::kI64));
  RETURN_IF_ERROR(ops::ExpectDims("step", inputs[2], {1}));
  if (const int32_t count = std::get<SumGradients>(node.attrs).count; count < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the sum is over ", count, " batches, expected at least 1"));
  }
  return std::vector<Type>{inputs[1]};
}

void ReferenceSumGradients(const Node& node, absl::Span<const TensorView> in,
                           absl::Span<const TensorView> out) {
  const int32_t count = std::get<SumGradients>(node.attrs).count;
  const bool first = *in[2].as<int64_t>() % count == 0;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < in[0].count(); ++i) {
      const T sum = first ? T{0} : in[1].as<T>()[i];
      out[0].as<T>()[i] = sum + in[0].as<T>()[i] / static_cast<T>(count);
    }
  });
}

// ---- MovingAverage.

absl::StatusOr<std::vector<Type>> InferMovingAverage(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectDims("average", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectDims("weight", inputs[2], {1}));
  return std::vector<Type>{inputs[1]};
}

void ReferenceMovingAverage(const Node&, absl::Span<const TensorView> in,
                            absl::Span<const TensorView> out) {
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T weight = *in[2].as<T>();
    for (int64_t i = 0; i < in[0].count(); ++i) {
      const T average = in[1].as<T>()[i];
      out[0].as<T>()[i] = average + weight * (in[0].as<T>()[i] - average);
    }
  });
}

}  // namespace

const OpDef& OpOf(const NormScale&) {
  static constexpr OpDef op = {"NormScale", InferNormScale, ops::NoFlops, nullptr,
                               ReferenceNormScale};
  return op;
}

const OpDef& OpOf(const SumGradients&) {
  static constexpr OpDef op = {"SumGradients", InferSumGradients, ops::NoFlops, nullptr,
                               ReferenceSumGradients};
  return op;
}

const OpDef& OpOf(const MovingAverage&) {
  static constexpr OpDef op = {"MovingAverage", InferMovingAverage, ops::NoFlops, nullptr,
                               ReferenceMovingAverage};
  return op;
}

}  // namespace fovea
