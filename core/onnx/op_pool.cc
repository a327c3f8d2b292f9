// Pool ↔ MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool.

#include <array>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"

namespace fovea {

namespace {

constexpr std::array<int32_t, 2> kAdjacent = {1, 1};

absl::Status FromPool(NodeReader& node, PoolKind kind) {
  Pool op;
  op.kind = kind;
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> kernel, node.IntList("kernel_shape", {}));
  ASSIGN_OR_RETURN(op.window, WindowOf(node, node.dims(x), kernel));
  ASSIGN_OR_RETURN(const int64_t ceil, node.Int("ceil_mode", 0));
  ASSIGN_OR_RETURN(const int64_t count_include_pad, node.Int("count_include_pad", 0));
  op.ceil = ceil != 0;
  op.count_include_pad = op.kind == PoolKind::kAverage && count_include_pad != 0;
  return node.Produce(op, {x});
}

absl::Status FromGlobalPool(NodeReader& node, PoolKind kind) {
  Pool op;
  op.kind = kind;
  op.global = true;
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  return node.Produce(op, {x});
}

}  // namespace

absl::Status ToOnnx(const Pool& op, const Node& node, OnnxWriter& writer) {
  if (op.training) return absl::UnimplementedError("a training pool has no ONNX form");
  const bool max = op.kind == PoolKind::kMax;
  if (op.global) {
    writer.AddNode(max ? "GlobalMaxPool" : "GlobalAveragePool", node, writer.Inputs(node));
    return absl::OkStatus();
  }
  if (!max && op.window.dilation != kAdjacent) {
    return absl::UnimplementedError("a dilated average pool has no ONNX form in opset 13");
  }
  onnx::NodeProto& proto =
      writer.AddNode(max ? "MaxPool" : "AveragePool", node, writer.Inputs(node));
  SetWindow(op.window, proto);
  if (op.ceil) SetInt(proto, "ceil_mode", 1);
  if (!max && op.count_include_pad) SetInt(proto, "count_include_pad", 1);
  return absl::OkStatus();
}

absl::Status FromMaxPool(NodeReader& node) { return FromPool(node, PoolKind::kMax); }
absl::Status FromAveragePool(NodeReader& node) { return FromPool(node, PoolKind::kAverage); }
absl::Status FromGlobalMaxPool(NodeReader& node) { return FromGlobalPool(node, PoolKind::kMax); }
absl::Status FromGlobalAveragePool(NodeReader& node) {
  return FromGlobalPool(node, PoolKind::kAverage);
}

}  // namespace fovea
