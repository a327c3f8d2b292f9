#include "core/train/trainer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/train/decisions.h"
#include "core/train/evaluate.h"
#include "core/train/golden.h"
#include "core/train/measure.h"
#include "core/train/publish.h"
#include "core/train/recipe.h"
#include "core/train/timestamp.h"
#include "core/train/watch.h"

namespace fovea {
namespace {

constexpr int kGoldenExamples = 4;

bool HasExamples(const Dataset* dataset) { return dataset != nullptr && dataset->size() > 0; }

absl::Status NotFinite(double loss, const RunPosition& position, int64_t total_steps,
                       double learning_rate, double highest_rate) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the loss is ", loss, " at step ", position.step, " of ", total_steps, " (epoch ",
      position.epoch + 1, ", learning rate ", learning_rate,
      "), expected a finite number: the training diverged; lower config.learning_rate (",
      highest_rate, ")"));
}

}  // namespace

absl::StatusOr<v1::TrainerResult> Trainer::Run() {
  RETURN_IF_ERROR(Start());
  const bool staged =
      options_.job.resume() && IsStaged(options_.files, ModelFolder(), options_.job);
  while (!staged && position_.epoch < options_.job.config().epochs() && !StoppedEarly()) {
    absl::Status status = CheckNotCancelled(options_.cancel);
    if (status.ok()) status = position_.step < EndOfEpoch() ? RunStep() : FinishEpoch();
    if (absl::IsCancelled(status)) return Suspend();
    RETURN_IF_ERROR(status);
  }
  if (!staged) RETURN_IF_ERROR(Finish());
  RETURN_IF_ERROR(checkpoints_.RemoveAll());
  v1::TrainerResult result;
  result.set_staged_folder(ModelFolder());
  return result;
}

absl::Status Trainer::Start() {
  v1::TrainerStarted started;
  *started.mutable_execution() = execution_;
  started.set_step(position_.step);
  started.set_total_steps(schedule_->total_steps());
  RETURN_IF_ERROR(options_.events->Started(started));
  for (const std::string& text : notes_) {
    v1::JobEvent event;
    event.mutable_note()->set_text(text);
    RETURN_IF_ERROR(Emit(std::move(event)));
  }
  ProgressMeter::Options metering;
  metering.clock = options_.clock;
  metering.interval = options_.progress_interval;
  metering.first_step = position_.step;
  metering.total_steps = schedule_->total_steps();
  metering.steps_per_epoch = loader_->steps_per_epoch();
  metering.images_per_step = ExamplesPerStep(options_.job.config());
  metering.flops_per_step = training_->flops();
  metering.peak_flops = options_.peak_flops;
  meter_.emplace(metering);
  epoch_start_ = options_.clock->Elapsed();
  data_wait_.Begin(epoch_start_, loader_->waited());
  return absl::OkStatus();
}

absl::Status Trainer::RunStep() {
  ASSIGN_OR_RETURN(const Batch* batch, loader_->Next());
  learning_rate_ = schedule_->LearningRate(position_.step, PlateauFactor(position_.plateau));
  ASSIGN_OR_RETURN(const TrainingStep::Outcome outcome,
                   training_->Run(*batch, position_.step, learning_rate_));
  RETURN_IF_ERROR(
      options_.events->Step({position_.step, outcome.loss, learning_rate_, outcome.accuracy}));
  ++position_.step;
  if (!std::isfinite(outcome.loss)) {
    return NotFinite(outcome.loss, position_, schedule_->total_steps(), learning_rate_,
                     options_.job.config().learning_rate());
  }
  position_.epoch_loss_sum += outcome.loss;
  meter_->Add(outcome.loss, outcome.accuracy, learning_rate_);
  const bool last = position_.step == schedule_->total_steps();
  return meter_->IsDue() || last ? EmitProgress() : absl::OkStatus();
}

