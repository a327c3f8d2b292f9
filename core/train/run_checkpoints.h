// RunCheckpoints: saves and restores one training run: weights, position, and the best epoch.
//
// What belongs to the run and cannot change between its attempts (job, configuration, data set
// revision) is checked at a restore. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/file_system.h"
#include "core/model/checkpoint.h"
#include "core/runtime/weights.h"
#include "fovea/v1/manifest.pb.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

// Where a run stands, beside its weights.
struct RunPosition {
  int64_t step = 0;                 // steps done
  int64_t epoch = 0;                // epochs done, their evaluation included
  double epoch_loss_sum = 0;        // over the steps of the epoch that is not done
  v1::MeasureWatch early_stopping;  // of the epochs done; empty without early stopping
  v1::PlateauState plateau;         // empty unless the schedule is reduce_on_plateau
};

// The checkpoint whose weights will be published.
struct BestEpoch {
  int64_t step = 0;
  int64_t epoch = 0;
  v1::Measures validation;
};

class RunCheckpoints {
 public:
  // Checkpoints lie in `folder`. `files` outlives this.
  RunCheckpoints(FileSystem* files, std::string folder, const v1::TrainerJob& job,
                 const Clock* clock);

  struct Found {
    std::optional<Checkpoint> checkpoint;  // the latest whole one
    std::optional<BestEpoch> best;
    std::vector<std::string> notes;  // for the job's log
  };
  // FailedPrecondition when the checkpoint is of another job, configuration or revision.
  absl::StatusOr<Found> Find() const;

  // Writes the checkpoint's regions into the weights and answers its position. DataLoss when they
  // do not fit.
  static absl::StatusOr<RunPosition> Restore(const Checkpoint& checkpoint, Weights& weights);

  // Saves durably, then forgets all but the last two and the best. `validation` is null in the
  // midst of an epoch and where there is no validation split.
  absl::Status Save(const Weights& weights, const RunPosition& position,
                    const v1::Execution& execution, const v1::Measures* validation,
                    const std::optional<BestEpoch>& best);

  // Parameters, states and averages of an earlier checkpoint; the rest of the weights stays.
  absl::Status RestoreModel(int64_t step, Weights& weights) const;

  absl::Status RemoveAll() { return store_.RemoveAll(); }

 private:
  absl::Status CheckBelongs(const v1::CheckpointManifest& manifest) const;
  absl::StatusOr<std::optional<BestEpoch>> FindBest() const;

  CheckpointStore store_;
  const v1::TrainerJob job_;
  const Clock* const clock_;
};

}  // namespace fovea
