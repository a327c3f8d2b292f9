// Conv ↔ Conv; ConvTranspose ↔ ConvTranspose; Dense ↔ Gemm, and MatMul with constant weights.

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"

namespace fovea {

namespace {

// Two numbers within bounds, from an attribute of one or two axes.
absl::StatusOr<std::array<int32_t, 2>> Pair(const char* what, const std::vector<int64_t>& values) {
  if (values.size() != 2) {
    return absl::UnimplementedError(
        absl::StrCat(what, " of ", values.size(), " axes, expected height and width"));
  }
  for (int64_t value : values) {
    if (value < 1 || value > kMaxExtent) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " is ", value, ", expected 1 to ", kMaxExtent));
    }
  }
  return std::array<int32_t, 2>{static_cast<int32_t>(values[0]), static_cast<int32_t>(values[1])};
}

// auto_pad SAME: output extent is ceil(input / stride); an odd pixel of padding goes to the end
// (UPPER) or to the start (LOWER).
void PadSame(const Dims& x, bool upper, Window& window) {
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t in = x[2 + axis], stride = window.stride[axis];
    const int64_t reach = int64_t{window.kernel[axis] - 1} * window.dilation[axis] + 1;
    const int64_t out = (in + stride - 1) / stride;
    const int64_t total = std::max<int64_t>(0, (out - 1) * stride + reach - in);
    const int64_t small = total / 2, large = total - small;
    window.pad[axis] = static_cast<int32_t>(upper ? small : large);
    window.pad[2 + axis] = static_cast<int32_t>(upper ? large : small);
  }
}

absl::Status SetPads(const NodeReader& node, const Dims& x, Window& window) {
  ASSIGN_OR_RETURN(const std::string automatic, node.String("auto_pad", "NOTSET"));
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    PadSame(x, automatic == "SAME_UPPER", window);
    return absl::OkStatus();
  }
  if (automatic == "VALID") return absl::OkStatus();
  if (automatic != "NOTSET") {
    return absl::DataLossError(absl::StrCat("auto_pad \"", automatic, "\""));
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> pads, node.IntList("pads", {0, 0, 0, 0}));
  if (pads.size() != 4) {
    return absl::UnimplementedError(
        absl::StrCat("pads [", absl::StrJoin(pads, ","), "], expected four"));
  }
  for (int i = 0; i < 4; ++i) {
    if (pads[i] < 0 || pads[i] > kMaxExtent) {
      return absl::InvalidArgumentError(
          absl::StrCat("pad is ", pads[i], ", expected 0 to ", kMaxExtent));
    }
    window.pad[i] = static_cast<int32_t>(pads[i]);
  }
  return absl::OkStatus();
}

absl::Status RequireAttribute(const NodeReader& node, const char* name, float expected,
                              float otherwise) {
  ASSIGN_OR_RETURN(const float found, node.Float(name, otherwise));
  if (found == expected) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(name, " ", found, ", expected ", expected));
}

}  // namespace

absl::StatusOr<Window> WindowOf(const NodeReader& node, const Dims& x,
                                const std::vector<int64_t>& kernel) {
  if (x.rank() != 4) {
    return absl::UnimplementedError(absl::StrCat("input ", x.ToString(), ", expected [N,C,H,W]"));
  }
  Window window;
  ASSIGN_OR_RETURN(const std::vector<int64_t> strides, node.IntList("strides", {1, 1}));
  ASSIGN_OR_RETURN(const std::vector<int64_t> dilations, node.IntList("dilations", {1, 1}));
  ASSIGN_OR_RETURN(window.kernel, Pair("kernel", kernel));
  ASSIGN_OR_RETURN(window.stride, Pair("stride", strides));
  ASSIGN_OR_RETURN(window.dilation, Pair("dilation", dilations));
  RETURN_IF_ERROR(SetPads(node, x, window));
  return window;
}

void SetWindow(const Window& window, onnx::NodeProto& proto) {
  const std::vector<int64_t> kernel(window.kernel.begin(), window.kernel.end());
  const std::vector<int64_t> stride(window.stride.begin(), window.stride.end());
  const std::vector<int64_t> pad(window.pad.begin(), window.pad.end());
  SetInts(proto, "kernel_shape", kernel);
  SetInts(proto, "strides", stride);
  SetInts(proto, "pads", pad);
  if (window.dilation != std::array<int32_t, 2>{1, 1}) {
    SetInts(proto, "dilations", {window.dilation[0], window.dilation[1]});
  }
}

absl::Status ToOnnx(const Conv& op, const Node& node, OnnxWriter& writer) {
  onnx::NodeProto* proto = nullptr;
  RETURN_IF_ERROR(AddWithEpilogue("Conv", node, writer.Inputs(node, op.has_bias ? 3 : 2),
                                  op.has_residual, op.activation, writer, &proto));
  SetWindow(op.window, *proto);
  SetInt(*proto, "group", op.group);
  return absl::OkStatus();
}

