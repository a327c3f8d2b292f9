// TrainingStep: forward, loss, gradients and update of one batch, as one compiled Program.
//
// Everything is allocated at creation. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/data/loader.h"
#include "core/nets/net.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"
#include "core/tensor/tensor.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

class TrainingStep {
 public:
  struct Outcome {
    double loss = 0;
    // Share of right examples; multi-label and binary: of right known decisions at 0.5; none for
    // regression.
    std::optional<double> accuracy;
  };

  // `net` has the batch of `config`, which is complete. The weights, zeroed, have room for
  // gradients and slots; Initialize or a checkpoint gives them values.
  static absl::StatusOr<std::unique_ptr<TrainingStep>> Create(const Net& net,
                                                              const v1::TrainingConfig& config,
                                                              absl::Span<const std::string> labels,
                                                              const Backend& backend,
                                                              const CompileOptions& options);

  // Trains on one batch, which must be full. `step` counts from 0.
  absl::StatusOr<Outcome> Run(const Batch& batch, int64_t step, double learning_rate);

  const std::shared_ptr<Weights>& weights() const { return weights_; }
  const Program& program() const { return executor_->program(); }

 private:
  TrainingStep() = default;
  absl::Status SetInputs(const Batch& batch, int64_t step, double learning_rate);
  std::optional<double> Accuracy(const TensorView& targets) const;
  TensorView WeightsOf(const Batch& batch);

  std::shared_ptr<Weights> weights_;
  std::unique_ptr<Executor> executor_;
  v1::Task task_ = v1::TASK_SINGLE_LABEL;
  std::vector<float> binary_weights_;  // of negative and positive examples; empty: all 1
  Tensor example_weights_;             // f32 [N], with binary_weights_
  bool reads_step_ = false;
  bool reads_seed_ = false;
  Tensor seed_, step_;    // i64 [1]: a double holds no seed of 64 bits
  Tensor loss_;           // f32 [1]
  Tensor probabilities_;  // f32 [N, labels]
};

}  // namespace fovea
