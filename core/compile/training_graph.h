// TrainingGraph: the forward graph of a net with its loss, gradients and parameter updates; and the
// graphs that run beside it over the same Weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/graph/graph.h"

namespace fovea {

struct TrainingGraphOptions {
  Loss loss = SoftmaxCrossEntropy{};
  std::vector<float> class_weights;           // none, or one per logit
  Update update;                              // terms.decayed and terms.scaled are filled in here
  float clip_norm = 0;                        // > 0: gradients are scaled to at most this norm
  int accumulate = 1;                         // batches whose mean gradient makes one update
  std::map<std::string, float> rate_factors;  // by parameter; those not named have 1
};

// `net` computes `logits` [N,L] from its inputs; BatchNorm and Dropout stand in it in their
// inference form. A BatchNorm whose scale and shift are states (a frozen one) keeps it. The result
// has in addition
//   inputs: "targets" f32 [N,L] (NaN: unknown, see attrs.h), "example_weights" f32 [N],
//           "learning_rate" f32 [1]; "step" i64 [1] (counted from 0) for some updates and dropout;
//           "seed" i64 [1] for dropout;
//   outputs: "loss" f32 [1], "probabilities" f32 [N,L] (of a regression: what it predicts).
// Parameters keep the names and offsets they have in `net`, so that both graphs share Weights.
// Gradients are clipped by value, then by norm, before any decay is added.
//
// With accumulate > 1 it ends with the gradients, which it gathers in the first slot; there is no
// "learning_rate", and "step" counts batches. After every `accumulate` batches UpdateGraph follows.
absl::StatusOr<Graph> TrainingGraph(const Graph& net, ValueId logits,
                                    const TrainingGraphOptions& options);

// The update alone, for accumulate > 1: inputs "learning_rate" f32 [1] and, for some updates,
// "step" i64 [1], which counts updates.
absl::StatusOr<Graph> UpdateGraph(const Graph& net, const TrainingGraphOptions& options);

// The slot regions that both need: the update's, behind the gathered gradients when there are some.
int SlotCount(const TrainingGraphOptions& options);

// The moving averages of the parameters and states of `net`: input "weight" f32 [1].
absl::StatusOr<Graph> AverageGraph(const Graph& net);

// Appends the gradients of `loss` (a [1] value): every parameter gets a value of role kGradient.
// Where a value has several readers their gradients are added. No data gradient is computed for
// what depends on no parameter.
absl::Status AddGradients(Graph& graph, ValueId loss);

}  // namespace fovea