absl::Status FromConv(NodeReader& node) {
  Conv op;
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const Dims weight, node.ConstantDims(1));
  if (weight.rank() != 4) {
    return absl::UnimplementedError(
        absl::StrCat("weight ", weight.ToString(), ", expected [O,I,KH,KW]"));
  }
  ASSIGN_OR_RETURN(op.window, WindowOf(node, node.dims(x), {weight[2], weight[3]}));
  ASSIGN_OR_RETURN(const int64_t group, node.Int("group", 1));
  if (group < 1 || group > kMaxExtent) {
    return absl::InvalidArgumentError(
        absl::StrCat("group is ", group, ", expected 1 to ", kMaxExtent));
  }
  op.group = static_cast<int32_t>(group);
  op.has_bias = node.HasInput(2);
  ASSIGN_OR_RETURN(const ValueId w, node.Weight(1, Role::kParameter));
  if (!op.has_bias) return node.Produce(op, {x, w});
  ASSIGN_OR_RETURN(const ValueId bias, node.Weight(2, Role::kParameter));
  return node.Produce(op, {x, w, bias});
}

absl::Status ToOnnx(const ConvTranspose& op, const Node& node, OnnxWriter& writer) {
  onnx::NodeProto& proto = writer.AddNode("ConvTranspose", node, writer.Inputs(node));
  SetWindow(op.window, proto);
  SetInt(proto, "group", op.group);
  if (op.output_pad != std::array<int32_t, 2>{0, 0}) {
    SetInts(proto, "output_padding", {op.output_pad[0], op.output_pad[1]});
  }
  return absl::OkStatus();
}

absl::Status FromConvTranspose(NodeReader& node) {
  ConvTranspose op;
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const Dims weight, node.ConstantDims(1));
  if (weight.rank() != 4) {
    return absl::UnimplementedError(
        absl::StrCat("weight ", weight.ToString(), ", expected [I,O,KH,KW]"));
  }
  ASSIGN_OR_RETURN(const std::string automatic, node.String("auto_pad", "NOTSET"));
  ASSIGN_OR_RETURN(const std::vector<int64_t> shape, node.IntList("output_shape", {}));
  if (automatic != "NOTSET" || !shape.empty()) {
    return absl::UnimplementedError("auto_pad and output_shape of a transposed convolution");
  }
  ASSIGN_OR_RETURN(op.window, WindowOf(node, node.dims(x), {weight[2], weight[3]}));
  ASSIGN_OR_RETURN(const int64_t group, node.Int("group", 1));
  ASSIGN_OR_RETURN(const std::vector<int64_t> pad, node.IntList("output_padding", {0, 0}));
  if (group < 1 || group > kMaxExtent || pad.size() != 2 || pad[0] < 0 || pad[1] < 0 ||
      std::max(pad[0], pad[1]) > kMaxExtent) {
    return absl::InvalidArgumentError(absl::StrCat("group is ", group, " and output_padding [",
                                                   absl::StrJoin(pad, ","), "], expected group 1 ",
                                                   "to ", kMaxExtent, " and two paddings"));
  }
  op.group = static_cast<int32_t>(group);
  op.output_pad = {static_cast<int32_t>(pad[0]), static_cast<int32_t>(pad[1])};
  op.has_bias = node.HasInput(2);
  ASSIGN_OR_RETURN(const ValueId w, node.Weight(1, Role::kParameter));
  if (!op.has_bias) return node.Produce(op, {x, w});
  ASSIGN_OR_RETURN(const ValueId bias, node.Weight(2, Role::kParameter));
  return node.Produce(op, {x, w, bias});
}

absl::Status ToOnnx(const Dense& op, const Node& node, OnnxWriter& writer) {
  onnx::NodeProto* proto = nullptr;
  RETURN_IF_ERROR(AddWithEpilogue("Gemm", node, writer.Inputs(node, op.has_bias ? 3 : 2),
                                  op.has_residual, op.activation, writer, &proto));
  SetInt(*proto, "transB", 1);
  return absl::OkStatus();
}

absl::Status FromGemm(NodeReader& node) {
  RETURN_IF_ERROR(RequireAttribute(node, "alpha", 1, 1));
  RETURN_IF_ERROR(RequireAttribute(node, "beta", 1, 1));
  ASSIGN_OR_RETURN(const int64_t transposed_x, node.Int("transA", 0));
  if (transposed_x != 0) return absl::UnimplementedError("transA");
  ASSIGN_OR_RETURN(const int64_t transposed_w, node.Int("transB", 0));
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const ValueId w, node.Weight(1, Role::kParameter, transposed_w == 0));
  Dense op;
  op.has_bias = node.HasInput(2);
  if (!op.has_bias) return node.Produce(op, {x, w});
  ASSIGN_OR_RETURN(const ValueId bias, node.Weight(2, Role::kParameter));
  return node.Produce(op, {x, w, bias});
}

absl::Status FromMatMul(NodeReader& node) {
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const ValueId w, node.Weight(1, Role::kParameter, /*transpose=*/true));
  return node.Produce(Dense{}, {x, w});
}

}  // namespace fovea