absl::Status Trainer::FinishEpoch() {
  meter_->Pause();
  v1::JobEvent event;
  v1::EpochReport& report = *event.mutable_epoch();
  report.set_epoch(static_cast<uint32_t>(position_.epoch + 1));
  report.set_train_loss(position_.epoch_loss_sum / static_cast<double>(loader_->steps_per_epoch()));
  report.set_learning_rate(learning_rate_);
  report.set_data_wait_share(data_wait_.End(options_.clock->Elapsed(), loader_->waited()));
  if (HasExamples(options_.validation)) {
    ASSIGN_OR_RETURN(
        v1::Report found,
        EvaluateOn(*options_.validation, GivenDecisions(options_.job.config(), options_.labels)));
    *report.mutable_validation() = std::move(*found.mutable_measures());
  }
  const absl::Duration now = options_.clock->Elapsed();
  SetDuration(now - epoch_start_, *report.mutable_duration());
  epoch_start_ = now;
  ++position_.epoch;
  position_.epoch_loss_sum = 0;
  const v1::Measures* validation = report.has_validation() ? &report.validation() : nullptr;
  RETURN_IF_ERROR(Emit(event));

  // Without a validation split the last epoch is the one to publish.
  const bool best = validation == nullptr || Judge(*validation);
  RETURN_IF_ERROR(SaveCheckpoint(validation, best));
  meter_->Continue();
  data_wait_.Begin(options_.clock->Elapsed(), loader_->waited());
  return absl::OkStatus();
}

bool Trainer::Judge(const v1::Measures& validation) {
  const v1::TrainingConfig& config = options_.job.config();
  const NamedMeasure& measure = BestMeasureOf(config);
  const std::optional<double> value = measure.get(validation);
  if (config.has_early_stopping()) {
    Watch(value, measure.higher_is_better, config.early_stopping().min_delta(),
          position_.early_stopping);
  }
  if (config.has_reduce_on_plateau()) {
    StepPlateau(config.reduce_on_plateau(), value, measure.higher_is_better, position_.plateau);
  }
  const bool best = !best_.has_value() || IsBetter(measure, validation, best_->validation);
  if (best) best_ = BestEpoch{position_.step, position_.epoch, validation};
  return best;
}

bool Trainer::StoppedEarly() const {
  return position_.epoch < options_.job.config().epochs() &&
         StopsEarly(options_.job.config(), position_.early_stopping);
}

// The progress that ends the bar, and the reason.
absl::Status Trainer::TellEarlyStop() {
  meter_->EndHere();
  RETURN_IF_ERROR(EmitProgress());
  const v1::TrainingConfig& config = options_.job.config();
  const NamedMeasure& measure = BestMeasureOf(config);
  v1::JobEvent event;
  event.mutable_note()->set_text(absl::StrCat(
      "stopped early after epoch ", position_.epoch, " of ", config.epochs(), ": ", measure.name,
      " did not improve by more than ", config.early_stopping().min_delta(), " for ",
      config.early_stopping().patience(), " epochs; the best is epoch ", best_->epoch, " with ",
      measure.get(best_->validation).value_or(0)));
  return Emit(std::move(event));
}

absl::Status Trainer::Suspend() {
  if (saved_step_ != position_.step) RETURN_IF_ERROR(SaveCheckpoint(nullptr, /*best=*/false));
  return absl::CancelledError(absl::StrCat("cancelled after step ", position_.step, " of ",
                                           schedule_->total_steps(),
                                           "; its checkpoint is kept for a resume"));
}

