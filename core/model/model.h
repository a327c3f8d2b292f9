// Model: what is saved, published and served: a graph, its weights, and what there is to say of it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"
#include "core/runtime/weights.h"
#include "core/tensor/tensor.h"
#include "fovea/v1/manifest.pb.h"

namespace fovea {

struct Model {
  // Inference, batch 1: "pixels" u8 [1,H,W,C] → "probabilities" f32 [1,labels] (binary: [1,1], that
  // of the positive label; regression: "values" [1,targets]); with open-set rejection by the energy
  // also → "logits" f32 [1,labels].
  Graph graph;
  std::map<std::string, Tensor> values;  // of every parameter and state, by name
  v1::ModelManifest manifest;
  v1::Golden golden;              // without examples where the model was published without any
  v1::Quantization quantization;  // without values where it is not served in INT8
};

// The model's values as weights on a device. NotFound names a value that the model lacks.
absl::StatusOr<std::shared_ptr<Weights>> MakeWeights(const Model& model, const Backend& backend);

// The values of every parameter and state of `graph`, read from weights; f64 weights are rounded
// where the graph has f32.
absl::StatusOr<std::map<std::string, Tensor>> ReadValues(const Graph& graph,
                                                         const Weights& weights);

}  // namespace fovea
