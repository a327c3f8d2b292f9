// Reshape ↔ Reshape; Concat ↔ Concat; Flatten, Identity and Constant come in only.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"

namespace fovea {

namespace {

// The dims of a Reshape that keeps the batch, whatever the batch is. A shape written for one batch
// size ([1,−1], or [−1,64] where 64 is one example) means the same as [0,…].
absl::StatusOr<Dims> BatchFreeDims(std::vector<int64_t> shape, const Dims& x) {
  const absl::Status other = absl::UnimplementedError(
      absl::StrCat("reshape of ", x.ToString(), " to [", absl::StrJoin(shape, ","),
                   "], expected at most ", Dims::kMaxRank, " axes, the first being the batch"));
  if (shape.empty() || shape.size() > Dims::kMaxRank) return other;
  int64_t rest = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < -1 || shape[axis] > kMaxElements) return other;
    if (axis == 0 || shape[axis] <= 0) continue;
    if (__builtin_mul_overflow(rest, shape[axis], &rest) || rest > kMaxElements) return other;
  }
  const bool open = std::count(shape.begin() + 1, shape.end(), -1) > 0;
  const bool copies = std::count(shape.begin() + 1, shape.end(), 0) > 0;
  if (shape[0] == -1 && !open && !copies && rest * x[0] == x.count()) shape[0] = 0;
  if (shape[0] == x[0]) shape[0] = 0;
  if (shape[0] != 0) return other;
  return Dims(absl::MakeConstSpan(shape));
}

}  // namespace

absl::Status ToOnnx(const Reshape& op, const Node& node, OnnxWriter& writer) {
  const std::string shape = writer.AddInts(node.name + "/shape", op.dims.extents());
  writer.AddNode("Reshape", node, {writer.name(node.inputs[0]), shape});
  return absl::OkStatus();
}

absl::Status ToOnnx(const Concat&, const Node& node, OnnxWriter& writer) {
  SetInt(writer.AddNode("Concat", node, writer.Inputs(node)), "axis", 1);
  return absl::OkStatus();
}

absl::Status FromConcat(NodeReader& node) {
  std::vector<ValueId> inputs;
  for (int i = 0; i < node.proto().input_size(); ++i) {
    ASSIGN_OR_RETURN(inputs.emplace_back(), node.Input(i));
  }
  if (inputs.empty()) return absl::DataLossError("no inputs");
  ASSIGN_OR_RETURN(const int64_t axis, node.Int("axis", 1));
  if (axis != 1 && axis != 1 - node.dims(inputs[0]).rank()) {
    return absl::UnimplementedError(absl::StrCat("axis ", axis, ", expected 1"));
  }
  if (inputs.size() == 1) return node.Alias(inputs[0]);
  return node.Produce(Concat{}, inputs);
}

absl::Status FromReshape(NodeReader& node) {
  if (BeginsGroupNorm(node)) return FromGroupNorm(node);
  ASSIGN_OR_RETURN(const int64_t allow_zero, node.Int("allowzero", 0));
  if (allow_zero != 0) return absl::UnimplementedError("allowzero");
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(std::vector<int64_t> shape, node.Ints(1));
  ASSIGN_OR_RETURN(const Dims dims, BatchFreeDims(std::move(shape), node.dims(x)));
  return node.Produce(Reshape{dims}, {x});
}

absl::Status FromFlatten(NodeReader& node) {
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const int64_t axis, node.Int("axis", 1));
  if (axis != 1 && axis != 1 - node.dims(x).rank()) {
    return absl::UnimplementedError(absl::StrCat("axis ", axis, ", expected 1"));
  }
  return node.Produce(Reshape{{0, -1}}, {x});
}

absl::Status FromIdentity(NodeReader& node) {
  if (node.IsConstant(0)) return node.AliasConstant();
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  return node.Alias(x);
}

absl::Status FromConstant(NodeReader& node) {
  for (const auto& attribute : node.proto().attribute()) {
    if (attribute.name() != "value") continue;
    if (!attribute.has_t()) return absl::DataLossError("attribute \"value\" is not a tensor");
    node.DefineConstant(attribute.t());
    return absl::OkStatus();
  }
  return absl::UnimplementedError("a constant without the attribute \"value\"");
}

}  // namespace fovea
