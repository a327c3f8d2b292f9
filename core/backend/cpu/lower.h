// Lowering, op family by op family. Private to this folder.
//
// Every function makes the kernel of one node whose layouts Prepare has chosen. Errors name what
// is missing; the caller adds the node's name.
#pragma once

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/backend/cpu/layouts.h"

namespace fovea::cpu {

// A node with what it reads and writes.
struct NodeView {
  const Graph& graph;
  const Node& node;

  const Type& in(int i) const { return graph.type(node.inputs[i]); }
  const Type& out(int i) const { return graph.type(node.outputs[i]); }
};

// Whether this processor multiplies bf16 (AVX512_BF16 or AMX), and oneDNN uses it.
bool HasBf16();
// Whether a node with bf16 operands (layouts not yet chosen) has a fast kernel here.
bool HasBf16Kernel(const NodeView& view);
// Whether this processor sums products of 8 bits (VNNI). Without, oneDNN's sums of u8 by i8
// overflow 16 bits.
bool HasInt8();
// Whether a QuantizedConv or QuantizedDense (layouts not yet chosen) has a fast kernel here.
bool HasQuantizedKernel(const NodeView& view);
// Whether oneDNN's elementwise primitive computes this activation: those with an exponential of
// which our own loops would make a call a value.
bool HasEltwisePrimitive(Activation kind);

// Whether our own kernel computes the node (layouts not yet chosen).
bool HasInvertedResidualKernel(const NodeView& view, const InvertedResidual& op);

absl::StatusOr<Lowered> LowerConv(const NodeView& view, const CompileOptions& options);
absl::StatusOr<Lowered> LowerConvTranspose(const NodeView& view, const CompileOptions& options);
absl::StatusOr<Lowered> LowerInvertedResidual(const NodeView& view, const InvertedResidual& op,
                                              const CompileOptions& options);
absl::StatusOr<Lowered> LowerDense(const NodeView& view, const CompileOptions& options);
absl::StatusOr<Lowered> LowerPool(const NodeView& view, const Pool& pool);
absl::StatusOr<Lowered> LowerPoolBackward(const NodeView& view, const PoolBackward& pool);
absl::StatusOr<Lowered> LowerBatchNorm(const NodeView& view, const BatchNorm& norm);
absl::StatusOr<Lowered> LowerBatchNormTraining(const NodeView& view, const BatchNormTraining& norm);
absl::StatusOr<Lowered> LowerBatchNormBackward(const NodeView& view, const BatchNormBackward& norm);
absl::StatusOr<Lowered> LowerReorder(const NodeView& view);
// A Cast between f32 and bf16 may change the layout as well.
absl::StatusOr<Lowered> LowerCast(const NodeView& view);
absl::StatusOr<Lowered> LowerQuantize(const NodeView& view);
absl::StatusOr<Lowered> LowerDequantize(const NodeView& view);
absl::StatusOr<Lowered> LowerSoftmax(const NodeView& view);

absl::StatusOr<Lowered> LowerAdd(const NodeView& view, const Add& add);
absl::StatusOr<Lowered> LowerActivate(const NodeView& view, const Activate& activate);
absl::StatusOr<Lowered> LowerEltwise(const NodeView& view, const ActivationSpec& activation);
absl::StatusOr<Lowered> LowerEltwiseBackward(const NodeView& view,
                                             const ActivationSpec& activation);
absl::StatusOr<Lowered> LowerActivateBackward(const NodeView& view,
                                              const ActivateBackward& activate);
absl::StatusOr<Lowered> LowerPRelu(const NodeView& view);
absl::StatusOr<Lowered> LowerPReluBackward(const NodeView& view);
absl::StatusOr<Lowered> LowerMul(const NodeView& view);
absl::StatusOr<Lowered> LowerGateBackward(const NodeView& view);
absl::StatusOr<Lowered> LowerConcat(const NodeView& view);
absl::StatusOr<Lowered> LowerSliceChannels(const NodeView& view, const SliceChannels& slice);
absl::StatusOr<Lowered> LowerGroupNorm(const NodeView& view, const GroupNorm& norm);
absl::StatusOr<Lowered> LowerGroupNormBackward(const NodeView& view, const GroupNorm& norm);
absl::StatusOr<Lowered> LowerLocalResponseNorm(const NodeView& view, const LocalResponseNorm& norm);
absl::StatusOr<Lowered> LowerLocalResponseNormBackward(const NodeView& view,
                                                       const LocalResponseNorm& norm);
absl::StatusOr<Lowered> LowerL2Pool(const NodeView& view, const Pool& pool);
absl::StatusOr<Lowered> LowerL2PoolBackward(const NodeView& view, const PoolBackward& pool);
absl::StatusOr<Lowered> LowerBiasBackward(const NodeView& view);
absl::StatusOr<Lowered> LowerNormalize(const NodeView& view);
absl::StatusOr<Lowered> LowerDropout(const NodeView& view, const Dropout& dropout);
absl::StatusOr<Lowered> LowerUpdate(const NodeView& view, const Update& update);
absl::StatusOr<Lowered> LowerNormScale(const NodeView& view, const NormScale& op);
absl::StatusOr<Lowered> LowerSumGradients(const NodeView& view, const SumGradients& op);
absl::StatusOr<Lowered> LowerMovingAverage(const NodeView& view);

}  // namespace fovea::cpu
