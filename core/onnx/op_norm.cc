// BatchNorm ↔ BatchNormalization; GroupNorm ↔ InstanceNormalization, or Reshape,
// InstanceNormalization, Reshape, Mul, Add; LocalResponseNorm ↔ LRN; Normalize ↔ Cast, Transpose,
// Div, Sub, Div; Softmax; Dropout.

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"

namespace fovea {

namespace {

constexpr float kFullScale = 255;
// In the seed of a Dropout, above the salt: it drops whole examples. ONNX reads a seed in training
// only.
constexpr int64_t kWholeExamples = int64_t{1} << 32;

}  // namespace

absl::Status ToOnnx(const BatchNorm& op, const Node& node, OnnxWriter& writer) {
  onnx::NodeProto& proto = writer.AddNode("BatchNormalization", node, writer.Inputs(node));
  SetFloat(proto, "epsilon", op.epsilon);
  SetFloat(proto, "momentum", op.momentum);
  return absl::OkStatus();
}

absl::Status FromBatchNormalization(NodeReader& node) {
  ASSIGN_OR_RETURN(const int64_t training, node.Int("training_mode", 0));
  if (training != 0) return absl::UnimplementedError("training_mode");
  ASSIGN_OR_RETURN(const int64_t spatial, node.Int("spatial", 1));
  if (spatial != 1) return absl::UnimplementedError(absl::StrCat("spatial ", spatial));
  BatchNorm op;
  ASSIGN_OR_RETURN(op.epsilon, node.Float("epsilon", 1e-5f));
  ASSIGN_OR_RETURN(op.momentum, node.Float("momentum", 0.9f));
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const ValueId scale, node.Weight(1, Role::kParameter));
  ASSIGN_OR_RETURN(const ValueId shift, node.Weight(2, Role::kParameter));
  ASSIGN_OR_RETURN(const ValueId mean, node.Weight(3, Role::kState));
  ASSIGN_OR_RETURN(const ValueId variance, node.Weight(4, Role::kState));
  return node.Produce(op, {x, scale, shift, mean, variance});
}

absl::Status ToOnnx(const GroupNorm& op, const Node& node, OnnxWriter& writer) {
  const Dims& x = writer.graph().type(node.inputs[0]).dims;
  onnx::NodeProto* proto = nullptr;
  if (x.rank() == 4 && op.groups == x[1]) {
    SetFloat(writer.AddNode("InstanceNormalization", node, writer.Inputs(node)), "epsilon",
             op.epsilon);
    return absl::OkStatus();
  }
  const std::string& n = node.name;
  const std::string scale = PerChannel(node.inputs[1], x.rank(), node, n + "/scale", writer);
  const std::string shift = PerChannel(node.inputs[2], x.rank(), node, n + "/shift", writer);
  const std::vector<float> ones(op.groups, 1.0f), zeros(op.groups, 0.0f);
  const int64_t groups[] = {op.groups};
  std::vector<int64_t> shape(x.extents().begin(), x.extents().end());
  shape[0] = 0;
  const std::string split = writer.AddInts(n + "/groups", {0, op.groups, -1});
  const std::string whole = writer.AddInts(n + "/shape", shape);
  std::string y =
      writer.AddStage("Reshape", node, n + "/split", {writer.name(node.inputs[0]), split}, false);
  y = writer.AddStage("InstanceNormalization", node, n + "/normalize",
                      {y, writer.AddFloats(n + "/ones", groups, ones),
                       writer.AddFloats(n + "/zeros", groups, zeros)},
                      false, &proto);
  SetFloat(*proto, "epsilon", op.epsilon);
  y = writer.AddStage("Reshape", node, n + "/join", {y, whole}, false);
  y = writer.AddStage("Mul", node, n + "/scaled", {y, scale}, false);
  writer.AddStage("Add", node, n, {y, shift}, true);
  return absl::OkStatus();
}

bool BeginsGroupNorm(const NodeReader& node) {
  return node.IsChain({"Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"});
}

