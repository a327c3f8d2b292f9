// Activations, their gradient, and the sum and product of two tensors.
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
  const ValueId v = DerivativeNeedsInput(op.activation.kind) ? builder.input(0) : builder.output(0);
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", op, {v, builder.dy()}));
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

// What the activation's derivative is a function of: the result, or the sum, computed again.
absl::StatusOr<ValueId> DerivativeArgument(GradientBuilder& builder, Activation kind) {
  if (!DerivativeNeedsInput(kind)) return builder.output(0);
  ASSIGN_OR_RETURN(const auto sum, builder.Add("sum", Add{}, {builder.input(0), builder.input(1)}));
  return sum[0];
}

// Both inputs have the gradient of the sum.
absl::Status GradientAdd(GradientBuilder& builder) {
  const ActivationSpec activation = std::get<Add>(builder.node().attrs).activation;
  ValueId gradient = builder.dy();
  if (activation.kind != Activation::kNone) {
    ASSIGN_OR_RETURN(const ValueId v, DerivativeArgument(builder, activation.kind));
    ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", ActivateBackward{activation}, {v, gradient}));
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

// ---- Product.

bool IsGate(const Dims& a, const Dims& b) { return a != b; }

absl::StatusOr<std::vector<Type>> InferMul(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  const Dims& a = inputs[0].dims;
  if (IsGate(a, inputs[1].dims)) {
    RETURN_IF_ERROR(ops::ExpectRank("the scaled input", inputs[0], 4));
    RETURN_IF_ERROR(ops::ExpectDims("the gate", inputs[1], {a[0], a[1], 1, 1}));
  }
  return std::vector<Type>{{inputs[0].dtype, a}};
}

absl::Status GradientMul(GradientBuilder& builder) {
  const ValueId a = builder.input(0), b = builder.input(1), dy = builder.dy();
  if (builder.wants(0)) {
    ASSIGN_OR_RETURN(const auto da, builder.Add("da", Mul{}, {dy, b}));
    builder.Set(0, da[0]);
  }
  if (builder.wants(1)) {
    const bool gate = IsGate(builder.input_type(0).dims, builder.input_type(1).dims);
    const Attrs attrs = gate ? Attrs(GateBackward{}) : Attrs(Mul{});
    ASSIGN_OR_RETURN(const auto db, builder.Add("db", attrs, {a, dy}));
    builder.Set(1, db[0]);
  }
  return absl::OkStatus();
}

void ReferenceMul(const Node&, absl::Span<const TensorView> in, absl::Span<const TensorView> out) {
  const int64_t repeat = in[0].count() / in[1].count();
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      out[0].as<T>()[i] = in[0].as<T>()[i] * in[1].as<T>()[i / repeat];
    }
  });
}

absl::StatusOr<std::vector<Type>> InferGateBackward(const Node&, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectRank("input", inputs[0], 4));
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[1], inputs[0].dims));
  return std::vector<Type>{{inputs[0].dtype, {inputs[0].dims[0], inputs[0].dims[1], 1, 1}}};
}

void ReferenceGateBackward(const Node&, absl::Span<const TensorView> in,
                           absl::Span<const TensorView> out) {
  const int64_t plane = in[0].count() / out[0].count();
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < out[0].count(); ++i) {
      double sum = 0;
      for (int64_t p = i * plane; p < (i + 1) * plane; ++p) {
        sum += static_cast<double>(in[0].as<T>()[p]) * static_cast<double>(in[1].as<T>()[p]);
      }
      out[0].as<T>()[i] = static_cast<T>(sum);
    }
  });
}

}  // namespace

const OpDef& OpOf(const Mul&) {
  static constexpr OpDef op = {"Mul", InferMul, ops::NoFlops, GradientMul, ReferenceMul};
  return op;
}

const OpDef& OpOf(const GateBackward&) {
  static constexpr OpDef op = {"GateBackward", InferGateBackward, ops::NoFlops, ops::NoGradient,
                               ReferenceGateBackward};
  return op;
}

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
