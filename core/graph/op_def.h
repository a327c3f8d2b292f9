// OpDef: what an op means: its shapes, its cost, its gradient, its values.
//
// Found by overload, OpOf(const Conv&), defined in the op's file of core/ops: an op without a
// meaning is a link error that names it. How fast an op runs is a backend's business.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"
#include "core/tensor/tensor.h"

namespace fovea {

// What an op's gradient needs of the graph under construction. dy(i) is the gradient of output i
// (kNoValue when nothing depends on it).
class GradientBuilder {
 public:
  GradientBuilder(Graph& graph, const Node& node, std::vector<ValueId> output_gradients,
                  std::vector<bool> wanted)
      : graph_(graph),
        node_(node),
        dy_(std::move(output_gradients)),
        wanted_(std::move(wanted)),
        dx_(node.inputs.size(), kNoValue) {}

  const Node& node() const { return node_; }
  const Graph& graph() const { return graph_; }
  ValueId input(int i) const { return node_.inputs[i]; }
  ValueId output(int i) const { return node_.outputs[i]; }
  const Type& input_type(int i) const { return graph_.type(node_.inputs[i]); }
  ValueId dy(int i = 0) const { return dy_[i]; }
  // Whether anybody asks for the gradient of input i; skip the node otherwise.
  bool wants(int i) const { return wanted_[i]; }

  // Appends a node named after the forward one, "conv1" + "dx" → "conv1.dx", with the forward
  // node's constants; returns its outputs.
  absl::StatusOr<std::vector<ValueId>> Add(absl::string_view suffix, Attrs attrs,
                                           std::vector<ValueId> inputs);
  // Declares the gradient of input i.
  void Set(int i, ValueId gradient) { dx_[i] = gradient; }
  const std::vector<ValueId>& input_gradients() const { return dx_; }

 private:
  Graph& graph_;
  Node node_;  // by value: the graph's vector of nodes grows underneath
  std::vector<ValueId> dy_;
  std::vector<bool> wanted_;
  std::vector<ValueId> dx_;
};

struct OpDef {
  absl::string_view name;  // "Conv"

  // Output types from input types. InvalidArgument says what was found and expected; the caller
  // adds the node's name.
  absl::StatusOr<std::vector<Type>> (*infer)(const Node& node, absl::Span<const Type> inputs);

  // Floating-point operations of one run, 2 per multiply-add; 0 for what only moves data. Only the
  // ops that count in "training = 3 × forward" (Conv, Dense and their gradients) are non-zero.
  double (*flops)(const Node& node, absl::Span<const Type> inputs);

  // Adds the nodes of the gradient; nullptr: nothing differentiable passes through.
  absl::Status (*gradient)(GradientBuilder& builder);

  // The values, by plain loops, on dense host tensors of float or double (all floating inputs and
  // outputs of a call have one type). Outputs may not overlap inputs unless the op overwrites
  // them by definition (updates, statistics).
  void (*reference)(const Node& node, absl::Span<const TensorView> inputs,
                    absl::Span<const TensorView> outputs);

  // Which outputs are opaque.
  uint32_t opaque_outputs = 0;  // bit i: output i
};

#define FOVEA_DECLARE_OP(Struct) const OpDef& OpOf(const Struct&);
FOVEA_DECLARE_OP(Conv)
FOVEA_DECLARE_OP(ConvBackwardData)
FOVEA_DECLARE_OP(ConvBackwardWeights)
FOVEA_DECLARE_OP(Dense)
FOVEA_DECLARE_OP(DenseBackwardData)
FOVEA_DECLARE_OP(DenseBackwardWeights)
FOVEA_DECLARE_OP(BiasBackward)
FOVEA_DECLARE_OP(Pool)
FOVEA_DECLARE_OP(PoolBackward)
FOVEA_DECLARE_OP(BatchNorm)
FOVEA_DECLARE_OP(BatchNormTraining)
FOVEA_DECLARE_OP(BatchNormBackward)
FOVEA_DECLARE_OP(FrozenBatchNormBackward)
FOVEA_DECLARE_OP(UpdateStatistics)
FOVEA_DECLARE_OP(FoldBatchNorm)
FOVEA_DECLARE_OP(Activate)
FOVEA_DECLARE_OP(ActivateBackward)
FOVEA_DECLARE_OP(Add)
FOVEA_DECLARE_OP(Reshape)
FOVEA_DECLARE_OP(Dropout)
FOVEA_DECLARE_OP(Normalize)
FOVEA_DECLARE_OP(Softmax)
FOVEA_DECLARE_OP(SoftmaxCrossEntropy)
FOVEA_DECLARE_OP(SoftmaxFocalLoss)
FOVEA_DECLARE_OP(SigmoidCrossEntropy)
FOVEA_DECLARE_OP(SigmoidFocalLoss)
FOVEA_DECLARE_OP(AsymmetricLoss)
FOVEA_DECLARE_OP(SoftHammingLoss)
FOVEA_DECLARE_OP(RegressionLoss)
FOVEA_DECLARE_OP(LossBackward)
FOVEA_DECLARE_OP(PairDifference)
FOVEA_DECLARE_OP(PairDifferenceBackward)
FOVEA_DECLARE_OP(Fill)
FOVEA_DECLARE_OP(SgdMomentum)
FOVEA_DECLARE_OP(Adam)
FOVEA_DECLARE_OP(Adagrad)
FOVEA_DECLARE_OP(AdagradDa)
FOVEA_DECLARE_OP(Adadelta)
FOVEA_DECLARE_OP(RmsProp)
FOVEA_DECLARE_OP(Ftrl)
FOVEA_DECLARE_OP(ProximalGradientDescent)
FOVEA_DECLARE_OP(ProximalAdagrad)
FOVEA_DECLARE_OP(Lion)
FOVEA_DECLARE_OP(NormScale)
FOVEA_DECLARE_OP(SumGradients)
FOVEA_DECLARE_OP(MovingAverage)
FOVEA_DECLARE_OP(Reorder)
FOVEA_DECLARE_OP(Cast)
FOVEA_DECLARE_OP(ConvTranspose)
FOVEA_DECLARE_OP(PRelu)
FOVEA_DECLARE_OP(PReluBackward)
FOVEA_DECLARE_OP(Mul)
FOVEA_DECLARE_OP(GateBackward)
FOVEA_DECLARE_OP(Concat)
FOVEA_DECLARE_OP(SliceChannels)
FOVEA_DECLARE_OP(GroupNorm)
FOVEA_DECLARE_OP(GroupNormBackward)
FOVEA_DECLARE_OP(LocalResponseNorm)
FOVEA_DECLARE_OP(LocalResponseNormBackward)
FOVEA_DECLARE_OP(InvertedResidual)
FOVEA_DECLARE_OP(Quantize)
FOVEA_DECLARE_OP(Dequantize)
FOVEA_DECLARE_OP(QuantizeWeights)
FOVEA_DECLARE_OP(QuantizedConv)
FOVEA_DECLARE_OP(QuantizedDense)
#undef FOVEA_DECLARE_OP

const OpDef& OpOf(const Attrs& attrs);

// infer() with the node's name in front of an error.
absl::StatusOr<std::vector<Type>> InferTypes(const Node& node, absl::Span<const Type> inputs);

// infer() for a node of `graph`; an error also lists the names and types of the node's inputs.
absl::StatusOr<std::vector<Type>> InferTypes(const Graph& graph, const Node& node);

// FLOPs of a whole graph.
double GraphFlops(const Graph& graph);

}  // namespace fovea