absl::Status FromGroupNorm(NodeReader& node) {
  const absl::Status other = absl::UnimplementedError(
      "Reshape, InstanceNormalization, Reshape, Mul, Add that are not a group norm");
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Dims dims = node.dims(x);
  if (dims.rank() < 2) return other;
  NodeReader norm = node.Ahead(1), scale = node.Ahead(3), shift = node.Ahead(4);
  ASSIGN_OR_RETURN(const std::vector<int64_t> split, node.Ints(1));
  ASSIGN_OR_RETURN(const std::vector<int64_t> whole, node.Ahead(2).Ints(1));
  ASSIGN_OR_RETURN(const std::vector<float> ones, norm.Floats(1));
  ASSIGN_OR_RETURN(const std::vector<float> zeros, norm.Floats(2));
  GroupNorm op;
  ASSIGN_OR_RETURN(op.epsilon, norm.Float("epsilon", 1e-5f));
  const auto all = [](const std::vector<float>& values, float value) {
    return std::all_of(values.begin(), values.end(), [=](float v) { return v == value; });
  };
  const bool in_groups =
      split.size() == 3 && split[0] == 0 && split[1] >= 1 && split[1] <= dims[1] && split[2] == -1;
  bool back = static_cast<int>(whole.size()) == dims.rank();
  for (size_t axis = 0; back && axis < whole.size(); ++axis) {
    back = whole[axis] == (axis == 0 ? 0 : dims[static_cast<int>(axis)]) ||
           whole[axis] == dims[static_cast<int>(axis)];
  }
  if (!in_groups || !back || ones.size() != static_cast<size_t>(split[1]) ||
      zeros.size() != ones.size() || !all(ones, 1) || !all(zeros, 0)) {
    return other;
  }
  op.groups = static_cast<int32_t>(split[1]);
  ASSIGN_OR_RETURN(const ValueId factor, scale.ChannelWeight(scale.IsConstant(0) ? 0 : 1, dims[1]));
  ASSIGN_OR_RETURN(const ValueId offset, shift.ChannelWeight(shift.IsConstant(0) ? 0 : 1, dims[1]));
  return node.Produce(op, {x, factor, offset}, {}, /*ahead=*/4);
}

absl::Status FromInstanceNormalization(NodeReader& node) {
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  const Dims dims = node.dims(x);
  if (dims.rank() != 4) {
    return absl::UnimplementedError(
        absl::StrCat("input ", dims.ToString(), ", expected [N,C,H,W]"));
  }
  GroupNorm op;
  op.groups = static_cast<int32_t>(dims[1]);
  ASSIGN_OR_RETURN(op.epsilon, node.Float("epsilon", 1e-5f));
  ASSIGN_OR_RETURN(const ValueId scale, node.Weight(1, Role::kParameter));
  ASSIGN_OR_RETURN(const ValueId shift, node.Weight(2, Role::kParameter));
  return node.Produce(op, {x, scale, shift});
}

absl::Status ToOnnx(const LocalResponseNorm& op, const Node& node, OnnxWriter& writer) {
  onnx::NodeProto& proto = writer.AddNode("LRN", node, writer.Inputs(node));
  SetInt(proto, "size", op.size);
  SetFloat(proto, "alpha", op.alpha);
  SetFloat(proto, "beta", op.beta);
  SetFloat(proto, "bias", op.bias);
  return absl::OkStatus();
}

absl::Status FromLrn(NodeReader& node) {
  LocalResponseNorm op;
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const int64_t size, node.Int("size", 0));
  if (size < 1 || size > kMaxExtent) {
    return absl::InvalidArgumentError(
        absl::StrCat("size is ", size, ", expected 1 to ", kMaxExtent));
  }
  op.size = static_cast<int32_t>(size);
  ASSIGN_OR_RETURN(op.alpha, node.Float("alpha", 1e-4f));
  ASSIGN_OR_RETURN(op.beta, node.Float("beta", 0.75f));
  ASSIGN_OR_RETURN(op.bias, node.Float("bias", 1));
  return node.Produce(op, {x});
}

absl::Status ToOnnx(const Normalize&, const Node& node, OnnxWriter& writer) {
  const std::string& n = node.name;
  const int64_t channels = static_cast<int64_t>(node.constants.size()) / 2;
  const auto constants = absl::MakeConstSpan(node.constants);
  const int64_t dims[] = {1, channels, 1, 1};
  onnx::NodeProto* proto = nullptr;

  std::string x = writer.AddStage("Cast", node, n + "/cast", writer.Inputs(node), false, &proto);
  SetInt(*proto, "to", onnx::TensorProto::FLOAT);
  x = writer.AddStage("Transpose", node, n + "/transpose", {x}, false, &proto);
  SetInts(*proto, "perm", {0, 3, 1, 2});
  const std::string scale = writer.AddScalar(n + "/full_scale", kFullScale);
  const std::string mean = writer.AddFloats(n + "/mean", dims, constants.first(channels));
  const std::string deviation = writer.AddFloats(n + "/std", dims, constants.last(channels));
  x = writer.AddStage("Div", node, n + "/scale", {x, scale}, false);
  x = writer.AddStage("Sub", node, n + "/center", {x, mean}, false);
  writer.AddStage("Div", node, n, {x, deviation}, true);
  return absl::OkStatus();
}

