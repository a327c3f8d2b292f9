// Trainer: the loop. Batches in; events, checkpoints and in the end a staged model out.
//
// A run is a pure function of (job, data set revision, execution): an attempt that resumes gives
// the same losses bit for bit as one that was never interrupted. Each epoch ends with an
// evaluation on the validation split, one event and one checkpoint. The published weights are those
// of the best epoch (config.best_measure), or of the last one without a validation split; their
// report is of the test split, or of the validation split when there is no test split. Early
// stopping ends the run after an epoch, as if it were the last.
//
// In the job's folder:  checkpoints/  while it runs;  model/  when it has finished.
// One thread; the loader has its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/backend/backend.h"
#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/file_system.h"
#include "core/compile/buckets.h"
#include "core/data/dataset.h"
#include "core/data/loader.h"
#include "core/graph/quantization.h"
#include "core/train/data_wait.h"
#include "core/train/evaluate.h"
#include "core/train/events.h"
#include "core/train/progress.h"
#include "core/train/run_checkpoints.h"
#include "core/train/schedule.h"
#include "core/train/training_step.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

class Trainer {
 public:
  struct Options {
    v1::TrainerJob job;  // its config is complete
    // Null or empty where there is no such split; else of the config's input shape.
    const Dataset* train = nullptr;
    const Dataset* validation = nullptr;
    const Dataset* test = nullptr;
    std::vector<std::string> labels;  // in the order of their indices
    const Backend* backend = nullptr;
    EventSink* events = nullptr;
    const CancelToken* cancel = nullptr;
    FileSystem* files = FileSystem::Real();
    const Clock* clock = Clock::Real();
    double peak_flops = 0;  // of the device at the job's width, for share_of_peak; 0: not measured
    absl::Duration progress_interval = absl::Milliseconds(200);
  };

  // Compiles everything and allocates all memory. What is wrong with the job shows here.
  // FailedPrecondition: too few training images for a batch, nothing to measure the model on,
  // checkpoints of another job, or a start model of another net. ResourceExhausted: not enough
  // memory.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(Options options);

  // Trains to the end. Cancelled: a checkpoint of the last step is saved first, and the job can be
  // resumed. FailedPrecondition: the loss is not finite. Else an error of the data set, of the disk
  // (checkpoints up to then are whole) or of the sink. Called once.
  absl::StatusOr<v1::TrainerResult> Run();

 private:
  explicit Trainer(Options options);

  absl::Status Prepare();
  // anew: the weights begin here, not with a checkpoint.
  absl::Status PrepareNet(const v1::Execution& execution, bool anew);
  // Makes inference_ and its executor.
  absl::Status PrepareInference(Graph graph, DType compute_type);
  // Finds the scales of INT8.
  absl::Status Calibrate();
  absl::Status PreparePosition(const RunCheckpoints::Found& found);

  absl::Status Start();
  absl::Status RunStep();
  absl::Status FinishEpoch();
  // What the schedule and early stopping make of an epoch that ended. True: it is the best so far.
  bool Judge(const v1::Measures& validation);
  bool StoppedEarly() const;
  absl::Status TellEarlyStop();
  absl::Status Suspend();
  absl::Status Finish();

  int64_t EndOfEpoch() const { return (position_.epoch + 1) * loader_->steps_per_epoch(); }
  std::string ModelFolder() const { return JoinPath(options_.job.output_folder(), "model"); }
  EvaluateOptions EvaluateOptionsFor(Decisions decisions) const;
  absl::StatusOr<v1::Report> EvaluateOn(const Dataset& dataset, Decisions decisions);
  // Tries the precisions that config.serving asks for; from then on inference_ is of the chosen
  // one. `reports` stays empty where only FP32 is asked for.
  absl::StatusOr<v1::ServedPrecision> TryPrecisions(std::vector<v1::PrecisionReport>& reports);
  absl::StatusOr<v1::PrecisionReport> TryPrecision(v1::ServedPrecision precision);
  absl::Status TellPrecision(const v1::PrecisionReport& chosen,
                             absl::Span<const v1::PrecisionReport> reports);
  absl::StatusOr<Decisions> FindDecisions();
  absl::Status SaveCheckpoint(const v1::Measures* validation, bool best);
  absl::Status Emit(v1::JobEvent event);
  absl::Status EmitProgress();

  const Options options_;
  v1::Execution execution_;
  std::vector<std::string> notes_;  // to be told after the start
  std::unique_ptr<TrainingStep> training_;
  CompileOptions inference_options_;
  std::shared_ptr<const Quantization> quantization_;  // null until Calibrate
  std::shared_ptr<BucketPrograms> inference_;
  std::unique_ptr<BucketExecutor> evaluator_;
  RunCheckpoints checkpoints_;
  std::optional<Schedule> schedule_;
  std::optional<TargetScale> target_scale_;  // regression
  std::unique_ptr<ScaledDataset> scaled_train_;
  std::unique_ptr<BatchLoader> loader_;
  std::optional<ProgressMeter> meter_;
  DataWait data_wait_;  // of this attempt
  RunPosition position_;
  std::optional<BestEpoch> best_;
  int64_t saved_step_ = -1;
  absl::Duration epoch_start_;
  double learning_rate_ = 0;  // of the last step
};

}  // namespace fovea
