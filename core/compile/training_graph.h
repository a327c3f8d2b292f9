// TrainingGraph: the forward graph of a net with its loss, gradients and parameter updates.
#pragma once

#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "core/graph/graph.h"

namespace fovea {

struct TrainingGraphOptions {
  Loss loss = SoftmaxCrossEntropy{};
  std::vector<float> class_weights;        // none, or one per logit
  std::variant<SgdMomentum, Adam> update;  // `decayed` is filled in here
};

// `net` computes `logits` [N,L] from its inputs; BatchNorm and Dropout stand in it in their
// inference form. The result has in addition
//   inputs: "targets" f32 [N,L] (NaN: unknown, see attrs.h), "example_weights" f32 [N],
//   "learning_rate" f32 [1]; "step" i64
//           [1] (counted from 0) for Adam and dropout; "seed" i64 [1] for dropout;
//   outputs: "loss" f32 [1], "probabilities" f32 [N,L] (of a regression: what it predicts).
// Parameters keep the names and offsets they have in `net`, so that both graphs share Weights.
absl::StatusOr<Graph> TrainingGraph(const Graph& net, ValueId logits,
                                    const TrainingGraphOptions& options);

// How many slot regions an update rule needs.
int SlotCount(const std::variant<SgdMomentum, Adam>& update);

// Appends the gradients of `loss` (a [1] value): every parameter gets a value of role kGradient.
// Where a value has several readers their gradients are added. No data gradient is computed for
// what depends on no parameter.
absl::Status AddGradients(Graph& graph, ValueId loss);

}  // namespace fovea
