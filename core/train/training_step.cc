#include "core/train/training_step.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/random.h"
#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/compile/f32_ports.h"
#include "core/compile/training_graph.h"
#include "core/nets/freeze.h"
#include "core/train/optimizer.h"
#include "core/train/recipe.h"

namespace fovea {

namespace {

absl::StatusOr<std::unique_ptr<Executor>> ExecutorOf(absl::StatusOr<Graph> graph,
                                                     const Backend& backend, CompileOptions options,
                                                     const std::shared_ptr<Weights>& weights) {
  RETURN_IF_ERROR(graph.status());
  ASSIGN_OR_RETURN(Graph fed, WithF32Ports(*std::move(graph)));
  options.training = true;
  ASSIGN_OR_RETURN(std::shared_ptr<const Program> program,
                   Compile(std::move(fed), backend, options));
  return Executor::Create(std::move(program), weights);
}

// An input that some graphs do not have: without dropout nobody reads the seed.
absl::Status SetIfRead(Executor& executor, absl::string_view name, const TensorView& value) {
  if (executor.program().FindInput(name) < 0) return absl::OkStatus();
  return executor.SetInput(name, value);
}

// The bytes of a region that holds `value` everywhere.
std::string Filled(DType dtype, size_t bytes, float value) {
  const double wide = value;
  const absl::string_view element =
      dtype == DType::kF64
          ? absl::string_view(reinterpret_cast<const char*>(&wide), sizeof(wide))
          : absl::string_view(reinterpret_cast<const char*>(&value), sizeof(value));
  std::string region;
  region.reserve(bytes);
  while (region.size() < bytes) region.append(element.data(), element.size());
  return region;
}

// Part `index` of a tensor that is cut along its first axis into parts of `rows`.
TensorView Part(const TensorView& whole, int index, int64_t rows) {
  TensorView part = whole;
  part.type.dims[0] = rows;
  part.data = static_cast<char*>(whole.data) + part.type.dense_bytes() * static_cast<size_t>(index);
  return part;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingStep>> TrainingStep::Create(
    const Net& net, const v1::TrainingConfig& config, absl::Span<const std::string> labels,
    const Backend& backend, const CompileOptions& options) {
  TrainingGraphOptions recipe = TrainingGraphOptionsOf(config, labels);
  const auto& factors = config.fine_tune().learning_rate_factors();
  ASSIGN_OR_RETURN(recipe.rate_factors, RateFactors({factors.begin(), factors.end()}, net));
  std::unique_ptr<TrainingStep> step(new TrainingStep);
  step->update_ = recipe.update;
  step->accumulate_ = recipe.accumulate;
  Weights::Options regions;
  regions.slots = SlotCount(recipe);
  regions.gradients = true;
  regions.averages = config.has_average();
  ASSIGN_OR_RETURN(step->weights_, Weights::Create(backend, net.graph, regions));
  step->task_ = config.task();
  step->binary_weights_ = BinaryWeightsOf(config, labels);
  step->example_weights_ = Tensor({DType::kF32, {ExamplesPerStep(config)}});
  step->evaluated_ = step->weights_;
  CompileOptions products = options;
  products.compute_type = ComputeTypeOf(config);
  ASSIGN_OR_RETURN(step->executor_, ExecutorOf(TrainingGraph(net.graph, net.logits, recipe),
                                               backend, products, step->weights_));
  if (recipe.accumulate > 1) {
    ASSIGN_OR_RETURN(step->updater_,
                     ExecutorOf(UpdateGraph(net.graph, recipe), backend, options, step->weights_));
  }
  if (config.has_average()) {
    step->average_ = config.average();
    step->evaluated_ = Weights::AveragesOf(step->weights_);
    ASSIGN_OR_RETURN(step->averager_,
                     ExecutorOf(AverageGraph(net.graph), backend, options, step->weights_));
  }
  step->step_ = Tensor({DType::kI64, {1}});
  step->seed_ = Tensor({DType::kI64, {1}});
  *step->seed_.as<int64_t>() = static_cast<int64_t>(config.seed());
  step->loss_ = Tensor({DType::kF32, {1}});
  step->probabilities_ =
      Tensor({DType::kF32,
              {config.batch_size(), OutputsOf(config.task(), static_cast<int>(labels.size()))}});
  return step;
}

absl::Status TrainingStep::Begin() {
  ASSIGN_OR_RETURN(const std::string parameters, weights_->ReadRegion(Role::kParameter));
  const DType dtype = weights_->values().front().type.dtype;
  std::string slots(accumulate_ > 1 ? parameters.size() : 0, '\0');
  for (int slot = 0; slot < SlotCount(update_); ++slot) {
    const SlotStart start = SlotStartOf(update_, slot);
    slots += start.parameters ? parameters : Filled(dtype, parameters.size(), start.value);
  }
  RETURN_IF_ERROR(weights_->WriteRegion(Role::kSlot, slots));
  if (averager_ == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string states, weights_->ReadRegion(Role::kState));
  return weights_->WriteRegion(Role::kAverage, parameters + states);
}

absl::StatusOr<TrainingStep::Outcome> TrainingStep::Run(const Batch& batch, int64_t step,
                                                        double learning_rate) {
  const TensorView weights = WeightsOf(batch);
  Outcome mean;
  for (int index = 0; index < accumulate_; ++index) {
    ASSIGN_OR_RETURN(const Outcome one, RunBatch(batch, weights, index, step, learning_rate));
    mean.loss += one.loss / accumulate_;
    if (one.accuracy.has_value()) {
      mean.accuracy = mean.accuracy.value_or(0) + *one.accuracy / accumulate_;
    }
  }
  RETURN_IF_ERROR(Apply(step, learning_rate));
  weights_->Touch();
  return mean;
}

absl::StatusOr<TrainingStep::Outcome> TrainingStep::RunBatch(const Batch& batch,
                                                             const TensorView& weights, int index,
                                                             int64_t step, double learning_rate) {
  RETURN_IF_ERROR(SetInputs(batch, weights, index, step));
  if (updater_ == nullptr) {
    RETURN_IF_ERROR(executor_->SetScalar("learning_rate", learning_rate));
  }
  RETURN_IF_ERROR(executor_->Run());
  RETURN_IF_ERROR(executor_->GetOutput("loss", loss_));
  RETURN_IF_ERROR(executor_->GetOutput("probabilities", probabilities_));
  const int64_t rows = probabilities_.type().dims[0];
  return Outcome{*loss_.as<float>(), Accuracy(Part(batch.targets, index, rows))};
}

// To the graph of a batch "step" is the number of the batch: dropout draws anew for each.
absl::Status TrainingStep::SetInputs(const Batch& batch, const TensorView& weights, int index,
                                     int64_t step) {
  const int64_t rows = probabilities_.type().dims[0];
  RETURN_IF_ERROR(executor_->SetInput("pixels", Part(batch.pixels, index, rows)));
  RETURN_IF_ERROR(executor_->SetInput("targets", Part(batch.targets, index, rows)));
  RETURN_IF_ERROR(executor_->SetInput("example_weights", Part(weights, index, rows)));
  *step_.as<int64_t>() = step * accumulate_ + index;
  RETURN_IF_ERROR(SetIfRead(*executor_, "step", step_));
  return SetIfRead(*executor_, "seed", seed_);
}

// What follows the gradients of the last batch.
absl::Status TrainingStep::Apply(int64_t step, double learning_rate) {
  if (updater_ != nullptr) {
    *step_.as<int64_t>() = step;
    RETURN_IF_ERROR(updater_->SetScalar("learning_rate", learning_rate));
    RETURN_IF_ERROR(SetIfRead(*updater_, "step", step_));
    RETURN_IF_ERROR(updater_->Run());
  }
  if (averager_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(averager_->SetScalar("weight", AverageWeight(average_, step)));
  return averager_->Run();
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