// The five nodes that ToOnnx wrote, one behind the other, each read by the next.
absl::Status FromCast(NodeReader& node) {
  if (node.IsConstant(0)) {
    ASSIGN_OR_RETURN(const int64_t constant_to, node.Int("to", 0));
    if (constant_to == onnx::TensorProto::FLOAT) return node.AliasFloats();
  }
  const absl::Status other = absl::UnimplementedError(
      "a Cast that does not begin a normalisation Cast, Transpose, Div by 255, Sub, Div");
  static constexpr const char* kChain[] = {"Cast", "Transpose", "Div", "Sub", "Div"};
  std::vector<NodeReader> chain;
  for (int i = 0; i < 5; ++i) {
    const onnx::NodeProto* proto = node.Next(i);
    if (proto == nullptr || proto->op_type() != kChain[i]) return other;
    if (i > 0 && (chain.back().proto().output_size() != 1 || proto->input_size() < 1 ||
                  proto->input(0) != chain.back().proto().output(0))) {
      return other;
    }
    chain.push_back(node.Ahead(i));
  }
  ASSIGN_OR_RETURN(const int64_t to, chain[0].Int("to", 0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> perm, chain[1].IntList("perm", {}));
  ASSIGN_OR_RETURN(const float scale, chain[2].Scalar(1));
  if (to != onnx::TensorProto::FLOAT || perm != std::vector<int64_t>{0, 3, 1, 2} ||
      scale != kFullScale) {
    return other;
  }
  ASSIGN_OR_RETURN(std::vector<float> constants, chain[3].Floats(1));
  ASSIGN_OR_RETURN(const std::vector<float> deviation, chain[4].Floats(1));
  if (constants.size() != deviation.size()) return other;
  constants.insert(constants.end(), deviation.begin(), deviation.end());
  ASSIGN_OR_RETURN(const ValueId pixels, node.Input(0));
  return node.Produce(Normalize{}, {pixels}, std::move(constants), /*ahead=*/4);
}

absl::Status ToOnnx(const Softmax&, const Node& node, OnnxWriter& writer) {
  SetInt(writer.AddNode("Softmax", node, writer.Inputs(node)), "axis", 1);
  return absl::OkStatus();
}

absl::Status FromSoftmax(NodeReader& node) {
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  ASSIGN_OR_RETURN(const int64_t axis, node.Int("axis", node.opset() < 13 ? 1 : -1));
  const Dims& dims = node.dims(x);
  if (dims.rank() != 2 || (axis != 1 && axis != -1)) {
    return absl::UnimplementedError(absl::StrCat("softmax of ", dims.ToString(), " over axis ",
                                                 axis, ", expected [N,C] over axis 1"));
  }
  return node.Produce(Softmax{}, {x});
}

absl::Status ToOnnx(const Dropout& op, const Node& node, OnnxWriter& writer) {
  if (node.inputs.size() != 1) {
    return absl::UnimplementedError("dropout in its training form has no ONNX form");
  }
  const std::string rate = writer.AddScalar(node.name + "/ratio", op.rate);
  onnx::NodeProto& proto = writer.AddNode("Dropout", node, {writer.name(node.inputs[0]), rate});
  const int64_t seed = op.salt | (op.per_example ? kWholeExamples : 0);
  if (seed != 0) SetInt(proto, "seed", seed);
  return absl::OkStatus();
}

absl::Status FromDropout(NodeReader& node) {
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  if (node.HasInput(2)) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> training, node.Ints(2));
    if (training.empty() || training[0] != 0) return absl::UnimplementedError("training_mode");
  }
  Dropout op;
  ASSIGN_OR_RETURN(op.rate, node.Float("ratio", 0.5f));
  if (node.HasInput(1)) {
    ASSIGN_OR_RETURN(op.rate, node.Scalar(1));
  }
  if (!(op.rate >= 0 && op.rate < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("ratio ", op.rate, ", expected 0 <= ratio < 1"));
  }
  ASSIGN_OR_RETURN(const int64_t seed, node.Int("seed", 0));
  op.salt = static_cast<uint32_t>(seed);
  op.per_example = (seed & kWholeExamples) != 0;
  return node.Produce(op, {x});
}

}  // namespace fovea
