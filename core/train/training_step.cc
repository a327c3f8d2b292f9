#include "core/train/training_step.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/random.h"
#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/compile/f32_ports.h"
#include "core/compile/training_graph.h"
#include "core/train/recipe.h"

namespace fovea {

absl::StatusOr<std::unique_ptr<TrainingStep>> TrainingStep::Create(
    const Net& net, const v1::TrainingConfig& config, absl::Span<const std::string> labels,
    const Backend& backend, const CompileOptions& options) {
  const TrainingGraphOptions recipe = TrainingGraphOptionsOf(config, labels);
  ASSIGN_OR_RETURN(Graph graph, TrainingGraph(net.graph, net.logits, recipe));
  ASSIGN_OR_RETURN(graph, WithF32Ports(std::move(graph)));
  CompileOptions training = options;
  training.training = true;
  training.compute_type = ComputeTypeOf(config);
  ASSIGN_OR_RETURN(std::shared_ptr<const Program> program,
                   Compile(std::move(graph), backend, training));

  std::unique_ptr<TrainingStep> step(new TrainingStep);
  Weights::Options regions;
  regions.slots = SlotCount(recipe.update);
  regions.gradients = true;
  ASSIGN_OR_RETURN(step->weights_, Weights::Create(backend, net.graph, regions));
  step->task_ = config.task();
  step->binary_weights_ = BinaryWeightsOf(config, labels);
  step->example_weights_ = Tensor({DType::kF32, {config.batch_size()}});
  step->reads_step_ = program->FindInput("step") >= 0;
  step->reads_seed_ = program->FindInput("seed") >= 0;
  step->step_ = Tensor({DType::kI64, {1}});
  step->seed_ = Tensor({DType::kI64, {1}});
  *step->seed_.as<int64_t>() = static_cast<int64_t>(config.seed());
  step->loss_ = Tensor({DType::kF32, {1}});
  step->probabilities_ =
      Tensor({DType::kF32,
              {config.batch_size(), OutputsOf(config.task(), static_cast<int>(labels.size()))}});
  ASSIGN_OR_RETURN(step->executor_, Executor::Create(std::move(program), step->weights_));
  return step;
}

absl::StatusOr<TrainingStep::Outcome> TrainingStep::Run(const Batch& batch, int64_t step,
                                                        double learning_rate) {
  RETURN_IF_ERROR(SetInputs(batch, step, learning_rate));
  RETURN_IF_ERROR(executor_->Run());
  weights_->Touch();
  RETURN_IF_ERROR(executor_->GetOutput("loss", loss_));
  RETURN_IF_ERROR(executor_->GetOutput("probabilities", probabilities_));
  return Outcome{*loss_.as<float>(), Accuracy(batch.targets)};
}

absl::Status TrainingStep::SetInputs(const Batch& batch, int64_t step, double learning_rate) {
  RETURN_IF_ERROR(executor_->SetInput("pixels", batch.pixels));
  RETURN_IF_ERROR(executor_->SetInput("targets", batch.targets));
  RETURN_IF_ERROR(executor_->SetInput("example_weights", WeightsOf(batch)));
  RETURN_IF_ERROR(executor_->SetScalar("learning_rate", learning_rate));
  *step_.as<int64_t>() = step;
  if (reads_step_) RETURN_IF_ERROR(executor_->SetInput("step", step_));
  if (reads_seed_) RETURN_IF_ERROR(executor_->SetInput("seed", seed_));
  return absl::OkStatus();
}

TensorView TrainingStep::WeightsOf(const Batch& batch) {
  if (binary_weights_.empty()) return batch.weights;
  for (int64_t i = 0; i < batch.weights.count(); ++i) {
    const float positive = batch.targets.as<float>()[i];  // in between for mixed examples
    example_weights_.as<float>()[i] =
        batch.weights.as<float>()[i] *
        (binary_weights_[0] * (1 - positive) + binary_weights_[1] * positive);
  }
  return example_weights_.view();
}

std::optional<double> TrainingStep::Accuracy(const TensorView& targets) const {
  if (IsRegression(task_)) return std::nullopt;
  const int64_t examples = targets.type.dims[0], labels = targets.type.dims[1];
  const float* truth = targets.as<float>();
  const float* found = probabilities_.as<float>();
  int64_t right = 0;
  if (task_ != v1::TASK_SINGLE_LABEL) {
    int64_t known = 0;
    for (int64_t i = 0; i < examples * labels; ++i) {
      if (std::isnan(truth[i])) continue;
      ++known;
      right += (truth[i] >= 0.5f) == (found[i] >= 0.5f);
    }
    return known == 0 ? 0 : static_cast<double>(right) / static_cast<double>(known);
  }
  for (int64_t i = 0; i < examples; ++i, truth += labels, found += labels) {
    right += std::max_element(truth, truth + labels) - truth ==
             std::max_element(found, found + labels) - found;
  }
  return static_cast<double>(right) / static_cast<double>(examples);
}

}  // namespace fovea
