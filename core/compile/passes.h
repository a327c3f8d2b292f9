// The passes: each rewrites a graph into one that means the same and runs faster. compile.cc has
// the list and its order.
#pragma once

#include "absl/status/status.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"

namespace fovea {

// ---- Inference.

// The passes of every inference graph, in their order.
absl::Status RunInferencePasses(Graph& graph, const Backend& backend);

// Dropout does nothing in inference: its readers read its input.
absl::Status PruneDropout(Graph& graph, const Backend& backend);

// BatchNorm after a convolution becomes part of its weights and bias: a FoldBatchNorm node, which
// depends on parameters and states only.
absl::Status FoldBatchNorms(Graph& graph, const Backend& backend);

// Add after a convolution or dense becomes its residual, where the other operand is dead after it
// (the kernel sums into that operand's memory).
absl::Status FuseResidual(Graph& graph, const Backend& backend);

// An activation after a convolution, dense or Add becomes part of it.
absl::Status FuseActivation(Graph& graph, const Backend& backend);

// Two convolutions of 1 x 1 around a depthwise one, or the latter two alone, become an
// InvertedResidual where the backend prefers that.
absl::Status FuseInvertedResiduals(Graph& graph, const Backend& backend);

// ---- Training.

// ReLU after a training batch norm becomes part of it, and of its gradient.
absl::Status FuseNormRelu(Graph& graph, const Backend& backend);

// Convolutions and dense layers, their gradients, and what stands between them compute in bf16;
// parameters, gradients of parameters, statistics of batch norm, outputs and all other ops stay
// f32, behind casts. The rounding's gradient is taken as 1. bf16 has the range of f32, so the loss
// needs no scaling. Source: Kalamkar et al. 2019, "A study of BFLOAT16 for deep learning training".
// FailedPrecondition: the backend does not compute in bf16 on this machine.
absl::Status CastToBf16(Graph& graph, const Backend& backend);

// OK when the backend computes in bf16 on this machine; FailedPrecondition says what that takes.
absl::Status CheckBf16(const Backend& backend);

}  // namespace fovea
