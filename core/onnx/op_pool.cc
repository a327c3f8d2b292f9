// Pool ↔ MaxPool, AveragePool, LpPool, GlobalMaxPool, GlobalAveragePool, GlobalLpPool.

#include <array>
#include <string>

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

absl::Status RequireSquares(const NodeReader& node) {
  ASSIGN_OR_RETURN(const int64_t p, node.Int("p", 2));
  if (p == 2) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("p ", p, ", expected 2"));
}

}  // namespace

absl::Status ToOnnx(const Pool& op, const Node& node, OnnxWriter& writer) {
  if (op.training) return absl::UnimplementedError("a training pool has no ONNX form");
  const bool max = op.kind == PoolKind::kMax, l2 = op.kind == PoolKind::kL2;
  const std::string type = max ? "MaxPool" : l2 ? "LpPool" : "AveragePool";
  if (op.global) {
    onnx::NodeProto& proto = writer.AddNode(("Global" + type).c_str(), node, writer.Inputs(node));
    if (l2) SetInt(proto, "p", 2);
    return absl::OkStatus();
  }
  if (!max && op.window.dilation != kAdjacent) {
    return absl::UnimplementedError("a dilated average or L2 pool has no ONNX form in opset 13");
  }
  if (l2 && op.ceil) {
    return absl::UnimplementedError("an L2 pool that rounds up has no ONNX form in opset 13");
  }
  onnx::NodeProto& proto = writer.AddNode(type.c_str(), node, writer.Inputs(node));
  SetWindow(op.window, proto);
  if (l2) SetInt(proto, "p", 2);
  if (op.ceil) SetInt(proto, "ceil_mode", 1);
  if (op.kind == PoolKind::kAverage && op.count_include_pad) SetInt(proto, "count_include_pad", 1);
  return absl::OkStatus();
}

absl::Status FromMaxPool(NodeReader& node) { return FromPool(node, PoolKind::kMax); }
absl::Status FromAveragePool(NodeReader& node) { return FromPool(node, PoolKind::kAverage); }
absl::Status FromGlobalMaxPool(NodeReader& node) { return FromGlobalPool(node, PoolKind::kMax); }
absl::Status FromGlobalAveragePool(NodeReader& node) {
  return FromGlobalPool(node, PoolKind::kAverage);
}

absl::Status FromLpPool(NodeReader& node) {
  RETURN_IF_ERROR(RequireSquares(node));
  return FromPool(node, PoolKind::kL2);
}
absl::Status FromGlobalLpPool(NodeReader& node) {
  RETURN_IF_ERROR(RequireSquares(node));
  return FromGlobalPool(node, PoolKind::kL2);
}

}  // namespace fovea
