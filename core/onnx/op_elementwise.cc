// Activate ↔ Relu, LeakyRelu, Sigmoid, Tanh, Clip; Add ↔ Add; and the residual and activation that
// other ops carry.

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/onnx/op_map.h"

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

// An activation by itself, or joined to the node that ExportOnnx split it from.
absl::Status FromActivation(NodeReader& node, ActivationSpec activation) {
  if (Node* producer = node.SplitFrom(0, kActivationSuffix)) {
    ActivationSpec* carried = ActivationOf(*producer);
    if (carried != nullptr && carried->kind == Activation::kNone) {
      *carried = activation;
      return node.Joined(*producer);
    }
  }
  ASSIGN_OR_RETURN(const ValueId x, node.Input(0));
  return node.Produce(Activate{activation}, {x});
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
absl::Status FromSigmoid(NodeReader& node) { return FromActivation(node, {Activation::kSigmoid}); }
absl::Status FromTanh(NodeReader& node) { return FromActivation(node, {Activation::kTanh}); }

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
