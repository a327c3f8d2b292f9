// Activate ↔ Relu, LeakyRelu, Sigmoid, Tanh, Clip, Elu, Selu, HardSigmoid, Softplus, and the chains
// that stand for what opset 13 has no op for: SiLU = Sigmoid, Mul; hard-swish = HardSigmoid, Mul;
// GELU = Div by √2, Erf, Add 1, Mul, Mul by 1/2. Add ↔ Add; Mul ↔ Mul; PRelu ↔ PRelu; and the
// residual and activation that other ops carry.

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"
#include "core/ops/activation.h"

namespace fovea {

namespace {

constexpr char kActivationSuffix[] = "/activation";
constexpr char kResidualSuffix[] = "/residual";

// The activation that a node carries, where its op can carry one.
ActivationSpec* ActivationOf(Node& node) {
  if (auto* op = std::get_if<Conv>(&node.attrs)) return &op->activation;
  if (auto* op = std::get_if<Dense>(&node.attrs)) return &op->activation;
  if (auto* op = std::get_if<Add>(&node.attrs)) return &op->activation;
  return nullptr;
}

bool* HasResidual(Node& node) {
  if (auto* op = std::get_if<Conv>(&node.attrs)) return &op->has_residual;
  if (auto* op = std::get_if<Dense>(&node.attrs)) return &op->has_residual;
  return nullptr;
}

// An activation by itself, or joined to the node that ExportOnnx split it from. As a chain it ends
// `ahead` of this node, and two of its nodes read x.
absl::Status FromActivation(NodeReader& node, ActivationSpec activation, int ahead = 0) {
  const int readers = ahead > 0 ? 2 : 1;
  if (Node* producer = node.SplitFrom(0, kActivationSuffix, ahead, readers)) {
    ActivationSpec* carried = ActivationOf(*producer);
    if (carried != nullptr && carried->kind == Activation::kNone) {
      *carried = activation;
      return node.Joined(*producer, ahead);
    }
  }
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  return node.Produce(Activate{activation}, {x}, {}, ahead);
}

constexpr float kRootOfTwo = 1.41421356237309504880f;
constexpr float kHardSlope = 1.0f / 6, kHardShift = 0.5f;  // of hard-swish

// Whether the gate that this node computes from x multiplies x next: x · gate(x).
bool GatesItsInput(const NodeReader& node, const char* gate) {
  return node.IsChain({gate, "Mul"}) && node.Ahead(1).Reads(node.InputName(0));
}

// Appends x · gate(x).
void AddGated(const char* gate, const Node& node, const std::string& name, const std::string& x,
              OnnxWriter& writer) {
  onnx::NodeProto* proto = nullptr;
  const std::string factor = writer.AddStage(gate, node, name + "/gate", {x}, false, &proto);
  if (std::string(gate) == "HardSigmoid") {
    SetFloat(*proto, "alpha", kHardSlope);
    SetFloat(*proto, "beta", kHardShift);
  }
  writer.AddStage("Mul", node, name, {x, factor}, true);
}

// Appends x · (1 + erf(x / √2)) / 2.
void AddGelu(const Node& node, const std::string& name, const std::string& x, OnnxWriter& writer) {
  const std::string root = writer.AddScalar(name + "/root", kRootOfTwo);
  std::string y = writer.AddStage("Div", node, name + "/div", {x, root}, false);
  y = writer.AddStage("Erf", node, name + "/erf", {y}, false);
  y = writer.AddStage("Add", node, name + "/add", {y, writer.AddScalar(name + "/one", 1)}, false);
  y = writer.AddStage("Mul", node, name + "/mul", {x, y}, false);
  writer.AddStage("Mul", node, name, {y, writer.AddScalar(name + "/half", 0.5f)}, true);
}

// Appends an activation as the ONNX node `name`.
absl::Status AddActivation(const ActivationSpec& activation, const Node& node,
                           const std::string& name, std::string x, OnnxWriter& writer) {
  std::vector<std::string> inputs = {std::move(x)};
  onnx::NodeProto* proto = nullptr;
  switch (activation.kind) {
    case Activation::kNone:
      writer.AddStage("Identity", node, name, std::move(inputs), true);
      break;
    case Activation::kRelu:
      writer.AddStage("Relu", node, name, std::move(inputs), true);
      break;
    case Activation::kLeakyRelu:
      writer.AddStage("LeakyRelu", node, name, std::move(inputs), true, &proto);
      SetFloat(*proto, "alpha", activation.alpha);
      break;
    case Activation::kSigmoid:
      writer.AddStage("Sigmoid", node, name, std::move(inputs), true);
      break;
    case Activation::kTanh:
      writer.AddStage("Tanh", node, name, std::move(inputs), true);
      break;
    case Activation::kClip:
      inputs.push_back(writer.AddScalar(name + "/min", activation.alpha));
      inputs.push_back(writer.AddScalar(name + "/max", activation.beta));
      writer.AddStage("Clip", node, name, std::move(inputs), true);
      break;
    case Activation::kElu:
      writer.AddStage("Elu", node, name, std::move(inputs), true, &proto);
      SetFloat(*proto, "alpha", activation.alpha);
      break;
    case Activation::kSelu:
      writer.AddStage("Selu", node, name, std::move(inputs), true);
      break;
    case Activation::kGelu:
      AddGelu(node, name, inputs[0], writer);
      break;
    case Activation::kSilu:
      AddGated("Sigmoid", node, name, inputs[0], writer);
      break;
    case Activation::kHardSigmoid:
      writer.AddStage("HardSigmoid", node, name, std::move(inputs), true, &proto);
      SetFloat(*proto, "alpha", activation.alpha);
      SetFloat(*proto, "beta", activation.beta);
      break;
    case Activation::kHardSwish:
      AddGated("HardSigmoid", node, name, inputs[0], writer);
      break;
    case Activation::kSoftplus:
      writer.AddStage("Softplus", node, name, std::move(inputs), true);
      break;
  }
  return absl::OkStatus();
}

// Add of a constant [O] behind a MatMul: its bias. `x` and `bias` are the inputs' positions.
absl::Status FromBias(NodeReader& node, int x, int bias) {
  ASSIGN_OR_RETURN(const Dims dims, node.ConstantDims(bias));
  Node* producer = node.SoleProducer(x);
  auto* dense = producer == nullptr ? nullptr : std::get_if<Dense>(&producer->attrs);
  if (dense == nullptr || *dense != Dense{} || dims.rank() != 1 ||
      dims[0] != node.dims(producer->outputs[0])[1]) {
    return absl::UnimplementedError(
        absl::StrCat("adding a constant ", dims.ToString(), " that is not the bias of a MatMul"));
  }
  ASSIGN_OR_RETURN(const ValueId value, node.Weight(bias, Role::kParameter));
  dense->has_bias = true;
  producer->inputs.push_back(value);
  return node.Joined(*producer);
}

// Add of the residual that ExportOnnx split from a convolution or dense node.
absl::StatusOr<bool> JoinResidual(NodeReader& node) {
  Node* producer = node.SplitFrom(0, kResidualSuffix);
  bool* has_residual = producer == nullptr ? nullptr : HasResidual(*producer);
  if (has_residual == nullptr || *has_residual) return false;
  if (ActivationOf(*producer)->kind != Activation::kNone) return false;
  ASSIGN_OR_RETURN(const ValueId residual, node.Input(1));
  if (residual == producer->outputs[0] || node.dims(residual) != node.dims(producer->outputs[0])) {
    return false;
  }
  *has_residual = true;
  producer->inputs.push_back(residual);
  RETURN_IF_ERROR(node.Joined(*producer));
  return true;
}

}  // namespace

absl::Status AddWithEpilogue(const char* op, const Node& node, std::vector<std::string> inputs,
                             bool has_residual, const ActivationSpec& activation,
                             OnnxWriter& writer, onnx::NodeProto** first) {
  const bool activated = activation.kind != Activation::kNone;
  std::string y =
      writer.AddStage(op, node, node.name, std::move(inputs), !has_residual && !activated, first);
  if (has_residual) {
    const std::string& residual = writer.name(node.inputs.back());
    y = writer.AddStage("Add", node, node.name + kResidualSuffix, {std::move(y), residual},
                        !activated);
  }
  if (!activated) return absl::OkStatus();
  return AddActivation(activation, node, node.name + kActivationSuffix, std::move(y), writer);
}

absl::Status ToOnnx(const Activate& op, const Node& node, OnnxWriter& writer) {
  return AddActivation(op.activation, node, node.name, writer.name(node.inputs[0]), writer);
}

absl::Status FromRelu(NodeReader& node) { return FromActivation(node, {Activation::kRelu}); }
absl::Status FromSigmoid(NodeReader& node) {
  if (GatesItsInput(node, "Sigmoid")) return FromActivation(node, {Activation::kSilu}, 1);
  return FromActivation(node, {Activation::kSigmoid});
}
absl::Status FromTanh(NodeReader& node) { return FromActivation(node, {Activation::kTanh}); }

absl::Status FromHardSwish(NodeReader& node) {
  return FromActivation(node, {Activation::kHardSwish});
}
absl::Status FromSoftplus(NodeReader& node) {
  return FromActivation(node, {Activation::kSoftplus});
}

absl::Status FromElu(NodeReader& node) {
  ASSIGN_OR_RETURN(const float alpha, node.Float("alpha", 1));
  return FromActivation(node, {Activation::kElu, alpha});
}

absl::Status FromSelu(NodeReader& node) {
  const float usual_alpha = static_cast<float>(ops::kSeluAlpha);
  const float usual_gamma = static_cast<float>(ops::kSeluScale);
  ASSIGN_OR_RETURN(const float alpha, node.Float("alpha", usual_alpha));
  ASSIGN_OR_RETURN(const float gamma, node.Float("gamma", usual_gamma));
  if (alpha != usual_alpha || gamma != usual_gamma) {
    return absl::UnimplementedError(absl::StrCat("alpha ", alpha, " and gamma ", gamma,
                                                 ", expected ", usual_alpha, " and ", usual_gamma));
  }
  return FromActivation(node, {Activation::kSelu});
}

absl::Status FromHardSigmoid(NodeReader& node) {
  ASSIGN_OR_RETURN(const float alpha, node.Float("alpha", 0.2f));
  ASSIGN_OR_RETURN(const float beta, node.Float("beta", 0.5f));
  if (alpha == kHardSlope && beta == kHardShift && GatesItsInput(node, "HardSigmoid")) {
    return FromActivation(node, {Activation::kHardSwish}, 1);
  }
  return FromActivation(node, {Activation::kHardSigmoid, alpha, beta});
}

absl::Status FromDiv(NodeReader& node) {
  const absl::Status other = absl::UnimplementedError(
      "a Div that does not begin a GELU, Div by the root of 2, Erf, Add 1, Mul, Mul by 1/2");
  if (!node.IsChain({"Div", "Erf", "Add", "Mul", "Mul"})) return other;
  // The constant of a commutative node may stand on either side.
  const auto constant = [&](int ahead) -> absl::StatusOr<float> {
    const NodeReader at = node.Ahead(ahead);
    return at.Scalar(at.IsConstant(0) ? 0 : 1);
  };
  ASSIGN_OR_RETURN(const float root, node.Scalar(1));
  ASSIGN_OR_RETURN(const float one, constant(2));
  ASSIGN_OR_RETURN(const float half, constant(4));
  const bool gelu = std::abs(root - kRootOfTwo) < 1e-6f && one == 1 && half == 0.5f &&
                    node.Ahead(3).Reads(node.InputName(0));
  return gelu ? FromActivation(node, {Activation::kGelu}, 4) : other;
}

absl::Status FromLeakyRelu(NodeReader& node) {
  ASSIGN_OR_RETURN(const float alpha, node.Float("alpha", 0.01f));
  return FromActivation(node, {Activation::kLeakyRelu, alpha});
}

absl::Status FromClip(NodeReader& node) {
  ActivationSpec clip = {Activation::kClip, std::numeric_limits<float>::lowest(),
                         std::numeric_limits<float>::max()};
  if (node.opset() < 11) {  // bounds were attributes
    ASSIGN_OR_RETURN(clip.alpha, node.Float("min", clip.alpha));
    ASSIGN_OR_RETURN(clip.beta, node.Float("max", clip.beta));
    return FromActivation(node, clip);
  }
  if (node.HasInput(1)) {
    ASSIGN_OR_RETURN(clip.alpha, node.Scalar(1));
  }
  if (node.HasInput(2)) {
    ASSIGN_OR_RETURN(clip.beta, node.Scalar(2));
  }
  return FromActivation(node, clip);
}

absl::Status ToOnnx(const Add& op, const Node& node, OnnxWriter& writer) {
  onnx::NodeProto* proto = nullptr;
  return AddWithEpilogue("Add", node, writer.Inputs(node), false, op.activation, writer, &proto);
}

std::string PerChannel(ValueId parameter, int rank, const Node& node, const std::string& name,
                       OnnxWriter& writer) {
  const std::string& value = writer.name(parameter);
  if (rank <= 2) return value;
  std::vector<int64_t> axes;
  for (int axis = 1; axis <= rank - 2; ++axis) axes.push_back(axis);
  return writer.AddStage("Unsqueeze", node, name, {value, writer.AddInts(name + "/axes", axes)},
                         false);
}

absl::Status FromUnsqueeze(NodeReader& node) {
  if (!node.IsConstant(0)) return absl::UnimplementedError("Unsqueeze of a computed value");
  return node.AliasConstant();
}

absl::Status ToOnnx(const PRelu&, const Node& node, OnnxWriter& writer) {
  const int rank = writer.graph().type(node.inputs[0]).dims.rank();
  const std::string slope = PerChannel(node.inputs[1], rank, node, node.name + "/slope", writer);
  writer.AddNode("PRelu", node, {writer.name(node.inputs[0]), slope});
  return absl::OkStatus();
}

absl::Status FromPRelu(NodeReader& node) {
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  if (node.dims(x).rank() < 2) {
    return absl::UnimplementedError(absl::StrCat("input ", node.dims(x).ToString()));
  }
  ASSIGN_OR_RETURN(const ValueId slope, node.ChannelWeight(1, node.dims(x)[1]));
  return node.Produce(PRelu{}, {x, slope});
}

absl::Status ToOnnx(const Mul&, const Node& node, OnnxWriter& writer) {
  writer.AddNode("Mul", node, writer.Inputs(node));
  return absl::OkStatus();
}

absl::Status FromMul(NodeReader& node) {
  ASSIGN_OR_RETURN(ValueId a, node.Input(0));
  ASSIGN_OR_RETURN(ValueId b, node.Input(1));
  const auto pixels = [&](ValueId id) { return node.dims(id).count(); };
  if (pixels(a) < pixels(b)) std::swap(a, b);  // the gate stands behind what it scales
  return node.Produce(Mul{}, {a, b});
}

absl::Status FromAdd(NodeReader& node) {
  if (node.IsConstant(1)) return FromBias(node, 0, 1);
  if (node.IsConstant(0)) return FromBias(node, 1, 0);
  ASSIGN_OR_RETURN(const bool joined, JoinResidual(node));
  if (joined) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ValueId a, node.Input(0));
  ASSIGN_OR_RETURN(const ValueId b, node.Input(1));
  return node.Produce(Add{}, {a, b});
}

}  // namespace fovea
