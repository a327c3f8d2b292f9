// Activations, their gradient, and the sum of two tensors.
#include <variant>
#include <vector>

#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/activation.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

absl::StatusOr<std::vector<Type>> InferActivate(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectActivation(std::get<Activate>(node.attrs).activation));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::Status GradientActivate(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  const ActivateBackward op = {std::get<Activate>(builder.node().attrs).activation};
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", op, {builder.output(0), builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

void ReferenceActivate(const Node& node, absl::Span<const TensorView> in,
                       absl::Span<const TensorView> out) {
  const ActivationSpec activation = std::get<Activate>(node.attrs).activation;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      out[0].as<T>()[i] = ops::ApplyActivation(activation, in[0].as<T>()[i]);
    }
  });
}

absl::StatusOr<std::vector<Type>> InferActivateBackward(const Node& node,
                                                        absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectActivation(std::get<ActivateBackward>(node.attrs).activation));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

void ReferenceActivateBackward(const Node& node, absl::Span<const TensorView> in,
                               absl::Span<const TensorView> out) {
  const ActivationSpec activation = std::get<ActivateBackward>(node.attrs).activation;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      out[0].as<T>()[i] = ops::ActivationGradient(activation, in[0].as<T>()[i], in[1].as<T>()[i]);
    }
  });
}

absl::StatusOr<std::vector<Type>> InferAdd(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectDims("the second input", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectActivation(std::get<Add>(node.attrs).activation));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

// Both inputs have the gradient of the sum.
absl::Status GradientAdd(GradientBuilder& builder) {
  const ActivationSpec activation = std::get<Add>(builder.node().attrs).activation;
  ValueId gradient = builder.dy();
  if (activation.kind != Activation::kNone) {
    ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", ActivateBackward{activation},
                                                {builder.output(0), gradient}));
    gradient = dx[0];
  }
  for (int i : {0, 1}) {
    if (builder.wants(i)) builder.Set(i, gradient);
  }
  return absl::OkStatus();
}

void ReferenceAdd(const Node& node, absl::Span<const TensorView> in,
                  absl::Span<const TensorView> out) {
  const ActivationSpec activation = std::get<Add>(node.attrs).activation;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      out[0].as<T>()[i] = ops::ApplyActivation<T>(activation, in[0].as<T>()[i] + in[1].as<T>()[i]);
    }
  });
}

}  // namespace

const OpDef& OpOf(const Activate&) {
  static constexpr OpDef op = {"Activate", InferActivate, ops::NoFlops, GradientActivate,
                               ReferenceActivate};
  return op;
}

const OpDef& OpOf(const ActivateBackward&) {
  static constexpr OpDef op = {"ActivateBackward", InferActivateBackward, ops::NoFlops,
                               ops::NoGradient, ReferenceActivateBackward};
  return op;
}

const OpDef& OpOf(const Add&) {
  static constexpr OpDef op = {"Add", InferAdd, ops::NoFlops, GradientAdd, ReferenceAdd};
  return op;
}

}  // namespace fovea
