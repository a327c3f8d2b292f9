// The one logit of a two-way softmax: binary relevance in the form that all sigmoid losses take.
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

absl::StatusOr<std::vector<Type>> InferPairDifference(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRank("input", inputs[0], 2));
  const Dims& x = inputs[0].dims;
  if (x[1] % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("input is ", x.ToString(), ", expected two columns a label"));
  }
  return std::vector<Type>{{inputs[0].dtype, {x[0], x[1] / 2}}};
}

absl::Status GradientPairDifference(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", PairDifferenceBackward{}, {builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

void ReferencePairDifference(const Node&, absl::Span<const TensorView> in,
                             absl::Span<const TensorView> out) {
  const int64_t labels = out[0].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      const T* absent = in[0].as<T>() + i / labels * 2 * labels + i % labels;
      out[0].as<T>()[i] = absent[labels] - absent[0];
    }
  });
}

absl::StatusOr<std::vector<Type>> InferPairDifferenceBackward(const Node&,
                                                              absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRank("output gradient", inputs[0], 2));
  return std::vector<Type>{{inputs[0].dtype, {inputs[0].dims[0], 2 * inputs[0].dims[1]}}};
}

void ReferencePairDifferenceBackward(const Node&, absl::Span<const TensorView> in,
                                     absl::Span<const TensorView> out) {
  const int64_t labels = in[0].type.dims[1];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < in[0].count(); ++i) {
      T* absent = out[0].as<T>() + i / labels * 2 * labels + i % labels;
      absent[0] = -in[0].as<T>()[i];
      absent[labels] = in[0].as<T>()[i];
    }
  });
}

}  // namespace

const OpDef& OpOf(const PairDifference&) {
  static constexpr OpDef op = {"PairDifference", InferPairDifference, ops::NoFlops,
                               GradientPairDifference, ReferencePairDifference};
  return op;
}

const OpDef& OpOf(const PairDifferenceBackward&) {
  static constexpr OpDef op = {"PairDifferenceBackward", InferPairDifferenceBackward, ops::NoFlops,
                               ops::NoGradient, ReferencePairDifferenceBackward};
  return op;
}

}  // namespace fovea
