// Inference on integers of 8 bits: which values must be known for it, and the rewriting.
//
// Calibration runs ObservedGraph on examples and makes a Quantization of the values it sees;
// QuantizeProducts then makes quantised products of the convolutions and dense layers whose values
// it knows.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"
#include "core/graph/quantization.h"

namespace fovea {

// OK when the backend multiplies integers of 8 bits on this machine; FailedPrecondition says what
// that takes.
absl::Status CheckInt8(const Backend& backend);

// An inference graph after its passes, with other outputs: what convolutions and dense layers read,
// their weights included, and what they write. To be compiled without passes (optimize false).
absl::StatusOr<Graph> ObservedGraph(Graph graph, const Backend& backend);

// Whether `name` is that of weights in an observed graph: quantised by output channel.
bool IsWeight(const Graph& observed, ValueId value);

// The pass: convolutions and dense layers become quantised ones where `quantization` knows their
// input and weights and the backend has a fast kernel; values between two of them, and max pools
// there, stay quantised. All else stays f32.
// FailedPrecondition: the backend does not compute in 8 bits on this machine.
absl::Status QuantizeProducts(Graph& graph, const Backend& backend,
                              const Quantization& quantization);

}  // namespace fovea
