// What changes form and not meaning: reshape, layout, dtype, pixels to floats, constants.
#include <cstring>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/quantized.h"
#include "core/ops/reference.h"
#include "core/tensor/half.h"

namespace fovea {
namespace {

void CopyElements(const Node&, absl::Span<const TensorView> in, absl::Span<const TensorView> out) {
  std::memcpy(out[0].data, in[0].data, in[0].type.dense_bytes());
}

// ---- Reshape.

absl::StatusOr<Dims> ResolveReshape(const Dims& asked, const Dims& x) {
  Dims dims;
  int free_axis = -1;
  for (int axis = 0; axis < asked.rank(); ++axis) {
    if (asked[axis] == 0 && axis >= x.rank()) {
      return absl::InvalidArgumentError(
          absl::StrCat("axis ", axis, " keeps its extent, input ", x.ToString(), " has none"));
    }
    if (asked[axis] < -1 || (asked[axis] == -1 && free_axis >= 0)) {
      return absl::InvalidArgumentError(absl::StrCat("dims are ", asked.ToString(),
                                                     ", expected extents, 0, and -1 at most once"));
    }
    if (asked[axis] == -1) free_axis = axis;
    dims.Append(asked[axis] == 0 ? x[axis] : asked[axis] == -1 ? 1 : asked[axis]);
  }
  const int64_t known = dims.count();
  if (free_axis >= 0 && known > 0 && x.count() % known == 0) dims[free_axis] = x.count() / known;
  if (dims.count() != x.count()) {
    return absl::InvalidArgumentError(absl::StrCat("dims are ", asked.ToString(), ", input ",
                                                   x.ToString(), " has ", x.count(), " elements"));
  }
  return dims;
}

absl::StatusOr<std::vector<Type>> InferReshape(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  ASSIGN_OR_RETURN(const Dims dims,
                   ResolveReshape(std::get<Reshape>(node.attrs).dims, inputs[0].dims));
  return std::vector<Type>{{inputs[0].dtype, dims}};
}

// Back to the dims of x; where the batch stays the first axis it is kept, not written down.
absl::Status GradientReshape(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  Dims dims = builder.input_type(0).dims;
  const Dims& y = builder.graph().type(builder.output(0)).dims;
  if (dims.rank() > 0 && y.rank() > 0 && dims[0] == y[0]) dims[0] = 0;
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", Reshape{dims}, {builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

// ---- Reorder.

absl::StatusOr<std::vector<Type>> InferReorder(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  Type type = inputs[0];
  type.layout = std::get<Reorder>(node.attrs).layout;
  return std::vector<Type>{type};
}

absl::Status GradientReorder(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  const Reorder op = {builder.input_type(0).layout};
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", op, {builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

// ---- Cast.

absl::StatusOr<std::vector<Type>> InferCast(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  const DType dtype = std::get<Cast>(node.attrs).dtype;
  if (!ops::IsFloat(dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the target is ", DTypeName(dtype), ", expected a floating-point type"));
  }
  return std::vector<Type>{{dtype, inputs[0].dims}};
}

absl::Status GradientCast(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto dx,
                   builder.Add("dx", Cast{builder.input_type(0).dtype}, {builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

double Element(const TensorView& x, int64_t i) {
  switch (x.type.dtype) {
    case DType::kF32:
      return x.as<float>()[i];
    case DType::kF64:
      return x.as<double>()[i];
    case DType::kU8:
      return x.as<uint8_t>()[i];
    case DType::kI8:
      return x.as<int8_t>()[i];
    case DType::kI32:
      return x.as<int32_t>()[i];
    case DType::kI64:
      return static_cast<double>(x.as<int64_t>()[i]);
    case DType::kBF16:
      return ToFloat(x.as<Bf16>()[i]);
    case DType::kF16:
      return FromF16Bits(x.as<uint16_t>()[i]);
  }
  CHECK(false);
}

void SetElement(const TensorView& y, int64_t i, double value) {
  switch (y.type.dtype) {
    case DType::kF64:
      y.as<double>()[i] = value;
      return;
    case DType::kF32:
      y.as<float>()[i] = static_cast<float>(value);
      return;
    case DType::kBF16:
      y.as<Bf16>()[i] = FromFloat<Bf16>(static_cast<float>(value));
      return;
    case DType::kF16:
      y.as<uint16_t>()[i] = F16Bits(static_cast<float>(value));
      return;
    default:
      CHECK(false);
  }
}

void ReferenceCast(const Node&, absl::Span<const TensorView> in, absl::Span<const TensorView> out) {
  for (int64_t i = 0; i < out[0].count(); ++i) SetElement(out[0], i, Element(in[0], i));
}

// ---- Normalize.

absl::StatusOr<std::vector<Type>> InferNormalize(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectDType("pixels", inputs[0], DType::kU8));
  RETURN_IF_ERROR(ops::ExpectRank("pixels", inputs[0], 4));
  const DType dtype = std::get<Normalize>(node.attrs).dtype;
  const bool quantised = dtype == DType::kI8;
  if (!ops::IsFloat(dtype) && !quantised) {
    return absl::InvalidArgumentError(
        absl::StrCat("the result is ", DTypeName(dtype), ", expected a floating-point type or i8"));
  }
  const Dims& x = inputs[0].dims;
  const size_t channels = static_cast<size_t>(x[3]);
  if (node.constants.size() != 2 * channels + quantised) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", node.constants.size(), " constants, expected ", channels,
                     " means and as many standard deviations", quantised ? ", and a scale" : ""));
  }
  for (size_t c = channels; c < node.constants.size(); ++c) {
    if (node.constants[c] > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(c < 2 * channels ? "standard deviation " : "scale ", node.constants[c],
                     ", expected more than 0"));
  }
  return std::vector<Type>{{dtype, {x[0], x[3], x[1], x[2]}}};
}

void ReferenceNormalize(const Node& node, absl::Span<const TensorView> in,
                        absl::Span<const TensorView> out) {
  const Dims& x = in[0].type.dims;
  const int64_t channels = x[3], plane = x[1] * x[2];
  const float scale = out[0].type.dtype == DType::kI8 ? node.constants.back() : 1;
  for (int64_t i = 0; i < in[0].count(); ++i) {
    const int64_t c = i % channels, pixel = i / channels;
    const int64_t n = pixel / plane, at = pixel % plane;
    const double fraction = in[0].as<uint8_t>()[i] / 255.0;
    ops::StoreQuantized(out[0], (n * channels + c) * plane + at,
                        (fraction - node.constants[c]) / node.constants[channels + c], scale);
  }
}

// ---- Fill.

absl::StatusOr<std::vector<Type>> InferFill(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 0));
  const DType dtype = std::get<Fill>(node.attrs).dtype;
  if (!ops::IsFloat(dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the result is ", DTypeName(dtype), ", expected a floating-point type"));
  }
  return std::vector<Type>{{dtype, {1}}};
}

void ReferenceFill(const Node& node, absl::Span<const TensorView>,
                   absl::Span<const TensorView> out) {
  ops::DispatchFloat(out[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    *out[0].as<T>() = static_cast<T>(std::get<Fill>(node.attrs).value);
  });
}

}  // namespace

const OpDef& OpOf(const Reshape&) {
  static constexpr OpDef op = {"Reshape", InferReshape, ops::NoFlops, GradientReshape,
                               CopyElements};
  return op;
}

const OpDef& OpOf(const Reorder&) {
  static constexpr OpDef op = {"Reorder", InferReorder, ops::NoFlops, GradientReorder,
                               CopyElements};
  return op;
}

const OpDef& OpOf(const Cast&) {
  static constexpr OpDef op = {"Cast", InferCast, ops::NoFlops, GradientCast, ReferenceCast};
  return op;
}

const OpDef& OpOf(const Normalize&) {
  static constexpr OpDef op = {"Normalize", InferNormalize, ops::NoFlops, nullptr,
                               ReferenceNormalize};
  return op;
}

const OpDef& OpOf(const Fill&) {
  static constexpr OpDef op = {"Fill", InferFill, ops::NoFlops, nullptr, ReferenceFill};
  return op;
}

}  // namespace fovea
