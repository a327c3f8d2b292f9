#include "core/ops/infer.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"

namespace fovea::ops {

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBF16 ||
         dtype == DType::kF16;
}

absl::Status ExpectInputs(absl::Span<const Type> inputs, size_t count) {
  if (inputs.size() == count) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("found ", inputs.size(), " inputs, expected ", count));
}

absl::Status ExpectOneFloat(absl::Span<const Type> inputs, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!IsFloat(inputs[i].dtype)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input ", i, " is ", DTypeName(inputs[i].dtype), ", expected a floating-point type"));
    }
    if (inputs[i].dtype != inputs[0].dtype) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ",
                                                     DTypeName(inputs[i].dtype), ", input 0 is ",
                                                     DTypeName(inputs[0].dtype)));
    }
  }
  return absl::OkStatus();
}

DType ParameterType(DType dtype) {
  return dtype == DType::kBF16 || dtype == DType::kF16 ? DType::kF32 : dtype;
}

absl::Status ExpectParameters(absl::Span<const Type> inputs, size_t first, size_t last) {
  for (size_t i = first; i < last; ++i) {
    if (inputs[i].dtype == ParameterType(inputs[0].dtype)) continue;
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", DTypeName(inputs[i].dtype),
                                                   ", input 0 is ", DTypeName(inputs[0].dtype)));
  }
  return absl::OkStatus();
}

absl::Status ExpectRank(absl::string_view what, const Type& type, int rank) {
  if (type.dims.rank() == rank) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", type.dims.ToString(), ", expected rank ", rank));
}

absl::Status ExpectRankAtLeast(absl::string_view what, const Type& type, int rank) {
  if (type.dims.rank() >= rank) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", type.dims.ToString(), ", expected rank ", rank, " or more"));
}

absl::Status ExpectDims(absl::string_view what, const Type& type, const Dims& expected) {
  if (type.dims == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", type.dims.ToString(), ", expected ", expected.ToString()));
}

absl::Status ExpectDType(absl::string_view what, const Type& type, DType expected) {
  if (type.dtype == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", DTypeName(type.dtype), ", expected ", DTypeName(expected)));
}

absl::Status ExpectQuantized(absl::string_view what, DType found) {
  if (found == DType::kU8 || found == DType::kI8) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", DTypeName(found), ", expected u8 or i8"));
}

absl::Status ExpectScales(const Node& node, int64_t count) {
  if (static_cast<int64_t>(node.constants.size()) != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", node.constants.size(), " scales, expected ", count));
  }
  for (float scale : node.constants) {
    if (scale > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("scale ", scale, ", expected more than 0"));
  }
  return absl::OkStatus();
}

absl::Status ExpectActivation(const ActivationSpec& activation) {
  if (activation.kind == Activation::kLeakyRelu && activation.alpha < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the slope of leaky_relu is ", activation.alpha, ", expected at least 0"));
  }
  if (activation.kind == Activation::kElu && !(activation.alpha > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("alpha of elu is ", activation.alpha, ", expected above 0"));
  }
  if (activation.kind == Activation::kHardSigmoid && !(activation.alpha > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("alpha of hard_sigmoid is ", activation.alpha, ", expected above 0"));
  }
  if (activation.kind == Activation::kClip && !(activation.alpha < activation.beta)) {
    return absl::InvalidArgumentError(absl::StrCat("the bounds of clip are ", activation.alpha,
                                                   " and ", activation.beta,
                                                   ", expected the lower one first"));
  }
  return absl::OkStatus();
}

absl::Status ExpectClassWeights(const Node& node, int64_t count) {
  const int64_t found = static_cast<int64_t>(node.constants.size());
  if (found == 0 || found == count) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("found ", found, " class weights, expected none or ", count));
}

namespace {

absl::Status CheckWindow(const Window& window, int axis) {
  if (window.kernel[axis] < 1 || window.stride[axis] < 1 || window.dilation[axis] < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("window has kernel ", window.kernel[axis], ", stride ", window.stride[axis],
                     " and dilation ", window.dilation[axis], ", expected at least 1"));
  }
  if (window.pad[axis] < 0 || window.pad[axis + 2] < 0) {
    return absl::InvalidArgumentError(absl::StrCat("padding is ", window.pad[axis], " and ",
                                                   window.pad[axis + 2], ", expected at least 0"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> WindowExtent(const Window& window, int axis, int64_t extent, bool ceil) {
  RETURN_IF_ERROR(CheckWindow(window, axis));
  const int64_t dilated = int64_t{window.dilation[axis]} * (window.kernel[axis] - 1) + 1;
  const int64_t before = window.pad[axis], after = window.pad[axis + 2];
  const int64_t room = extent + before + after - dilated;
  if (room < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a window of ", axis == 0 ? "height " : "width ",
                                                   dilated, " does not fit an input of ", extent,
                                                   " with padding ", before, " and ", after));
  }
  const int64_t stride = window.stride[axis];
  if (!ceil) return room / stride + 1;
  const int64_t rounded_up = (room + stride - 1) / stride + 1;
  return (rounded_up - 1) * stride >= extent + before ? rounded_up - 1 : rounded_up;
}

absl::Status NoGradient(GradientBuilder& builder) {
  return absl::UnimplementedError(absl::StrCat(
      OpOf(builder.node().attrs).name, " \"", builder.node().name,
      "\" has no gradient; a training graph differentiates the training form of an op, or its "
      "fused loss"));
}

}  // namespace fovea::ops
