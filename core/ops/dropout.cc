// Dropout (Srivastava et al. 2014), of values or of whole examples (stochastic depth, Huang et al.
// 2016), whose mask is a function of (seed, step, salt, index).
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

absl::StatusOr<std::vector<Type>> InferDropout(const Node& node, absl::Span<const Type> inputs) {
  const auto& dropout = std::get<Dropout>(node.attrs);
  if (inputs.size() != 1 && inputs.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", inputs.size(), " inputs, expected 1 (inference) or 3 (training)"));
  }
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("input", inputs[0], 1));
  if (!(dropout.rate >= 0 && dropout.rate < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("rate is ", dropout.rate, ", expected 0 or more and less than 1"));
  }
  if (inputs.size() == 3) {
    RETURN_IF_ERROR(ops::ExpectDType("seed", inputs[1], DType::kI64));
    RETURN_IF_ERROR(ops::ExpectDims("seed", inputs[1], {1}));
    RETURN_IF_ERROR(ops::ExpectDType("step", inputs[2], DType::kI64));
    RETURN_IF_ERROR(ops::ExpectDims("step", inputs[2], {1}));
  }
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

// The same mask on dy: the op itself.
absl::Status GradientDropout(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  std::vector<ValueId> inputs = builder.node().inputs;
  inputs[0] = builder.dy();
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", builder.node().attrs, inputs));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

void ReferenceDropout(const Node& node, absl::Span<const TensorView> in,
                      absl::Span<const TensorView> out) {
  const auto& dropout = std::get<Dropout>(node.attrs);
  const bool training = in.size() == 3;
  const int64_t per_example = out[0].count() / out[0].type.dims[0];
  const uint64_t seed = training ? static_cast<uint64_t>(*in[1].as<int64_t>()) : 0;
  const uint64_t step = training ? static_cast<uint64_t>(*in[2].as<int64_t>()) : 0;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T scale = T{1} / (T{1} - static_cast<T>(dropout.rate));
    for (int64_t i = 0; i < out[0].count(); ++i) {
      const T x = in[0].as<T>()[i];
      if (!training) {
        out[0].as<T>()[i] = x;
        continue;
      }
      const int64_t index = dropout.per_example ? i / per_example : i;
      const uint64_t key = HashKey(seed, step, dropout.salt, static_cast<uint64_t>(index));
      out[0].as<T>()[i] = UniformFloat(key) >= dropout.rate ? x * scale : T{0};
    }
  });
}

}  // namespace

const OpDef& OpOf(const Dropout&) {
  static constexpr OpDef op = {"Dropout", InferDropout, ops::NoFlops, GradientDropout,
                               ReferenceDropout};
  return op;
}

}  // namespace fovea
