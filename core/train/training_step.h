// TrainingStep: forward, loss, gradients and update, as one compiled Program over one batch.
//
// Where several batches make one update it is two Programs over the same Weights: the gradients of
// each batch, which are gathered, and then the update. The moving average of the weights, where the
// configuration asks for one, is a Program of its own that follows the update.
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
#include "core/graph/update_attrs.h"
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
  // gradients, slots and averages. Initialize and then Begin, or a checkpoint, give them values.
  static absl::StatusOr<std::unique_ptr<TrainingStep>> Create(const Net& net,
                                                              const v1::TrainingConfig& config,
                                                              absl::Span<const std::string> labels,
                                                              const Backend& backend,
                                                              const CompileOptions& options);

  // Gives slots and averages what they hold before the first step, from the parameters and states.
  absl::Status Begin();

  // One update, from ExamplesPerStep(config) examples: all of `batch`, which must be full. `step`
  // counts from 0. With several batches loss and accuracy are their means.
  absl::StatusOr<Outcome> Run(const Batch& batch, int64_t step, double learning_rate);

  const std::shared_ptr<Weights>& weights() const { return weights_; }
  // What is evaluated and published: the averages, or the weights themselves.
  const std::shared_ptr<Weights>& evaluated() const { return evaluated_; }
  const Program& program() const { return executor_->program(); }
  double flops() const { return program().flops() * accumulate_; }  // of one Run

 private:
  TrainingStep() = default;
  absl::StatusOr<Outcome> RunBatch(const Batch& batch, const TensorView& weights, int index,
                                   int64_t step, double learning_rate);
  absl::Status SetInputs(const Batch& batch, const TensorView& weights, int index, int64_t step);
  absl::Status Apply(int64_t step, double learning_rate);
  std::optional<double> Accuracy(const TensorView& targets) const;
  TensorView WeightsOf(const Batch& batch);

  std::shared_ptr<Weights> weights_;
  std::shared_ptr<Weights> evaluated_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Executor> updater_;   // null: executor_ updates
  std::unique_ptr<Executor> averager_;  // null: no averages
  Update update_;
  v1::WeightAverage average_;
  int accumulate_ = 1;  // batches of an update
  v1::Task task_ = v1::TASK_SINGLE_LABEL;
  std::vector<float> binary_weights_;  // of negative and positive examples; empty: all 1
  Tensor example_weights_;             // f32 [examples of a step], with binary_weights_
  Tensor seed_, step_;                 // i64 [1]: a double holds no seed of 64 bits
  Tensor loss_;                        // f32 [1]
  Tensor probabilities_;               // f32 [N, labels]
};

}  // namespace fovea
