// Trainer's preparation: everything that happens before the first step.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "core/compile/f32_ports.h"
#include "core/data/sampler.h"
#include "core/nets/freeze.h"
#include "core/train/execution.h"
#include "core/train/fine_tune.h"
#include "core/train/recipe.h"
#include "core/train/trainer.h"
#include "core/train/watch.h"

namespace fovea {
namespace {

// Independent streams of random numbers from the one seed of the configuration.
enum SeedStream : uint64_t { kInitialWeights = 1, kBatches = 2 };

constexpr int kMaxEvaluationBatch = 64;

absl::Status CheckData(const Trainer::Options& options) {
  const int64_t needed = ExamplesPerStep(options.job.config());
  const int64_t examples = options.train == nullptr ? 0 : options.train->size();
  if (examples < needed) {
    return absl::FailedPreconditionError(absl::StrCat("the training split has ", examples,
                                                      " images, expected at least the ", needed,
                                                      " of one step"));
  }
  for (const Dataset* dataset : {options.validation, options.test}) {
    if (dataset != nullptr && dataset->size() > 0) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "the validation and test splits are empty, expected an image to measure the model on");
}

}  // namespace

Trainer::Trainer(Options options)
    : options_(std::move(options)),
      checkpoints_(options_.files, JoinPath(options_.job.output_folder(), "checkpoints"),
                   options_.job, options_.clock) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(Options options) {
  RETURN_IF_ERROR(CheckData(options));
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(options)));
  RETURN_IF_ERROR(trainer->Prepare());
  return trainer;
}

absl::Status Trainer::Prepare() {
  RunCheckpoints::Found found;
  if (options_.job.resume()) {
    ASSIGN_OR_RETURN(found, checkpoints_.Find());
    notes_ = found.notes;
  } else {
    RETURN_IF_ERROR(checkpoints_.RemoveAll());
    RETURN_IF_ERROR(options_.files->RemoveAll(ModelFolder()));
  }
  v1::Execution execution = ChooseExecution(options_.job.config());
  if (options_.job.has_execution()) {
    execution = options_.job.execution();
  } else if (found.checkpoint.has_value()) {
    execution = found.checkpoint->manifest.execution();
  }
  RETURN_IF_ERROR(PrepareNet(execution, /*anew=*/!found.checkpoint.has_value()));
  return PreparePosition(found);
}

absl::Status Trainer::PrepareNet(const v1::Execution& execution, bool anew) {
  const v1::TrainingConfig& config = options_.job.config();
  const CompileOptions compile = CompileOptionsOf(execution, notes_);
  const int outputs = OutputsOf(config.task(), static_cast<int>(options_.labels.size()));
  ASSIGN_OR_RETURN(Net net, BuildNet(NetOptionsOf(config, outputs), config.batch_size()));
  net.graph = InParameterType(std::move(net.graph), config);
  const auto& frozen = config.fine_tune().freeze();
  RETURN_IF_ERROR(Freeze(std::vector<std::string>(frozen.begin(), frozen.end()), net));
  ASSIGN_OR_RETURN(training_,
                   TrainingStep::Create(net, config, options_.labels, *options_.backend, compile));
  RETURN_IF_ERROR(Initialize(net, HashKey(config.seed(), kInitialWeights), *training_->weights()));
  if (config.has_fine_tune() && anew) {
    ASSIGN_OR_RETURN(notes_.emplace_back(),
                     LoadStart(options_.files, options_.job, net, *training_->weights()));
  }

  inference_options_ = compile;
  // The plan of training is not that of inference, which is free to have its own.
  inference_options_.layout_plan = LayoutPlan::kDefault;
  ASSIGN_OR_RETURN(Graph graph, InferenceGraphOf(net, config));
  ASSIGN_OR_RETURN(graph, WithF32Ports(std::move(graph)));
  RETURN_IF_ERROR(PrepareInference(std::move(graph), DType::kF32));

  execution_ = execution;
  execution_.set_layout_plan(LayoutPlanName(training_->program().layout_plan()));
  return absl::OkStatus();
}

absl::Status Trainer::PrepareInference(Graph graph, DType compute_type) {
  BucketPrograms::Options buckets;
  buckets.max_batch =
      std::min<int>(static_cast<int>(options_.job.config().batch_size()), kMaxEvaluationBatch);
  buckets.compile = inference_options_;
  buckets.compile.compute_type = compute_type;
  buckets.compile.quantization = quantization_;
  ASSIGN_OR_RETURN(std::shared_ptr<BucketPrograms> programs,
                   BucketPrograms::Create(std::move(graph), training_->evaluated(), buckets));
  ASSIGN_OR_RETURN(evaluator_, BucketExecutor::Create(programs));
  inference_ = std::move(programs);
  return absl::OkStatus();
}

absl::Status Trainer::PreparePosition(const RunCheckpoints::Found& found) {
  if (found.checkpoint.has_value()) {
    ASSIGN_OR_RETURN(position_, RunCheckpoints::Restore(*found.checkpoint, *training_->weights()));
    best_ = found.best;
    saved_step_ = position_.step;
  } else {
    RETURN_IF_ERROR(training_->Begin());
  }
  const v1::TrainingConfig& config = options_.job.config();
  ASSIGN_OR_RETURN(SamplingPlan plan, SamplingPlanOf(config, *options_.train));
  const auto sampling = std::make_shared<const SamplingPlan>(std::move(plan));
  const int64_t examples_per_step = ExamplesPerStep(config);
  if (sampling->EpochLength() < examples_per_step) {
    return absl::FailedPreconditionError(absl::StrCat(
        "an epoch has ", sampling->EpochLength(),
        " images by config.sampling, expected at least the ", examples_per_step, " of one update"));
  }
  const int64_t steps_per_epoch = StepsPerEpoch(sampling->EpochLength(), examples_per_step);
  schedule_.emplace(config, steps_per_epoch);
  if (position_.step > 0) {
    learning_rate_ = schedule_->LearningRate(position_.step - 1, PlateauFactor(position_.plateau));
  }
  BatchLoader::Options loading;
  loading.dataset = options_.train;
  if (config.task() == v1::TASK_REGRESSION) {
    ASSIGN_OR_RETURN(target_scale_, FindTargetScale(*options_.train));
    scaled_train_ = std::make_unique<ScaledDataset>(*options_.train, *target_scale_);
    loading.dataset = scaled_train_.get();
  }
  loading.batch_size = static_cast<int>(examples_per_step);
  loading.seed = HashKey(config.seed(), kBatches);
  loading.first_step = position_.step;
  loading.end_step = schedule_->total_steps();
  loading.augment = AugmentOptionsOf(config);
  loading.mix = MixOptionsOf(config);
  loading.sampling = sampling;
  ASSIGN_OR_RETURN(loading.augment_strength, AugmentStrengthsOf(config, *options_.train));
  loading.threads = static_cast<int>(config.loader_threads());
  loading.depth = static_cast<int>(config.prefetch_batches());
  loading.clock = options_.clock;
  ASSIGN_OR_RETURN(loader_, BatchLoader::Create(loading));
  return absl::OkStatus();
}

}  // namespace fovea
