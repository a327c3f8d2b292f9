// Parameter updates over whole regions: SGD with momentum, and Adam.
#include "core/ops/update_rules.h"

#include <algorithm>
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

// The first `regions` inputs are regions of one size and type; then comes the learning rate.
absl::Status CheckRegions(absl::Span<const Type> inputs, size_t regions, int64_t decayed) {
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, regions + 1));
  RETURN_IF_ERROR(ops::ExpectRank("parameters", inputs[0], 1));
  for (size_t i = 1; i < regions; ++i) {
    RETURN_IF_ERROR(ops::ExpectDims(i == 1 ? "gradients" : "a slot", inputs[i], inputs[0].dims));
  }
  RETURN_IF_ERROR(ops::ExpectDims("learning rate", inputs[regions], {1}));
  if (decayed < 0 || decayed > inputs[0].dims[0]) {
    return absl::InvalidArgumentError(absl::StrCat("weight decay applies to the first ", decayed,
                                                   " elements, the region has ",
                                                   inputs[0].dims[0]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Type>> InferSgdMomentum(const Node& node,
                                                   absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 4));
  RETURN_IF_ERROR(CheckRegions(inputs, 3, std::get<SgdMomentum>(node.attrs).decayed));
  return std::vector<Type>(2, {inputs[0].dtype, inputs[0].dims});
}

absl::StatusOr<std::vector<Type>> InferAdam(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 6));
  RETURN_IF_ERROR(CheckRegions(inputs, 4, std::get<Adam>(node.attrs).decayed));
  RETURN_IF_ERROR(ops::ExpectDType("step", inputs[5], DType::kI64));
  RETURN_IF_ERROR(ops::ExpectDims("step", inputs[5], {1}));
  return std::vector<Type>(3, {inputs[0].dtype, inputs[0].dims});
}

// Outputs may be the inputs they overwrite.
void ReferenceSgdMomentum(const Node& node, absl::Span<const TensorView> in,
                          absl::Span<const TensorView> out) {
  const auto& op = std::get<SgdMomentum>(node.attrs);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T rate = *in[3].as<T>();
    for (int64_t i = 0; i < in[0].count(); ++i) {
      T parameter = in[0].as<T>()[i], velocity = in[2].as<T>()[i];
      const T decay = i < op.decayed ? static_cast<T>(op.weight_decay) : T{0};
      ops::SgdMomentumRule(in[1].as<T>()[i], decay, static_cast<T>(op.momentum), op.nesterov, rate,
                           &parameter, &velocity);
      out[0].as<T>()[i] = parameter;
      out[1].as<T>()[i] = velocity;
    }
  });
}

void ReferenceAdam(const Node& node, absl::Span<const TensorView> in,
                   absl::Span<const TensorView> out) {
  const auto& op = std::get<Adam>(node.attrs);
  const int64_t step = *in[5].as<int64_t>();
  const double correction1 = ops::AdamCorrection(op.beta1, step);
  const double correction2 = ops::AdamCorrection(op.beta2, step);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T rate = *in[4].as<T>();
    for (int64_t i = 0; i < in[0].count(); ++i) {
      T parameter = in[0].as<T>()[i], first = in[2].as<T>()[i], second = in[3].as<T>()[i];
      const T decay = i < op.decayed ? static_cast<T>(op.weight_decay) : T{0};
      ops::AdamRule(in[1].as<T>()[i], decay, static_cast<T>(op.beta1), static_cast<T>(op.beta2),
                    static_cast<T>(op.epsilon), static_cast<T>(correction1),
                    static_cast<T>(correction2), rate, &parameter, &first, &second);
      out[0].as<T>()[i] = parameter;
      out[1].as<T>()[i] = first;
      out[2].as<T>()[i] = second;
    }
  });
}

}  // namespace

const OpDef& OpOf(const SgdMomentum&) {
  static constexpr OpDef op = {"SgdMomentum", InferSgdMomentum, ops::NoFlops, nullptr,
                               ReferenceSgdMomentum};
  return op;
}

const OpDef& OpOf(const Adam&) {
  static constexpr OpDef op = {"Adam", InferAdam, ops::NoFlops, nullptr, ReferenceAdam};
  return op;
}

}  // namespace fovea
