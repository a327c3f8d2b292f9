// PairDifference ↔ Split in halves along axis 1, and Sub of the first from the second.
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"

namespace fovea {

absl::Status ToOnnx(const PairDifference&, const Node& node, OnnxWriter& writer) {
  const int64_t labels = writer.graph().type(node.outputs[0]).dims[1];
  const std::string halves = writer.AddInts(node.name + "/halves", {labels, labels});
  onnx::NodeProto* split = nullptr;
  const std::string absent =
      writer.AddStage("Split", node, node.name + "/split", {writer.name(node.inputs[0]), halves},
                      /*last=*/false, &split);
  SetInt(*split, "axis", 1);
  const std::string present = writer.AddOutput(*split, node.name + "/split/present");
  writer.AddStage("Sub", node, node.name, {present, absent}, /*last=*/true);
  return absl::OkStatus();
}

absl::Status FromSplit(NodeReader& node) {
  const absl::Status other = absl::UnimplementedError(
      "a Split that is not in two halves along axis 1, the first subtracted from the second");
  const onnx::NodeProto &split = node.proto(), *sub = node.Next(1);
  if (split.output_size() != 2 || sub == nullptr || sub->op_type() != "Sub" ||
      sub->input_size() != 2 || sub->input(0) != split.output(1) ||
      sub->input(1) != split.output(0)) {
    return other;
  }
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const int64_t axis, node.Int("axis", 0));
  const Dims& dims = node.dims(x);
  if (dims.rank() != 2 || (axis != 1 && axis != -1) || dims[1] % 2 != 0) return other;
  std::vector<int64_t> sizes = {dims[1] / 2, dims[1] / 2};
  if (node.HasInput(1)) {
    ASSIGN_OR_RETURN(sizes, node.Ints(1));
  } else {
    ASSIGN_OR_RETURN(sizes, node.IntList("split", sizes));  // an attribute before opset 13
  }
  if (sizes != std::vector<int64_t>(2, dims[1] / 2)) return other;
  return node.Produce(PairDifference{}, {x}, {}, /*ahead=*/1);
}

}  // namespace fovea