absl::Status Trainer::Finish() {
  if (StoppedEarly()) RETURN_IF_ERROR(TellEarlyStop());
  FinishedRun run;
  run.job = &options_.job;
  run.execution = execution_;
  run.epoch = best_.has_value() ? best_->epoch : position_.epoch;
  if (best_.has_value() && best_->step != position_.step) {
    RETURN_IF_ERROR(checkpoints_.RestoreModel(best_->step, *training_->weights()));
  }
  RETURN_IF_ERROR(RoundToStorage(options_.job.config(), *training_->weights()));
  run.target_scale = target_scale_;
  std::vector<v1::PrecisionReport> precisions;
  ASSIGN_OR_RETURN(run.precision, TryPrecisions(precisions));
  if (run.precision == v1::SERVED_PRECISION_INT8) run.quantization = *quantization_;
  ASSIGN_OR_RETURN(run.decisions, FindDecisions());
  const bool has_test = HasExamples(options_.test);
  ASSIGN_OR_RETURN(run.report,
                   EvaluateOn(has_test ? *options_.test : *options_.validation, run.decisions));
  run.report.set_dataset(options_.job.dataset());
  run.report.set_dataset_revision(options_.job.dataset_revision());
  run.report.set_split(has_test ? v1::SPLIT_TEST : v1::SPLIT_VALIDATION);
  *run.report.mutable_choices() = options_.job.choices();
  run.report.mutable_precisions()->Add(precisions.begin(), precisions.end());
  if (const auto share = data_wait_.share()) run.report.set_data_wait_share(*share);
  ASSIGN_OR_RETURN(run.golden_pixels,
                   FirstPixels(has_test ? *options_.test : *options_.validation, kGoldenExamples));
  return StageModel(options_.files, ModelFolder(), run, options_.labels, *training_->evaluated(),
                    *options_.backend, options_.clock);
}

absl::StatusOr<Decisions> Trainer::FindDecisions() {
  const v1::TrainingConfig& config = options_.job.config();
  Decisions given = GivenDecisions(config, options_.labels);
  if (!NeedsTuning(config)) return given;
  if (!HasExamples(options_.validation)) {
    return absl::FailedPreconditionError(
        "the validation split is empty, expected images to tune decisions on");
  }
  ASSIGN_OR_RETURN(const Predictions validation,
                   PredictAll(*options_.validation, EvaluateOptionsFor(std::move(given)),
                              *inference_, *evaluator_));
  return TuneDecisions(config, options_.labels, validation);
}

EvaluateOptions Trainer::EvaluateOptionsFor(Decisions decisions) const {
  EvaluateOptions evaluation;
  evaluation.task = options_.job.config().task();
  evaluation.labels = options_.labels;
  evaluation.decisions = std::move(decisions);
  evaluation.target_scale = target_scale_;
  evaluation.batch = inference_->max_batch();
  evaluation.loader_threads = static_cast<int>(options_.job.config().loader_threads());
  evaluation.cancel = options_.cancel;
  evaluation.clock = options_.clock;
  return evaluation;
}

absl::StatusOr<v1::Report> Trainer::EvaluateOn(const Dataset& dataset, Decisions decisions) {
  return Evaluate(dataset, EvaluateOptionsFor(std::move(decisions)), *inference_, *evaluator_);
}

absl::Status Trainer::SaveCheckpoint(const v1::Measures* validation, bool best) {
  RETURN_IF_ERROR(
      checkpoints_.Save(*training_->weights(), position_, execution_, validation, best_));
  saved_step_ = position_.step;
  v1::JobEvent event;
  event.mutable_checkpoint()->set_epoch(static_cast<uint32_t>(position_.epoch));
  event.mutable_checkpoint()->set_best(best);
  return Emit(std::move(event));
}

absl::Status Trainer::Emit(v1::JobEvent event) {
  event.set_job_id(options_.job.job_id());
  event.set_attempt(options_.job.attempt());
  event.set_step(position_.step);
  SetTimestamp(options_.clock->Now(), *event.mutable_time());
  return options_.events->Event(event);
}

absl::Status Trainer::EmitProgress() {
  v1::JobEvent event;
  *event.mutable_progress() = meter_->Take();
  return Emit(std::move(event));
}

}  // namespace fovea
